"""The machine minute by minute: a thermostat, a compressor that follows it, and what warms and cools (SPEC 10).

A thermostat has memory, so minutes are computed one after another. What makes any hour computable alone is that a
machine leaves each defrost in one and the same condition, unless it stood still shortly before. Three days
(``RUN_UP``) contain such a defrost in any case: a standstill and the hours after it, once a day, cannot cover them all.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from fridge_assets.simulation.conditions import Conditions
from fridge_assets.simulation.equipment import REFERENCE_AMBIENT
from fridge_assets.simulation.machine_constants import MachineConstants, heat_load
from fridge_assets.simulation.machine_schedule import Outcome, Schedule
from fridge_assets.simulation.refrigerants import FloatArray

RUN_UP = 72 * 60
"""Minutes after which nothing is left of what a computation began with."""

DISTURBED = 4 * 60
"""Minutes after a standstill in which a defrost does not yet find the machine in its usual condition."""

LEAST_REST, LEAST_RUN = 3, 2  # min, so that no compressor starts too often
WARM_BEYOND = 0.5  # bands above cut-in from which a running machine is pulling down
SPEED_LAG = 4.0  # min
DEFROST_HEAT = 1.5  # multiples of the design heat load that a defrost puts into the cabinet
DOOR_HEAT = 1.2  # the same for a door that is always open
ICED_CAPACITY = 0.85
MELTING = 0.4  # share of a defrost during which ice holds the coil at 0 °C
COIL_TO_AIR = 10.0  # min until a resting coil has come 63 % closer to the air


class State(IntEnum):
    """What a machine does in a minute."""

    RUNNING = 0
    OFF = 1
    DEFROST = 2
    PULL_DOWN = 3
    STANDSTILL = 4


STATE_NAMES = tuple(state.name.lower().replace("_", "-") for state in State)
"""As the ground truth has them, and the operating states of features."""


@dataclass(frozen=True)
class Lags:
    """How far parts of the machine are in their running condition: 1 as when running, 0 at rest.

    Each field is minutes × machines, or one minute's.
    """

    coil: FloatArray
    suction: FloatArray
    discharge: FloatArray
    condenser: FloatArray
    pressure: FloatArray
    apart: FloatArray  # the two pressures at rest: 1 each at its own, 0 evened out


RISE = np.array([1.5, 1.5, 2.0, 1.5, 0.5, 0.3], np.float32)
"""Minutes in which each lag comes 63 % closer to 1 after a start."""
FALL = np.array([8.0, 4.0, 3.5, 5.0, 0.8, np.nan], np.float32)
"""The same towards 0 after a stop; pressures even out as the machine's expansion device lets them."""
FALL_OF_COIL_IN_DEFROST = 1.5


@dataclass(frozen=True)
class Operation:
    """What machines do; each field is minutes × machines, or with one row more for the minute before.

    Args:
        state: :class:`State`.
        on: 1 while the compressor runs.
        speed: of the compressor, 0…1.
        air: temperature in the cabinet, °C.
        resting_coil: temperature that the coil takes when nothing evaporates in it, °C.
        lags: how far each part is in its running condition.
    """

    state: npt.NDArray[np.int8]
    on: FloatArray
    speed: FloatArray
    air: FloatArray
    resting_coil: FloatArray
    lags: Lags


class Thermostats:
    """The thermostats of a fleet; :meth:`follow` is called for one span after another."""

    def __init__(self, constants: MachineConstants) -> None:
        self._constants = constants
        count = len(constants.number)
        self._state = np.zeros(count, np.int8)
        self._on = np.ones(count, np.bool_)
        self._since = np.full(count, LEAST_REST, np.int32)
        self._speed = np.ones(count, np.float32)
        self._air = constants.set_point.copy()
        self._coil = constants.set_point.copy()
        self._lags = np.ones((len(RISE), count), np.float32)
        self._defrosting = np.zeros(count, np.bool_)
        self._recovering = np.zeros(count, np.bool_)
        self._since_standstill = np.full(count, DISTURBED, np.int32)
        fall = np.repeat(FALL[:, None], count, axis=1)
        fall[-1] = constants.equalising
        self._rise, self._fall = (1 - np.exp(-1 / RISE))[:, None], 1 - np.exp(-1 / fall)
        self._fall_in_defrost = self._fall.copy()
        self._fall_in_defrost[0] = 1 - np.exp(-1 / FALL_OF_COIL_IN_DEFROST)

    def follow(self, conditions: Conditions, schedule: Schedule) -> Operation:
        """Go on for the minutes of ``conditions``; the first row is how the minute before ended."""
        minutes, count = schedule.standstill.shape
        load = 0.92 + DOOR_HEAT * conditions.door_rate + 0.06 * conditions.slow["load"]
        state = np.empty((minutes + 1, count), np.int8)
        on, speed, air, coil = (np.empty((minutes + 1, count), np.float32) for _ in range(4))
        lags = np.empty((len(RISE), minutes + 1, count), np.float32)
        for row in range(minutes + 1):
            if row:
                now = schedule.at(row - 1)
                self._step(conditions.ambient[row - 1], load[row - 1], now)
                self._state = self._named(now)
            state[row], on[row], speed[row], air[row] = self._state, self._on, self._speed, self._air
            coil[row], lags[:, row] = self._coil, self._lags
        return Operation(state, on, speed, air, coil, Lags(*lags))

    def _step(self, ambient: FloatArray, load: FloatArray, now: Schedule) -> None:
        own = self._constants
        self._leave_defrosts(ambient, load, now)
        above = (self._air - own.set_point) / own.band
        wanted = np.where(
            self._on, (above > -0.5) | (self._since < LEAST_RUN), (above > 0.5) & (self._since >= LEAST_REST)
        )
        on = wanted & ~now.defrosting & ~now.standstill
        self._since = np.where(on == self._on, self._since + 1, 1)
        self._on = on
        leak = heat_load(own, self._air, ambient) * load
        aim = np.clip(leak * own.heating / own.cooling + above, own.least_speed, 1)
        self._speed += (aim - self._speed) / np.where(own.least_speed < 1, np.float32(SPEED_LAG), np.float32(1))
        capacity = self._speed * (1 + 0.015 * own.band * above) * np.where(now.iced, np.float32(ICED_CAPACITY), 1)
        self._air += own.heating * (leak + np.where(now.defrosting, np.float32(DEFROST_HEAT), 0))
        self._air -= np.where(on, own.cooling * capacity, 0)
        rest = np.where(now.defrosting, self._fall_in_defrost, self._fall)
        self._lags += (on - self._lags) * np.where(on, self._rise, rest)
        self._warm_coils(now)

    def _leave_defrosts(self, ambient: FloatArray, load: FloatArray, now: Schedule) -> None:
        """Put machines whose defrost is over into the condition that follows one."""
        self._since_standstill = np.where(now.standstill, 0, self._since_standstill + 1)
        left = self._defrosting & ~now.defrosting & (self._since_standstill > DISTURBED)
        self._defrosting = now.defrosting
        if not left.any():
            return
        own = self._constants
        # An overloaded machine, say with its door open, does not reach its set point.
        reached = ambient - own.cooling / (own.heating * load) * (np.float32(REFERENCE_AMBIENT) - own.set_point)
        warmed = np.maximum(own.set_point, reached) + own.heating * own.defrost_minutes * (1 + DEFROST_HEAT)
        self._on &= ~left
        self._since[left] = LEAST_REST
        self._speed[left] = 1
        self._air = np.where(left, warmed, self._air)
        self._lags[:, left] = 0
        self._coil = np.where(left, np.where(now.outcome == Outcome.FAILED, 0, own.defrost_end), self._coil)

    def _warm_coils(self, now: Schedule) -> None:
        """Ice holds a coil at 0 °C until it has melted; a failed defrost gets no further."""
        clear = np.clip((now.progress - MELTING) / (1 - MELTING), 0, 1) * (now.outcome != Outcome.FAILED)
        heated = 0.2 + (self._constants.defrost_end - 0.2) * (1 - np.exp(-3 * clear)) / (1 - np.exp(-3.0))
        resting = self._coil + (self._air - self._coil) / np.float32(COIL_TO_AIR)
        self._coil = np.where(now.defrosting, heated, resting).astype(np.float32)

    def _named(self, now: Schedule) -> npt.NDArray[np.int8]:
        """The state; a machine pulls down after a defrost or standstill until its air is near cut-in."""
        own = self._constants
        warm = self._air > own.set_point + (0.5 + WARM_BEYOND) * own.band
        self._recovering = now.defrosting | now.standstill | (self._recovering & warm)
        state = np.where(self._on, np.where(self._recovering, State.PULL_DOWN, State.RUNNING), State.OFF)
        state = np.where(now.defrosting, State.DEFROST, state)
        return np.where(now.standstill, State.STANDSTILL, state).astype(np.int8)


def running_at_set_point(constants: MachineConstants) -> Operation:
    """One minute of machines that run at full speed with the air at its set point."""
    ones = np.ones((1, len(constants.number)), np.float32)
    lags = Lags(ones, ones, ones, ones, ones, ones)
    air = ones * constants.set_point
    return Operation(np.zeros_like(ones, np.int8), on=ones, speed=ones, air=air, resting_coil=air, lags=lags)

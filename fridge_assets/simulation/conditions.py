"""What a device is exposed to and what it is doing, minute by minute (SPEC 10).

Everything here is a function of time and of the device's constants: weather and slow load come from knots
that are seeded by day and by hour, cycles and defrosts from the device's own clockwork. So any minute can be
computed alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fridge_assets.simulation.equipment import CLIMATE_ZONES, REGIONS
from fridge_assets.simulation.individuals import Individuals
from fridge_assets.simulation.refrigerants import FloatArray
from fridge_assets.simulation.seeding import Stream, generator

MinuteArray = npt.NDArray[np.int64]
"""Minutes since 1970, UTC."""

SLOW_CHANNELS = ("load", "ambient", "superheat", "subcooling", "humidity", "vibration")

STEADY = {name: np.zeros((1, 1), np.float32) for name in SLOW_CHANNELS}
"""No slow variation."""

WEATHER_SPREAD = 0.7  # K from one day to the next
OPENS, CLOSES = 7.5, 21.5  # local hours; trade builds up and fades over an hour
CLOSED_DOOR_RATE = 0.004
HELD_OPEN_RATE = 0.92
DEFROST_WARMING_MINUTES = 8
DEFROST_RECOVERY_MINUTES = 10


@dataclass(frozen=True)
class Strain:
    """How far faults have changed what devices do, each 0…1, as minutes × devices or one number for all.

    Args:
        door_held_open: severity of a door left open: it is open most minutes and the compressor runs longer.
        icing: severity of evaporator icing: defrosts take up to 60 % longer.
    """

    door_held_open: FloatArray | float = 0.0
    icing: FloatArray | float = 0.0


@dataclass(frozen=True)
class Conditions:
    """State of every device in every minute; each field is minutes × devices.

    Args:
        ambient: °C.
        trade: 0 with the shop closed to 1 with it open.
        door_rate: probability that the door is open.
        defrosting: whether a defrost is on.
        coil_warmth: 0…1, how far a defrost has warmed the coil.
        full_capacity: whether the compressor is at full capacity in its cycle.
        cycle: 1 where the coil is warmest in the compressor's cycle, -1 where it is coldest.
        slow: slow variation by channel of ``SLOW_CHANNELS``, about -2…2.
    """

    ambient: FloatArray
    trade: FloatArray
    door_rate: FloatArray
    defrosting: npt.NDArray[np.bool_]
    coil_warmth: FloatArray
    full_capacity: npt.NDArray[np.bool_]
    cycle: FloatArray
    slow: dict[str, FloatArray]


def operating_conditions(
    individuals: Individuals, minutes: MinuteArray, slow: dict[str, FloatArray], strain: Strain, seed: int
) -> Conditions:
    """State of ``individuals`` in ``minutes``, with :func:`slow_variation` and the faults' strain on them."""
    trade, outdoor = _local_day(minutes, seed)
    defrosting, warmth = _defrost(individuals, minutes, strain)
    full_capacity, cycle = _compressor_cycle(individuals, minutes, strain)
    trade = trade[:, individuals.region]
    own_door_rate = CLOSED_DOOR_RATE + individuals.door_rate * trade
    return Conditions(
        ambient=individuals.ambient + outdoor[:, individuals.region] + 0.2 * slow["ambient"],
        trade=trade,
        door_rate=own_door_rate + (HELD_OPEN_RATE - own_door_rate) * strain.door_held_open,
        defrosting=defrosting,
        coil_warmth=warmth,
        full_capacity=full_capacity,
        cycle=cycle,
        slow=slow,
    )


def slow_variation(minutes: MinuteArray, devices: int, seed: int) -> dict[str, FloatArray]:
    """Standard-normal knots at every full hour with straight lines between, by channel, minutes × devices.

    ``minutes`` lie within one hour.
    """
    hour = int(minutes[0]) // 60
    before, after = (
        generator(seed, Stream.SLOW_VARIATION, h).standard_normal((len(SLOW_CHANNELS), devices), np.float32)
        for h in (hour, hour + 1)
    )
    share = ((minutes - hour * 60) / 60).astype(np.float32)[:, None]
    return {name: before[i] + share * (after[i] - before[i]) for i, name in enumerate(SLOW_CHANNELS)}


def _local_day(minutes: MinuteArray, seed: int) -> tuple[FloatArray, FloatArray]:
    """Trade (0…1) and deviation of ambient from its mean (K), both minutes × regions."""
    offsets = np.array([region.utc_offset_hours for region in REGIONS])
    hour = (minutes[:, None] / 60 + offsets) % 24
    trade = np.clip(np.minimum(hour - OPENS, CLOSES - hour), 0, 1)
    zone_names = [zone.name for zone in CLIMATE_ZONES]
    zones = [zone_names.index(region.climate_zone) for region in REGIONS]
    amplitude = np.array([CLIMATE_ZONES[z].diurnal_amplitude for z in zones])
    diurnal = amplitude * np.cos(2 * np.pi * (hour - 15) / 24)
    return trade.astype(np.float32), (diurnal + _weather(minutes, seed)[:, zones]).astype(np.float32)


def _weather(minutes: MinuteArray, seed: int) -> npt.NDArray[np.float64]:
    """Day-to-day deviation of ambient in K, minutes × climate zones; ``minutes`` lie within one day."""
    day = int(minutes[0]) // 1440
    today, tomorrow = (
        generator(seed, Stream.WEATHER, d).standard_normal(len(CLIMATE_ZONES)) * WEATHER_SPREAD for d in (day, day + 1)
    )
    share = ((minutes - day * 1440) / 1440)[:, None]
    return today + share * (tomorrow - today)


def _defrost(
    individuals: Individuals, minutes: MinuteArray, strain: Strain
) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    since = minutes.astype(np.int32)[:, None] + individuals.defrost_offset
    since %= individuals.defrost_period
    lasts = individuals.defrost_minutes * (1 + 0.6 * np.asarray(strain.icing, np.float32))
    over = since - lasts
    defrosting = over < 0
    warming = np.minimum(since.astype(np.float32) / DEFROST_WARMING_MINUTES, 1)
    recovering = np.maximum(1 - over / DEFROST_RECOVERY_MINUTES, 0)
    return defrosting, np.where(defrosting, warming, recovering).astype(np.float32)


def _compressor_cycle(
    individuals: Individuals, minutes: MinuteArray, strain: Strain
) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    # float64: minutes since 1970 have too many digits for float32.
    phase = minutes[:, None] / individuals.cycle_period.astype(np.float64) + individuals.cycle_phase
    phase -= np.floor(phase)
    position = phase.astype(np.float32)
    own = individuals.cycle_duty
    duty = own + (1 - own) * np.asarray(0.8 * strain.door_held_open, np.float32)
    full_capacity = position < duty
    # The coil keeps its rhythm; a door left open adds its own warming on top.
    pull_down = 1 - 2 * position / own
    drift_up = 2 * (position - own) / (1 - own) - 1
    return full_capacity, np.where(position < own, pull_down, drift_up)

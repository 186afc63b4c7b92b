"""The part of a fleet whose compressors never stop (SPEC 10)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.simulation.conditions import (
    STEADY,
    Conditions,
    MinuteArray,
    Strain,
    operating_conditions,
    slow_variation,
)
from fridge_assets.simulation.delivery import draw_mishaps
from fridge_assets.simulation.fault_effects import apply_faults, strain_of
from fridge_assets.simulation.individuals import Individuals, draw_individuals
from fridge_assets.simulation.part import Part, StateBlock
from fridge_assets.simulation.physics import Switches, Values, add_noise, measurement_noise, true_values
from fridge_assets.simulation.reading_table import Senders, reading_table
from fridge_assets.simulation.thermostat import State


@dataclass(frozen=True, eq=False)
class ContinuousPart:
    """Machines that modulate instead of stopping, and defrost coil by coil."""

    part: Part

    def readings(self, minutes: MinuteArray) -> pa.Table:
        """READINGS_SCHEMA of ``minutes``, which lie within one hour."""
        own = self.part
        conditions = self._conditions(minutes)
        values, switches, noise = self._measure(minutes, conditions)
        lost = apply_faults(own.plan, minutes, values=values, noise=noise, stuck_at=self._stuck_at, seed=own.seed)
        mishaps = draw_mishaps(own.delivery, minutes, own.devices, len(SENSORS), own.seed)
        return reading_table(minutes, values, switches, lost=lost, mishaps=mishaps, senders=self._senders)

    def states(self, minutes: MinuteArray) -> StateBlock:
        """What the machines do in ``minutes``: a compressor that never stops runs or defrosts."""
        defrosting = self._conditions(minutes).defrosting
        state = np.where(defrosting, State.DEFROST, State.RUNNING).astype(np.int8)
        return StateBlock(minutes, state, np.zeros_like(state))

    @cached_property
    def _individuals(self) -> Individuals:
        return draw_individuals(self.part.registry, self.part.seed)

    @cached_property
    def _senders(self) -> Senders:
        return self.part.senders(self._individuals)

    @cached_property
    def _stuck_at(self) -> npt.NDArray[np.float32]:
        return self.part.stuck_at(self._steady_values)

    def _steady_values(self, device: npt.NDArray[np.intp], minute: MinuteArray) -> Values:
        individual = self._individuals.take(device)
        return true_values(individual, operating_conditions(individual, minute, STEADY, Strain(), self.part.seed))

    def _conditions(self, minutes: MinuteArray) -> Conditions:
        own = self.part
        strain = strain_of(own.plan, minutes, own.devices)
        slow = slow_variation(minutes, own.devices, own.seed)
        return operating_conditions(self._individuals, minutes, slow, strain, own.seed)

    def _measure(self, minutes: MinuteArray, conditions: Conditions) -> tuple[Values, Switches, Values]:
        """Readings before the faults' direct effects, and the noise in them."""
        noise, door_chance = measurement_noise(minutes, self.part.devices, self.part.seed)
        values = add_noise(true_values(self._individuals, conditions), noise)
        switches = {
            "door_open_close": door_chance < conditions.door_rate,
            "defrost_cycle": conditions.defrosting,
        }
        return values, switches, noise

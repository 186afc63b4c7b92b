"""The course of cycling machines through time (SPEC 10)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fridge_assets.simulation.conditions import Conditions, MinuteArray, operating_conditions, slow_variation
from fridge_assets.simulation.fault_effects import strain_of
from fridge_assets.simulation.individuals import Individuals
from fridge_assets.simulation.machine_constants import MachineConstants
from fridge_assets.simulation.machine_schedule import Schedule, schedule
from fridge_assets.simulation.part import Part
from fridge_assets.simulation.records import each_array
from fridge_assets.simulation.thermostat import RUN_UP, Operation, Thermostats


@dataclass(frozen=True)
class Doing:
    """What machines do in ``minutes``, which lie within one hour; ``course`` has the minute before as well."""

    minutes: MinuteArray
    conditions: Conditions
    schedule: Schedule
    course: Operation

    def of(self, machines: npt.NDArray[np.intp]) -> "Doing":
        """The same of some machines, by position."""

        def theirs(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return array[:, machines]

        return Doing(
            self.minutes,
            each_array(self.conditions, theirs),
            each_array(self.schedule, theirs),
            each_array(self.course, theirs),
        )


class Course:
    """Goes on from where it stands at little cost; to stand elsewhere takes a run-up of three days."""

    def __init__(self, part: Part, individuals: Individuals, constants: MachineConstants) -> None:
        self._part, self._individuals, self._constants = part, individuals, constants
        self._thermostats = Thermostats(constants)
        self.next_minute: int | None = None

    def begin(self, minute: int) -> None:
        """Stand at ``minute``."""
        self._thermostats = Thermostats(self._constants)
        self.next_minute = minute - RUN_UP
        for _ in self.until(minute):
            pass

    def until(self, minute: int) -> Iterator[Doing]:
        """Go on to ``minute``, hour by hour."""
        while self.next_minute is not None and self.next_minute < minute:
            end = min(self.next_minute // 60 * 60 + 60, minute)
            yield self.follow(np.arange(self.next_minute, end))

    def follow(self, minutes: MinuteArray) -> Doing:
        """Go on for ``minutes``, which begin where the course stands and lie within one hour."""
        own = self._part
        strain = strain_of(own.plan, minutes, own.devices)
        slow = slow_variation(minutes, own.devices, own.seed)
        conditions = operating_conditions(self._individuals, minutes, slow, strain, own.seed)
        plan = schedule(self._constants, minutes, strain, own.seed)
        self.next_minute = int(minutes[-1]) + 1
        return Doing(minutes, conditions, plan, self._thermostats.follow(conditions, plan))

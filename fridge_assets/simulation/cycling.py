"""The part of a fleet whose machines start and stop (SPEC 10)."""

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.simulation.conditions import STEADY, MinuteArray, Strain, operating_conditions
from fridge_assets.simulation.course import Course, Doing
from fridge_assets.simulation.delivery import draw_mishaps
from fridge_assets.simulation.fault_effects import apply_faults
from fridge_assets.simulation.fault_plan import PlannedFaults
from fridge_assets.simulation.faults import STUCK_SENSOR
from fridge_assets.simulation.individuals import Individuals, draw_individuals
from fridge_assets.simulation.machine_constants import MachineConstants, draw_machines, machine_models
from fridge_assets.simulation.machine_physics import between, blended, parts
from fridge_assets.simulation.machine_schedule import schedule
from fridge_assets.simulation.part import Part, StateBlock
from fridge_assets.simulation.physics import Switches, Values, add_noise, measurement_noise
from fridge_assets.simulation.reading_table import Senders, reading_table
from fridge_assets.simulation.records import each_array
from fridge_assets.simulation.telemetry import LONGEST_FLAT, TICK_MICROSECONDS, TICKS, FlatLines, Loggers
from fridge_assets.simulation.thermostat import State, running_at_set_point

TRANSDUCER_SPREAD = np.float32(0.2)
"""Share of a continuous machine's transducer errors; a machine at rest shows both sides at one pressure."""


@dataclass(frozen=True)
class Group:
    """Machines that are measured together.

    Args:
        machines: positions in the part.
        individuals: their constants as refrigeration cycles.
        constants: their constants as machines with a thermostat.
        loggers: how they report.
        senders: the same, for the landing table.
        plan: their faults, by position in the group.
        stuck_at: what each stuck sensor repeats.
    """

    machines: npt.NDArray[np.intp]
    individuals: Individuals
    constants: MachineConstants
    loggers: Loggers
    senders: Senders
    plan: tuple[PlannedFaults, ...]
    stuck_at: npt.NDArray[np.float32]

    def take(self, machines: npt.NDArray[np.intp]) -> "Group":
        """Some of the machines, by position."""
        stuck = next((planned.devices for planned in self.plan if planned.kind is STUCK_SENSOR), machines[:0])
        senders = self.senders
        return Group(
            self.machines[machines],
            self.individuals.take(machines),
            each_array(self.constants, lambda array: array[machines]),
            each_array(self.loggers, lambda array: array[machines]),
            replace(
                senders,
                device_ids=senders.device_ids.take(pa.array(machines)),
                report_at=senders.report_at[machines],
                latency=senders.latency[machines],
                clock_error=senders.clock_error[machines],
                readings_a_minute=senders.readings_a_minute[machines],
            ),
            tuple(planned.among(machines) for planned in self.plan),
            self.stuck_at[np.isin(stuck, machines)],
        )


@dataclass(frozen=True, eq=False)
class CyclingPart:
    """Machines with a thermostat; spans are best asked for one after another."""

    part: Part

    def readings(self, minutes: MinuteArray) -> pa.Table:
        """READINGS_SCHEMA of ``minutes``, which lie within one hour."""
        first = int(minutes[0])
        if self._course.next_minute != first:
            # Flat lines that are on have begun within this time; what they repeat has to be seen.
            self._course.begin(first - LONGEST_FLAT)
            for doing in self._course.until(first):
                self._measure(self._everyone, doing, 0)
        doing = self._course.follow(minutes)
        tables = [self._table(self._everyone, doing, 0)]
        if len(self._fast.machines):
            tables += [self._table(self._fast, doing, tick) for tick in range(1, TICKS)]
        return pa.concat_tables(tables)

    def states(self, minutes: MinuteArray) -> StateBlock:
        """What the machines do in ``minutes``, which lie within one hour."""
        if self._course_of_states.next_minute != int(minutes[0]):
            self._course_of_states.begin(int(minutes[0]))
        doing = self._course_of_states.follow(minutes)
        state = doing.course.state[1:]
        return StateBlock(minutes, state, np.where(state == State.DEFROST, doing.schedule.outcome, 0).astype(np.int8))

    @cached_property
    def _everyone(self) -> Group:
        own = self.part
        models = machine_models(own.registry)
        drawn = draw_individuals(own.registry, own.seed)
        individuals = replace(
            drawn,
            low_gain=1 + TRANSDUCER_SPREAD * (drawn.low_gain - 1),
            high_gain=1 + TRANSDUCER_SPREAD * (drawn.high_gain - 1),
        )
        constants = draw_machines(models, own.number, individuals, own.seed)
        loggers = Loggers.of(models, own.number)
        senders = replace(own.senders(individuals), readings_a_minute=loggers.ticks)
        stuck_at = own.stuck_at(partial(self._values_at_set_point, individuals, constants))
        return Group(np.arange(own.devices), individuals, constants, loggers, senders, own.plan, stuck_at)

    @cached_property
    def _fast(self) -> Group:
        """The machines with more than one reading a minute."""
        return self._everyone.take(np.flatnonzero(self._everyone.loggers.ticks > 1))

    @cached_property
    def _flat_lines(self) -> FlatLines:
        return FlatLines(self._everyone.loggers, self.part.seed)

    @cached_property
    def _course(self) -> Course:
        return Course(self.part, self._everyone.individuals, self._everyone.constants)

    @cached_property
    def _course_of_states(self) -> Course:
        return Course(self.part, self._everyone.individuals, self._everyone.constants)

    def _values_at_set_point(
        self, individuals: Individuals, constants: MachineConstants, device: npt.NDArray[np.intp], minute: MinuteArray
    ) -> Values:
        """What a device reads in a minute while it runs at its set point, save noise and slow variation."""
        individual, machine = individuals.take(device), each_array(constants, lambda array: array[device])
        conditions = operating_conditions(individual, minute, STEADY, Strain(), self.part.seed)
        plan = schedule(machine, minute, Strain(), self.part.seed)
        return parts(individual, machine, conditions, plan, running_at_set_point(machine), minute).running

    def _measure(self, group: Group, doing: Doing, tick: int) -> tuple[Values, Switches, npt.NDArray[np.bool_] | None]:
        """Readings as the loggers have them, the ``tick``-th of each minute, and which are lost."""
        own, minutes = self.part, doing.minutes
        if len(group.machines) < own.devices:
            doing = doing.of(group.machines)
        operation = between(doing.course, ((tick + 1) / group.loggers.ticks).astype(np.float32))
        both = parts(group.individuals, group.constants, doing.conditions, doing.schedule, operation, minutes)
        noise, door_chance = measurement_noise(minutes, len(group.machines), own.seed, *([tick] if tick else []))
        for values in (both.running, both.resting):
            add_noise(values, noise)
        running = [planned for planned in group.plan if not planned.kind.at_rest]
        apply_faults(running, minutes, values=both.running, noise=noise, stuck_at=group.stuck_at, seed=own.seed)
        values = blended(both, operation)
        always = [planned for planned in group.plan if planned.kind.at_rest]
        lost = apply_faults(always, minutes, values=values, noise=noise, stuck_at=group.stuck_at, seed=own.seed)
        group.loggers.digitise(values)
        self._flat_lines.hold(minutes, values, group.machines)
        switches = {
            "door_open_close": door_chance < doing.conditions.door_rate,
            "defrost_cycle": doing.schedule.defrosting & group.loggers.signals_defrost,
        }
        return values, switches, lost

    def _table(self, group: Group, doing: Doing, tick: int) -> pa.Table:
        own, minutes = self.part, doing.minutes
        values, switches, lost = self._measure(group, doing, tick)
        absent = group.loggers.leave_out(values, switches)
        silent = group.loggers.silent(minutes, own.seed)
        counters = [tick] if tick else []
        mishaps = draw_mishaps(own.delivery, minutes, len(group.machines), len(SENSORS), own.seed, *counters)
        seconds = group.loggers.seconds(group.senders.report_at, minutes, own.seed)
        return reading_table(
            minutes,
            values,
            switches,
            lost=silent if lost is None else silent | lost,
            mishaps=replace(mishaps, nulls=np.concatenate([mishaps.nulls, absent], axis=1)),
            senders=replace(group.senders, report_at=seconds + tick * TICK_MICROSECONDS, nth=tick),
        )

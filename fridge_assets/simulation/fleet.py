"""A simulated fleet: who is in it, what is wrong with whom, and what its sensors read at any time (SPEC 10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.errors import FridgeError
from fridge_assets.simulation.conditions import MinuteArray, Strain, operating_conditions, slow_variation
from fridge_assets.simulation.delivery import Delivery, clock_errors, draw_mishaps
from fridge_assets.simulation.fault_effects import apply_faults, strain_of
from fridge_assets.simulation.fault_plan import FaultTiming, PlannedFaults, ground_truth, plan_faults
from fridge_assets.simulation.faults import STUCK_SENSOR, FaultShare
from fridge_assets.simulation.individuals import Individuals, draw_individuals
from fridge_assets.simulation.physics import Switches, Values, measure, measurement_noise
from fridge_assets.simulation.reading_table import READINGS_SCHEMA, Senders, reading_table
from fridge_assets.simulation.seeding import Stream  # noqa: F401

BLOCK_READINGS = 500_000
"""Readings computed at once; keeps the working arrays near the processor's cache and the memory bounded."""


@dataclass(frozen=True, eq=False)
class Fleet:
    """A fleet over a span of time; the same arguments always give the same readings.

    Args:
        registry: DEVICE_REGISTRY columns, as from :func:`simulate_registry`.
        seed: of everything random.
        start: first minute, timezone-aware.
        end: end of the span that faults are planned in, exclusive, timezone-aware.
        faults: which share of the devices gets which fault.
        timing: where in the span faults unfold.
        delivery: how often delivery goes wrong.

    Raises:
        FridgeError: ``start`` or ``end`` has no timezone or is not a full minute, or ``end`` is not after ``start``.
    """

    registry: pd.DataFrame
    seed: int
    start: datetime
    end: datetime
    faults: Sequence[FaultShare] = ()
    timing: FaultTiming = FaultTiming()
    delivery: Delivery = Delivery()

    def __post_init__(self) -> None:
        _minutes_between(self.start, self.end)

    @cached_property
    def ground_truth(self) -> pd.DataFrame:
        """One row a faulty device; see :func:`fridge_assets.simulation.fault_plan.ground_truth`."""
        return ground_truth(self._plan, self.registry["device_id"], self.end)

    def readings(self, start: datetime, end: datetime) -> pa.Table:
        """What the devices measured from ``start`` to ``end`` and when it arrived, duplicates included.

        Readings do not depend on how a span is cut. ``timestamp_ingested`` may lie after ``end``: late readings belong to
        the time they were measured at. Faults stay at their severity after the fleet's own end.

        Args:
            start: first minute, timezone-aware, not before the fleet's start.
            end: exclusive, timezone-aware.

        Returns:
            SENSOR_READINGS columns without ``event_id``, which is derived when readings are ingested.

        Raises:
            FridgeError: an impossible span, or one that begins before the fleet does.
        """
        minutes = _minutes_between(start, end)
        if start < self.start:
            raise FridgeError(
                f"readings from {start} were asked for, the fleet begins at {self.start}", "Ask for a later start"
            )
        return pa.concat_tables([READINGS_SCHEMA.empty_table(), *map(self._block, self._blocks(minutes))])

    @cached_property
    def _individuals(self) -> Individuals:
        return draw_individuals(self.registry, self.seed)

    @cached_property
    def _senders(self) -> Senders:
        return Senders(
            device_ids=pa.array(self.registry["device_id"], pa.string()),
            report_at=self._individuals.report_second.astype(np.int64) * 1_000_000,
            latency=self._individuals.latency_ms.astype(np.int64) * 1_000,
            clock_error=clock_errors(self.delivery, len(self.registry), self.seed),
            first_minute=int(self.start.timestamp()) // 60,
        )

    @cached_property
    def _plan(self) -> tuple[PlannedFaults, ...]:
        return plan_faults(len(self.registry), self.faults, self.start, self.end, self.timing, self.seed)

    @cached_property
    def _stuck_at(self) -> npt.NDArray[np.float32]:
        """The last true reading of each sensor that gets stuck."""
        planned = next((planned for planned in self._plan if planned.kind is STUCK_SENSOR), None)
        if planned is None:
            return np.empty(0, np.float32)
        stuck_at = np.empty(len(planned.devices), np.float32)
        for minute in np.unique(planned.onset):
            now = np.flatnonzero(planned.onset == minute)
            values, _ = self._measure(np.array([minute]), Strain(), planned.devices[now])
            stuck_at[now] = [values[planned.sensors[i][0]][0, position] for position, i in enumerate(now)]
        return stuck_at

    def _blocks(self, minutes: MinuteArray) -> Iterator[MinuteArray]:
        """Cut ``minutes`` into blocks of bounded size that each lie within one hour."""
        size = max(BLOCK_READINGS // len(self.registry), 1)
        for hour in np.split(minutes, np.flatnonzero(minutes[1:] % 60 == 0) + 1):
            yield from (hour[first : first + size] for first in range(0, len(hour), size))

    def _block(self, minutes: MinuteArray) -> pa.Table:
        ...


def _minutes_between(start: datetime, end: datetime) -> MinuteArray:
    ...

"""A simulated fleet: its devices, their faults, and what they read at any time (SPEC 10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation.conditions import (
    SLOW_CHANNELS,
    MinuteArray,
    Strain,
    operating_conditions,
    slow_variation,
)
from fridge_assets.simulation.delivery import USUAL_DELIVERY, Delivery, clock_errors, draw_mishaps
from fridge_assets.simulation.fault_effects import apply_faults, strain_of
from fridge_assets.simulation.fault_plan import (
    USUAL_TIMING,
    FaultTiming,
    PlannedFaults,
    ground_truth,
    plan_faults,
)
from fridge_assets.simulation.faults import STUCK_SENSOR, FaultShare
from fridge_assets.simulation.individuals import Individuals, draw_individuals
from fridge_assets.simulation.physics import Switches, Values, add_noise, measurement_noise, true_values
from fridge_assets.simulation.reading_table import READINGS_SCHEMA, Senders, reading_table

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
        FridgeError: ``start`` or ``end`` has no timezone or is not a full minute, or the span is empty.
    """

    registry: pd.DataFrame
    seed: int
    start: datetime
    end: datetime
    faults: Sequence[FaultShare] = ()
    timing: FaultTiming = USUAL_TIMING
    delivery: Delivery = USUAL_DELIVERY

    def __post_init__(self) -> None:
        _minutes_between(self.start, self.end)

    @cached_property
    def ground_truth(self) -> pd.DataFrame:
        """One row a faulty device; see :func:`fridge_assets.simulation.fault_plan.ground_truth`."""
        return ground_truth(self._plan, self.registry["device_id"], self.end)

    def readings(self, start: datetime, end: datetime) -> pa.Table:
        """What the devices measured from ``start`` to ``end`` and when it arrived, duplicates included.

        Readings do not depend on how a span is cut. ``timestamp_ingested`` may lie after ``end``: late
        readings belong to the time they were measured at. Faults unfold as planned after the fleet's own
        end, too.

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
                f"readings from {start} were asked for, the fleet begins at {self.start}",
                "Ask for a later start",
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
        return plan_faults(
            len(self.registry),
            self.faults,
            start=self.start,
            end=self.end,
            timing=self.timing,
            seed=self.seed,
        )

    @cached_property
    def _stuck_at(self) -> npt.NDArray[np.float32]:
        """What each stuck sensor repeats: what it read when it got stuck, save noise and slow variation."""
        planned = next((planned for planned in self._plan if planned.kind is STUCK_SENSOR), None)
        if planned is None:
            return np.empty(0, np.float32)
        stuck_at = np.empty(len(planned.devices), np.float32)
        steady = {name: np.zeros((1, 1), np.float32) for name in SLOW_CHANNELS}
        for i, (device, (column,)) in enumerate(zip(planned.devices, planned.sensors, strict=True)):
            individual = self._individuals.take(np.array([device]))
            conditions = operating_conditions(individual, planned.onset[[i]], steady, Strain(), self.seed)
            stuck_at[i] = true_values(individual, conditions)[column][0, 0]
        return stuck_at

    def _blocks(self, minutes: MinuteArray) -> Iterator[MinuteArray]:
        """Cut ``minutes`` into blocks of bounded size that each lie within one hour."""
        size = max(BLOCK_READINGS // len(self.registry), 1)
        for hour in np.split(minutes, np.flatnonzero(minutes[1:] % 60 == 0) + 1):
            yield from (hour[first : first + size] for first in range(0, len(hour), size))

    def _block(self, minutes: MinuteArray) -> pa.Table:
        devices = len(self.registry)
        strain = strain_of(self._plan, minutes, devices)
        values, switches, noise = self._measure(minutes, strain)
        lost = apply_faults(self._plan, minutes, values=values, noise=noise, stuck_at=self._stuck_at, seed=self.seed)
        mishaps = draw_mishaps(self.delivery, minutes, devices, len(SENSORS), self.seed)
        return reading_table(minutes, values, switches, lost=lost, mishaps=mishaps, senders=self._senders)

    def _measure(self, minutes: MinuteArray, strain: Strain) -> tuple[Values, Switches, Values]:
        """Readings before the faults' direct effects, and the noise in them."""
        devices = len(self.registry)
        noise, door_chance = measurement_noise(minutes, devices, self.seed)
        slow = slow_variation(minutes, devices, self.seed)
        conditions = operating_conditions(self._individuals, minutes, slow, strain, self.seed)
        values = add_noise(true_values(self._individuals, conditions), noise)
        switches = {
            "door_open_close": door_chance < conditions.door_rate,
            "defrost_cycle": conditions.defrosting,
        }
        return values, switches, noise


def _minutes_between(start: datetime, end: datetime) -> MinuteArray:
    for time in (start, end):
        if time.tzinfo is None or time.timestamp() % 60:
            raise FridgeError(
                f"the time {time} is not a full minute with a timezone",
                "Give one such as 2026-01-01T00:00:00+00:00",
            )
    if end <= start:
        raise FridgeError(f"the span from {start} to {end} is empty", "Give an end after the start")
    return np.arange(int(start.timestamp()) // 60, int(end.timestamp()) // 60)

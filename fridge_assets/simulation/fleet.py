"""A simulated fleet: its devices, their faults, and what they read at any time (SPEC 10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation.conditions import MinuteArray
from fridge_assets.simulation.continuous import ContinuousPart
from fridge_assets.simulation.cycling import CyclingPart
from fridge_assets.simulation.delivery import USUAL_DELIVERY, Delivery
from fridge_assets.simulation.fault_plan import (
    USUAL_TIMING,
    FaultTiming,
    PlannedFaults,
    ground_truth,
    plan_faults,
)
from fridge_assets.simulation.faults import FaultShare
from fridge_assets.simulation.machines import CYCLING_MODELS, EQUIPMENT_MODELS
from fridge_assets.simulation.part import Part
from fridge_assets.simulation.reading_table import READINGS_SCHEMA
from fridge_assets.simulation.states import episodes

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

    @property
    def expected_readings(self) -> int:
        """Readings of the span from ``start`` to ``end`` when none is lost."""
        minutes = (self.end - self.start) // timedelta(minutes=1)
        by_model = {model.name: 60 / model.telemetry.interval_seconds for model in EQUIPMENT_MODELS}
        return round(minutes * self.registry["model"].map(by_model).fillna(1).sum())

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
        blocks = (part.readings(block) for block in self._blocks(minutes) for part in self._parts)
        return pa.concat_tables([READINGS_SCHEMA.empty_table(), *blocks])

    def states(self, start: datetime, end: datetime) -> pd.DataFrame:
        """What the devices truly do from ``start`` to ``end``; see :func:`fridge_assets.simulation.states.episodes`."""
        minutes = _minutes_between(start, end)
        parts = [(part, [part.states(block) for block in self._blocks(minutes)]) for part in self._parts]
        return episodes([(part.part.registry["device_id"], blocks) for part, blocks in parts])

    @cached_property
    def _parts(self) -> tuple[ContinuousPart | CyclingPart, ...]:
        cycling = self.registry["model"].isin([model.name for model in CYCLING_MODELS]).to_numpy()
        parts = ((ContinuousPart, np.flatnonzero(~cycling)), (CyclingPart, np.flatnonzero(cycling)))
        return tuple(
            kind(
                Part(
                    registry=self.registry.iloc[number].reset_index(drop=True),
                    number=number,
                    plan=tuple(planned.among(number) for planned in self._plan),
                    seed=self.seed,
                    first_minute=int(self.start.timestamp()) // 60,
                    delivery=self.delivery,
                )
            )
            for kind, number in parts
            if len(number)
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

    def _blocks(self, minutes: MinuteArray) -> Iterator[MinuteArray]:
        """Cut ``minutes`` into blocks of bounded size that each lie within one hour."""
        size = max(BLOCK_READINGS // len(self.registry), 1)
        for hour in np.split(minutes, np.flatnonzero(minutes[1:] % 60 == 0) + 1):
            yield from (hour[first : first + size] for first in range(0, len(hour), size))


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

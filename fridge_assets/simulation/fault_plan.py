"""Which device gets which fault, and when: the ground truth of a simulated fleet (SPEC 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation.conditions import MinuteArray
from fridge_assets.simulation.faults import FaultKind, FaultShare
from fridge_assets.simulation.refrigerants import FloatArray
from fridge_assets.simulation.seeding import Stream, generator

FAILURE_AFTER_FULL_SEVERITY = timedelta(hours=12)
"""The reference that lead times are measured to."""


@dataclass(frozen=True)
class FaultTiming:
    """Where in the simulated span faults unfold, as shares of the span.

    Ramps are drawn so that full severity comes between ``full_from`` and ``full_to`` and the onset not
    before ``earliest_onset``. A fault whose shortest ramp is too long for that begins at
    ``earliest_onset`` and takes its time.
    """

    earliest_onset: float = 0.15
    full_from: float = 0.55
    full_to: float = 0.95


USUAL_TIMING = FaultTiming()


@dataclass(frozen=True)
class PlannedFaults:
    """All devices with one kind of fault; the arrays hold one value a faulty device.

    Args:
        kind: the fault.
        devices: positions in the registry.
        onset: minutes since 1970.
        full: minute of full severity.
        sensors: reading columns affected, one tuple a device.
    """

    kind: FaultKind
    devices: npt.NDArray[np.intp]
    onset: MinuteArray
    full: MinuteArray
    sensors: tuple[tuple[str, ...], ...]

    def severity(self, minutes: MinuteArray) -> FloatArray:
        """0 before onset, 1 from full severity on, a straight line between; minutes × faulty devices."""
        ramp = self.full - self.onset
        elapsed = minutes[:, None] - self.onset
        # A fault without a ramp is at full severity in the minute of its onset.
        severity: FloatArray = np.clip((elapsed + (ramp == 0)) / np.maximum(ramp, 1), 0, 1).astype(np.float32)
        return severity

    def among(self, devices: npt.NDArray[np.intp]) -> "PlannedFaults":
        """The same for some of the registry's devices (sorted positions), and by position among these."""
        kept = np.isin(self.devices, devices)
        return PlannedFaults(
            self.kind,
            np.searchsorted(devices, self.devices[kept]),
            self.onset[kept],
            self.full[kept],
            tuple(sensors for sensors, keeps in zip(self.sensors, kept, strict=True) if keeps),
        )


def plan_faults(
    devices: int,
    shares: Sequence[FaultShare],
    *,
    start: datetime,
    end: datetime,
    timing: FaultTiming,
    seed: int,
) -> tuple[PlannedFaults, ...]:
    """Draw the faulty devices and their onsets: at most one fault a device, at least one device a fault.

    Raises:
        FridgeError: a fault is named twice, or the shares add up to more than the fleet.
    """
    names = [share.fault for share in shares]
    for name in names:
        if names.count(name) > 1:
            raise FridgeError(f"the fault {name} is given twice", "Give each fault once, with its whole share")
    rng = generator(seed, Stream.FAULT_PLAN)
    # Rounding the running total, not each share, keeps the sum of small shares right.
    edges = np.round(np.cumsum([0.0, *(share.share for share in shares)]) * devices)
    counts = np.maximum(np.diff(edges).astype(int), 1)
    if counts.sum() > devices:
        raise FridgeError(
            f"the faults ask for {counts.sum()} faulty devices, the fleet has {devices}",
            "Lower the shares or simulate more devices",
        )
    chosen = np.split(rng.permutation(devices)[: counts.sum()], np.cumsum(counts)[:-1])
    return tuple(
        _plan_kind(share.kind, np.sort(positions), start=start, end=end, timing=timing, rng=rng)
        for share, positions in zip(shares, chosen, strict=False)
    )


def ground_truth(plan: Sequence[PlannedFaults], device_ids: "pd.Series[str]", end: datetime) -> pd.DataFrame:
    """One row a faulty device.

    Args:
        plan: the planned faults.
        device_ids: of the whole registry, in its order.
        end: end of the simulated span.

    Returns:
        ``device_id``, ``fault``, ``sensor`` (reading columns affected, the telling one first, joined by
        commas), ``onset``, ``full_severity_at`` (may lie after ``end``), ``failure_at`` (full severity +
        12 h), ``severity_at_end`` (0…1) and ``acute``.
    """

    def joined(parts: "list[MinuteArray]") -> MinuteArray:
        return np.concatenate([np.empty(0, np.int64), *parts])

    last = np.array([int(end.timestamp()) // 60])
    full = _timestamps(joined([planned.full for planned in plan]))
    severity = [float(at_end) for planned in plan for at_end in planned.severity(last)[0]]
    frame = pd.DataFrame(
        {
            "device_id": pd.array([device_ids.iloc[i] for planned in plan for i in planned.devices], dtype="str"),
            "fault": pd.array([planned.kind.name for planned in plan for _ in planned.devices], dtype="str"),
            "sensor": pd.array([",".join(own) for planned in plan for own in planned.sensors], dtype="str"),
            "onset": _timestamps(joined([planned.onset for planned in plan])),
            "full_severity_at": full,
            "failure_at": full + FAILURE_AFTER_FULL_SEVERITY,
            "severity_at_end": np.array(severity, np.float64),
            "acute": np.array([planned.kind.acute for planned in plan for _ in planned.devices], np.bool_),
        }
    )
    return frame.sort_values("device_id", ignore_index=True)


def _plan_kind(
    kind: FaultKind,
    devices: npt.NDArray[np.intp],
    *,
    start: datetime,
    end: datetime,
    timing: FaultTiming,
    rng: np.random.Generator,
) -> PlannedFaults:
    count = len(devices)
    span = (end - start) / timedelta(minutes=1)
    shortest, longest = (ramp / timedelta(minutes=1) for ramp in kind.ramp)
    earliest = timing.earliest_onset * span
    latest_full = timing.full_to * span
    # The earlier bound keeps room for at least the shortest ramp where the span has it.
    full_from = min(max(timing.full_from * span, earliest + shortest), latest_full)
    full = rng.uniform(full_from, latest_full, count)
    ramp = rng.uniform(shortest, np.clip(full - earliest, shortest, longest))
    onset = np.maximum(full - ramp, earliest)
    first = int(start.timestamp()) // 60
    onset_minute = first + np.round(onset).astype(np.int64)
    columns = [sensor.name for sensor in NUMERIC_SENSORS]
    own = [tuple(columns[i] for i in rng.permutation(len(columns))[: kind.own_sensors]) for _ in range(count)]
    return PlannedFaults(
        kind=kind,
        devices=devices,
        onset=onset_minute,
        full=onset_minute + np.round(ramp).astype(np.int64),
        sensors=tuple(kind.sensors or sensors for sensors in own),
    )


def _timestamps(minutes: MinuteArray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex((minutes * 60_000_000).astype("datetime64[us]")).tz_localize("UTC")

"""From a reading to the stored alert, while the window is full and files land every second.

``fridge-assets stream`` goes on where the replay of the history has ended. Then a file lands every second, first with
the readings that the fleet sends in a second, then, with event time running 30 times as fast, with those of 30 seconds.
A few devices in each file draw 46 A in one reading, each device only once, and each must become an alert.

The latency is the time from when the file is due, before it is written, to ``alert_created_at``, the moment of the
transaction that stores the alert. A file that is written late, because the machine does not keep up, counts from when
it was due. Targets at both rates, for 100,000 devices: every alert stored, 1 second in the median, 5 seconds for 99 of
100.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from rich.table import Table

from fridge_assets.settings import Settings
from fridge_assets.simulation.arrival import Arrivals
from fridge_assets.simulation.landing_files import write_readings
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets.streaming.observed import alert_id_of
from fridge_assets.streaming.rules import OVERLOAD
from fridge_assets_tests.benchmarks.hourly import CONSOLE
from fridge_assets_tests.benchmarks.stream_fleet import MINUTE, by_second_of_arrival
from fridge_assets_tests.benchmarks.stream_process import now, status_of, streaming, wait_until

SPEEDS = (1, 30)
"""How many times as fast as the fleet's event time runs."""
SECONDS = 60
ACUTE_PER_FILE = 5
MOST_MEDIAN, MOST_P99 = 1.0, 5.0
_AMPERES = 46.0
_PROMPT = 30_000_000
"""µs from a prompt reading to its arrival, at most."""
_LONGEST_WAIT = 30.0
"""Seconds that the last alerts may take before they count as missing."""

Planted = dict[str, datetime]
"""Id of an expected alert → when the file with its reading was due."""


@dataclass(frozen=True)
class Pace:
    """How the stream did at one speed.

    Args:
        speed: event time over actual time.
        readings: a second.
        latencies: seconds to each alert that was stored.
        missing: alerts that were not.
        write_seconds: the longest that the producer took to write a file.
    """

    speed: int
    readings: float
    latencies: Sequence[float]
    missing: int
    write_seconds: float

    def quantile(self, share: float) -> float:
        """The latency that ``share`` of the alerts do not exceed; infinite without alerts."""
        if not self.latencies:
            return float("inf")
        return float(np.quantile(self.latencies, share, method="inverted_cdf"))


def observe(settings: Settings, arrivals: Arrivals, start: datetime, seconds: int) -> list[Pace]:
    """Stream live at each speed.

    Args:
        settings: of a data folder whose history, up to ``start``, was streamed.
        arrivals: of the fleet; it is at ``start``.
        start: event time to go on from, a full minute.
        seconds: how long each speed is kept.
    """
    rng = np.random.default_rng(arrivals.fleet.seed)
    used: set[str] = set()
    prepared = []
    for speed in SPEEDS:
        pieces = by_second_of_arrival(arrivals, start, speed, seconds)
        prepared.append((speed, [plant(piece, used, rng) for piece in pieces]))
        start += -(-seconds * speed // 60) * MINUTE
    operations, paces = Operations(settings.operations_database), []
    began = now()
    with streaming(settings) as process:
        wait_until(settings, process, lambda: status_of(operations, began) is not None)
        CONSOLE.print(
            f"The stream was there again, state and registry read, after {(now() - began).total_seconds():.1f} s."
        )
        for speed, files in prepared:
            planted, longest = produce(settings, speed, files)
            deadline = time.monotonic() + _LONGEST_WAIT
            created: dict[str, datetime] = {}

            def all_stored() -> bool:
                created.update(created_alerts(operations, planted))  # noqa: B023 (called within the turn)
                return len(created) == len(planted) or time.monotonic() > deadline  # noqa: B023

            wait_until(settings, process, all_stored)
            latencies = [(created[key] - due).total_seconds() for key, due in planted.items() if key in created]
            rows = sum(len(readings) for readings, _ in files)
            paces.append(Pace(speed, rows / seconds, latencies, len(planted) - len(created), longest))
    return paces


def plant(
    readings: pa.Table, used: set[str], rng: np.random.Generator, most: int = ACUTE_PER_FILE
) -> tuple[pa.Table, list[str]]:
    """Let a few devices draw too much current in one reading, none of those that did before.

    Args:
        readings: of one landing file.
        used: devices that did; those of this file are added.
        rng: chooses.
        most: how many devices.

    Returns:
        The readings with those of the chosen devices changed, and the ids of the alerts that must come of them.
    """
    device_ids = readings["device_id"].to_pylist()
    measured, arrived = (
        readings[name].cast(pa.int64()).to_numpy() for name in ("timestamp_device", "timestamp_ingested")
    )
    prompt = (
        (arrived >= measured) & (arrived - measured < _PROMPT) & ~pc.is_null(readings["current_compressor"]).to_numpy()
    )
    chosen: list[int] = []
    for row in rng.permutation(np.flatnonzero(prompt)).tolist():
        if len(chosen) == most:
            break
        if device_ids[row] not in used:
            used.add(device_ids[row])
            chosen.append(row)
    current = readings["current_compressor"].to_numpy().copy()
    current[chosen] = _AMPERES
    column = readings.schema.get_field_index("current_compressor")
    changed = readings.set_column(column, readings.schema.field(column), pa.array(current, from_pandas=True))
    moments = readings["timestamp_device"].take(pa.array(chosen, pa.int64())).to_pylist()
    return changed, [
        alert_id_of(device_ids[row], OVERLOAD.name, moment) for row, moment in zip(chosen, moments, strict=True)
    ]


def produce(settings: Settings, speed: int, files: Iterable[tuple[pa.Table, Sequence[str]]]) -> tuple[Planted, float]:
    """Land a file every second; what was planted, and the longest that a file took to be written."""
    planted: Planted = {}
    longest = 0.0
    first = now() + timedelta(seconds=1)
    for number, (readings, alert_ids) in enumerate(files):
        due = first + timedelta(seconds=number)
        time.sleep(max((due - now()).total_seconds(), 0.0))
        began = time.perf_counter()
        write_readings(readings, settings.landing_dir / f"readings-live-{speed}-{number:04d}.parquet")
        longest = max(longest, time.perf_counter() - began)
        planted |= dict.fromkeys(alert_ids, due)
    return planted, longest


def created_alerts(operations: Operations, wanted: Planted) -> dict[str, datetime]:
    """Those of the ``wanted`` alerts that are stored, and when they were created."""
    with operations.read() as connection:
        rows = connection.execute(sa.select(device_alerts.c.alert_id, device_alerts.c.alert_created_at)).all()
    return {key: created.astimezone(UTC) for key, created in rows if key in wanted}


def misses(paces: Iterable[Pace]) -> list[str]:
    """The targets that were missed, in words."""
    missed = []
    for pace in paces:
        what = f"at {pace.speed} times the fleet's rate"
        if pace.missing:
            missed.append(f"{pace.missing} alerts were not stored {what}")
        for share, most in ((0.5, MOST_MEDIAN), (0.99, MOST_P99)):
            if pace.quantile(share) > most:
                missed.append(
                    f"{share:.0%} of the alerts took {pace.quantile(share):.2f} s {what}, the target is {most:g} s"
                )
    return missed


def report(paces: Sequence[Pace], devices: int) -> tuple[dict[str, Any], list[str]]:
    """Print the table; the results, and the targets that were missed."""
    table = Table(title=f"From a reading to the stored alert: {devices:,} devices, a file a second")
    for heading in ("speed", "readings/s", "alerts", "missing", "p50", "p99", "longest", "to write"):
        table.add_column(heading, justify="right")
    for pace in paces:
        seconds = (*(pace.quantile(share) for share in (0.5, 0.99, 1.0)), pace.write_seconds)
        counts = (f"{pace.readings:,.0f}", str(len(pace.latencies)), str(pace.missing))
        table.add_row(f"x {pace.speed}", *counts, *(f"{s:.2f} s" for s in seconds))
    CONSOLE.print(table)
    CONSOLE.print(f"Targets: none missing, p50 at most {MOST_MEDIAN:g} s, p99 at most {MOST_P99:g} s.")
    results = {
        f"x{pace.speed}": {
            "readings_per_second": round(pace.readings),
            "alerts": len(pace.latencies),
            "missing": pace.missing,
            "p50_seconds": round(pace.quantile(0.5), 3),
            "p99_seconds": round(pace.quantile(0.99), 3),
            "longest_seconds": round(pace.quantile(1.0), 3),
            "longest_write_seconds": round(pace.write_seconds, 3),
        }
        for pace in paces
    }
    return {"devices": devices, **results}, misses(paces)

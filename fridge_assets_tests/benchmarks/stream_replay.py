"""How fast the stream takes in what has landed, and that its memory stays flat once its window is full.

``fridge-assets stream --until-idle`` runs as the user would run it, in a process of its own, over landing files of a
minute of the fleet each: cleaning, deduplication, rules, checkpoints and stored alerts included. Targets at 100,000
devices: at least 200,000 readings a second on two cores from the first batch to the last, and in the last half hour of
event time at most 15 % more memory than ever before. What comes before the first batch, Python's start and the reading
of the registry and of a day of vibration, is printed apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psutil
from rich.table import Table

from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.benchmarks.hourly import CONSOLE, gib
from fridge_assets_tests.benchmarks.stream_process import log_of, now, status_of, stored_files, streaming, wait_until

FILLED_MINUTES = 60
"""By then the window is full: 33 minutes that the rules need, a quarter more that wait to be tidied away, a batch."""
AFTER_MINUTES = 30
LEAST_RATE = 200_000.0
MOST_GROWTH = 1.15


class Sample(NamedTuple):
    """What a process held at a moment, in bytes, and had computed by then, in seconds of one core."""

    at: datetime
    size: int
    cpu: float


@dataclass(frozen=True)
class Replay:
    """How a process has replayed a landing folder.

    Args:
        readings: that it took in.
        too_late: that came too late for it.
        onsets: that it has found.
        start_seconds: until the service was there, which is Python's start.
        ready_seconds: from there to the first batch.
        seconds: from the first batch to the last.
        cpu_seconds: that it computed in this time, on all cores together; does not depend on who else computes.
        filled: the most bytes it held from the first batch until the window was full.
        after: the most bytes it held from then on.
    """

    readings: int
    too_late: int
    onsets: int
    start_seconds: float
    ready_seconds: float
    seconds: float
    cpu_seconds: float
    filled: int
    after: int

    @property
    def rate(self) -> float:
        """Readings a second."""
        return self.readings / self.seconds

    @property
    def growth(self) -> float:
        """Most memory after the window was full over the most before."""
        return self.after / self.filled


def replay(settings: Settings, filled_files: int) -> Replay:
    """Stream all that has landed.

    Args:
        settings: of the data folder.
        filled_files: after so many landing files the window is full.
    """
    operations = Operations(settings.operations_database)
    operations.migrate()
    began = now()
    samples: list[Sample] = []
    first_batch: datetime | None = None
    with streaming(settings, "--until-idle") as process:
        watched = psutil.Process(process.pid)

        def ended() -> bool:
            nonlocal first_batch
            if process.poll() is not None:
                return True
            samples.append(Sample(now(), watched.memory_info().rss, sum(watched.cpu_times()[:2])))
            # The first pulse is told right before the first batch.
            if first_batch is None and (status := status_of(operations, began)) is not None:
                first_batch = status.beaten_at
            return False

        wait_until(settings, process, ended)
    status, stored = status_of(operations, began), stored_files(operations)
    assert status is not None
    assert first_batch is not None
    assert stored, log_of(settings).read_text()
    filled, after = peaks(samples, first_batch, stored[min(filled_files, len(stored)) - 1])
    computed = [sample.cpu for sample in samples if first_batch <= sample.at <= stored[-1]]
    return Replay(
        readings=status.readings,
        too_late=status.too_late,
        onsets=status.alerts,
        start_seconds=(status.started_at - began).total_seconds(),
        ready_seconds=(first_batch - status.started_at).total_seconds(),
        seconds=(stored[-1] - first_batch).total_seconds(),
        cpu_seconds=computed[-1] - computed[0],
        filled=filled,
        after=after,
    )


def peaks(samples: Sequence[Sample], first_batch: datetime, filled_at: datetime) -> tuple[int, int]:
    """The most bytes held from the first batch until the window was full, and from then on."""
    before = [sample.size for sample in samples if first_batch <= sample.at <= filled_at]
    after = [sample.size for sample in samples if sample.at > filled_at]
    return max(before), max(after, default=0)


def misses(replayed: Replay) -> list[str]:
    """The targets that were missed, in words."""
    missed = []
    if replayed.rate < LEAST_RATE:
        missed.append(f"{replayed.rate:,.0f} readings/s were taken in, the target is at least {LEAST_RATE:,.0f}")
    if replayed.growth >= MOST_GROWTH:
        missed.append(
            f"memory grew to {gib(replayed.after)} after the window was full, from {gib(replayed.filled)}; "
            f"the target is under {MOST_GROWTH:g} times as much"
        )
    return missed


def report(replayed: Replay, devices: int) -> tuple[dict[str, Any], list[str]]:
    """Print the table; the results, and the targets that were missed."""
    table = Table(title=f"Replay of {devices:,} devices, {replayed.readings:,} readings, as fast as it goes")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_row("Python's start", f"{replayed.start_seconds:.1f}")
    table.add_row("registry and a day of vibration", f"{replayed.ready_seconds:.1f}", end_section=True)
    table.add_row("first batch to last", f"{replayed.seconds:.1f}")
    table.add_row("computed meanwhile, all cores", f"{replayed.cpu_seconds:.1f}")
    CONSOLE.print(table)
    CONSOLE.print(
        f"{replayed.rate:,.0f} readings/s (target: at least {LEAST_RATE:,.0f}), {replayed.onsets} onsets, "
        f"{replayed.too_late:,} readings too late. Memory {gib(replayed.filled)} until the window was full, "
        f"then {gib(replayed.after)}, {replayed.growth:.2f} times (target: under {MOST_GROWTH:g}). "
        f"{psutil.cpu_count()} cores."
    )
    results = {
        "devices": devices,
        "readings": replayed.readings,
        "too_late": replayed.too_late,
        "onsets": replayed.onsets,
        "start_seconds": round(replayed.start_seconds, 1),
        "ready_seconds": round(replayed.ready_seconds, 1),
        "seconds": round(replayed.seconds, 1),
        "cpu_seconds": round(replayed.cpu_seconds, 1),
        "readings_per_second": round(replayed.rate),
        "filled_bytes": replayed.filled,
        "after_bytes": replayed.after,
    }
    return results, misses(replayed)

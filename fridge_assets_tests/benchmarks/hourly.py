"""One hourly cycle of a large fleet, from landing files to alerts and status, beside the same hour done plainly.

``python -m fridge_assets_tests.benchmarks.hourly [--devices N]``, about ten minutes on two cores.

Two hours of a simulated fleet: the first is ingested and trained on, which is not measured. Then the files of the
second hour land, late readings of the first among them, and ``fridge-assets run hourly`` runs as the user would run it,
in a process of its own: the real jobs, scoring steps in processes of theirs, Python's start included. Each run works on
a copy of the prepared data folder:

- *all at once*: the whole hour has landed when the cycle begins; run first and last, so that a busy machine shows;
- the same hour in pandas, and as a bare DuckDB script, between the two;
- *steady state*: the files land in twelfths, each but the last is taken in by ``run readings`` as the five-minute
  schedule does, and the hourly cycle finds them done.

Targets at 100,000 devices on two cores, and exit code 1 when one is missed: see ``TARGETS`` of this module.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import psutil
from rich.console import Console
from rich.table import Table

from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.running.environment import process_environment
from fridge_assets.running.instance import open_instance
from fridge_assets.settings import Settings
from fridge_assets.simulation import Fleet, mixed_faults, simulate_registry, write_fleet
from fridge_assets_tests.benchmarks.imports import print_imports
from fridge_assets_tests.benchmarks.measured import Measured, measure

DEVICES = 100_000
FAULTY = 0.02
SEED = 7
END = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CYCLE_MINUTE = timedelta(minutes=3)
TWELFTHS = 12
MINUTES_PER_FILE = 60 // TWELFTHS

MOST_SECONDS = 28.0
MOST_STEADY_SECONDS = 15.0
MOST_BYTES = 3 * 1024**3
LEAST_PANDAS_RATIO = 1.25
MOST_SCRIPT_RATIO = 1.8
TARGETS = (
    f"all at once in {MOST_SECONDS:g} s, in steady state in {MOST_STEADY_SECONDS:g} s, "
    f"in {MOST_BYTES / 1024**3:g} GiB, "
    f"pandas {LEAST_PANDAS_RATIO:g} times as long, the bare script no less than 1/{MOST_SCRIPT_RATIO:g}"
)

CONSOLE = Console()


@dataclass(frozen=True)
class Stage:
    """One step of a run, in seconds since the command started."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Cycle:
    """One hourly run.

    Args:
        measured: the command.
        stages: its steps.
        intakes: the ``run readings`` before it; none when everything landed at once.
    """

    measured: Measured
    stages: list[Stage]
    intakes: tuple[Measured, ...] = ()


def main() -> int:
    """Simulate, prepare, measure all, print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES, help="devices of the fleet")
    devices = parser.parse_args().devices
    with tempfile.TemporaryDirectory(prefix="fridge-hourly-") as temporary:
        folder = Path(temporary)
        prepared, hour = Settings(data_dir=folder / "prepared"), folder / "next hour"
        readings, seconds = simulate(prepared, devices, hour)
        CONSOLE.print(f"Simulated {devices:,} devices for 2 hours, {readings:,} readings, in {seconds:.0f} s.")
        trained = succeed(fridge_assets(prepared, "train", *HOURLY_FAMILIES, "--as-of", moment(END - HOUR)))
        CONSOLE.print(f"Prepared: ingested the first hour and trained on it in {trained.seconds:.0f} s.")
        first = all_at_once(prepared, hour, folder / "copy")
        sketch = plain("pandas_sketch", prepared, hour, folder / "pandas")
        script = plain("duckdb_script", prepared, hour, folder / "script")
        again = all_at_once(prepared, hour, folder / "copy")
        steady = in_steady_state(prepared, hour, folder / "copy")
    print_stages("all at once", first)
    print_stages("all at once, again", again)
    print_stages("in steady state", steady)
    print_plain("pandas", sketch)
    print_plain("a bare DuckDB script", script)
    print_imports(CONSOLE)
    print_summary(first, again, steady, sketch, script)
    missed = misses((first, again), steady, sketch, script)
    for line in missed:
        CONSOLE.print(f"[red]Missed:[/red] {line}")
    return 1 if missed else 0


def all_at_once(prepared: Settings, hour: Path, copy: Path) -> Cycle:
    """The cycle of an hour that has landed as a whole, on a copy of the prepared folder."""
    with copied(prepared, copy) as settings:
        land(settings, sorted(hour.iterdir()))
        return hourly_run(settings)


def in_steady_state(prepared: Settings, hour: Path, copy: Path) -> Cycle:
    """The cycle of an hour that was taken in every five minutes, on a copy of the prepared folder."""
    files = sorted(hour.iterdir())
    edges = [len(files) * number // TWELFTHS for number in range(TWELFTHS + 1)]
    intakes = []
    with copied(prepared, copy) as settings:
        for number, (start, stop) in enumerate(pairwise(edges), 1):
            land(settings, files[start:stop])
            if number < TWELFTHS:
                at = (END - HOUR + number * HOUR / TWELFTHS).isoformat()
                intakes.append(succeed(fridge_assets(settings, "run", "readings", "--as-of", at)))
        cycle = hourly_run(settings)
    return Cycle(cycle.measured, cycle.stages, tuple(intakes))


def hourly_run(settings: Settings) -> Cycle:
    """Run the hourly cycle at the end of the hour."""
    started = time.time()
    measured = succeed(fridge_assets(settings, "run", "hourly", "--as-of", moment(END)))
    return Cycle(measured, stages_since(settings, started))


def plain(module: str, settings: Settings, hour: Path, results: Path) -> Measured:
    """The hour as one of the plain versions does it, in a process of its own."""
    results.mkdir()
    files = map(str, sorted(hour.iterdir()))
    command = [sys.executable, "-m", f"fridge_assets_tests.benchmarks.{module}", "--now", moment(END)]
    return succeed(measure([*command, "--out", str(results), *files], process_environment(settings)))


@contextmanager
def copied(prepared: Settings, copy: Path) -> Iterator[Settings]:
    """A copy of the prepared data folder, removed at the end; file times stay, so that nothing looks new."""
    shutil.copytree(prepared.root, copy)
    yield Settings(data_dir=copy)
    shutil.rmtree(copy)


def simulate(settings: Settings, devices: int, next_hour: Path, seed: int = SEED) -> tuple[int, float]:
    """Write two hours into landing and move the files of the second to ``next_hour``; readings written, seconds."""
    started = time.perf_counter()
    fleet = Fleet(simulate_registry(devices, seed), seed, END - 2 * HOUR, END, mixed_faults(FAULTY))
    root = settings.root
    written = write_fleet(
        fleet,
        settings.landing_dir,
        root / "device_registry.csv",
        root / "ground_truth.parquet",
        rows_per_file=devices * MINUTES_PER_FILE,
    )
    seconds = time.perf_counter() - started
    next_hour.mkdir()
    for file in sorted(settings.landing_dir.glob("*.parquet")):
        if file.name >= f"readings-{END - HOUR:%Y%m%dT%H%MZ}":
            file.rename(next_hour / file.name)
    return written.readings, seconds


def land(settings: Settings, files: Sequence[Path]) -> None:
    """Deliver ``files`` of the second hour; the originals stay for the next run."""
    for file in files:
        shutil.copy2(file, settings.landing_dir / file.name)


def moment(end: datetime) -> str:
    """When the cycle after ``end`` runs."""
    return (end + CYCLE_MINUTE).isoformat()


def fridge_assets(settings: Settings, *command: str) -> Measured:
    """Run a command of the product."""
    program = "from fridge_assets.cli import main; main()"
    arguments = [sys.executable, "-c", program, "--data-dir", str(settings.root), *command]
    return measure(arguments, process_environment(settings))


def succeed(measured: Measured) -> Measured:
    """``measured``, or the end of the benchmark when the command failed."""
    if measured.exit_code != 0:
        sys.exit(f"A command failed ({measured.exit_code}):\n{measured.output}\n{measured.errors}")
    return measured


def stages_since(settings: Settings, started: float) -> list[Stage]:
    """The steps that Dagster recorded since ``started``, in order of their start."""
    with open_instance(settings) as instance:
        records = instance.get_run_records(dg.RunsFilter(created_after=datetime.fromtimestamp(started, UTC)))
        steps = [step for record in records for step in instance.get_run_step_stats(record.dagster_run.run_id)]
    stages = [
        Stage(step.step_key, step.start_time - started, step.end_time - started)
        for step in steps
        if step.start_time is not None and step.end_time is not None
    ]
    return sorted(stages, key=lambda stage: stage.start)


def overhead(cycle: Cycle) -> float:
    """Seconds in which no step ran: Python's and Dagster's start, and the way from step to step."""
    busy, reached = 0.0, 0.0
    for stage in cycle.stages:
        busy += max(stage.end - max(stage.start, reached), 0.0)
        reached = max(reached, stage.end)
    return cycle.measured.seconds - busy


def print_stages(title: str, cycle: Cycle, command: str = "run hourly") -> None:
    """Print the steps of a run."""
    table = Table(title=f"One cycle, {title}: landing files to alerts and status")
    table.add_column("stage")
    table.add_column("begins at", justify="right")
    table.add_column("seconds", justify="right")
    for stage in cycle.stages:
        table.add_row(stage.name, f"{stage.start:.1f}", f"{stage.end - stage.start:.1f}")
    table.add_row("overhead (no step running)", "", f"{overhead(cycle):.1f}", end_section=True)
    table.add_row(f"fridge-assets {command}", "", f"{cycle.measured.seconds:.1f}")
    for intake in cycle.intakes:
        table.add_row("fridge-assets run readings", "", f"{intake.seconds:.1f}")
    CONSOLE.print(table)


def print_plain(title: str, measured: Measured) -> None:
    """Print the stages of a plain version."""
    outcome = json.loads(measured.output)
    table = Table(title=f"The same hour in {title}: {outcome['scored']:,} devices scored, {outcome['alerts']:,} alerts")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for name, seconds in outcome["stages"].items():
        table.add_row(name, f"{seconds:.1f}")
    table.add_row("Python's start", f"{measured.seconds - sum(outcome['stages'].values()):.1f}", end_section=True)
    table.add_row(title, f"{measured.seconds:.1f}")
    CONSOLE.print(table)


def print_summary(first: Cycle, again: Cycle, steady: Cycle, sketch: Measured, script: Measured) -> None:
    """Print all of them in one table, and the ratios."""
    table = Table(title=f"An hour of readings, {psutil.cpu_count()} cores; targets: {TARGETS}")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("peak", justify="right")
    rows = {
        "all at once": first.measured,
        "pandas": sketch,
        "bare DuckDB script": script,
        "all at once, again": again.measured,
        "in steady state": steady.measured,
    }
    for name, measured in rows.items():
        table.add_row(name, f"{measured.seconds:.1f}", gib(measured.peak_bytes))
    CONSOLE.print(table)
    ours = min(first.measured.seconds, again.measured.seconds)
    CONSOLE.print(
        f"The faster of the two: pandas takes {sketch.seconds / ours:.2f} times as long, the bare script "
        f"{script.seconds / ours:.2f} times; the two differ by "
        f"{abs(first.measured.seconds - again.measured.seconds) / ours:.0%}."
    )


def misses(cycles: tuple[Cycle, ...], steady: Cycle, sketch: Measured, script: Measured) -> list[str]:
    """The targets that were missed, in words."""
    seconds = min(cycle.measured.seconds for cycle in cycles)
    peak = max(cycle.measured.peak_bytes for cycle in (*cycles, steady))
    missed = []
    if seconds > MOST_SECONDS:
        missed.append(f"all at once it took {seconds:.1f} s, the target is {MOST_SECONDS:g} s")
    if steady.measured.seconds > MOST_STEADY_SECONDS:
        missed.append(
            f"in steady state it took {steady.measured.seconds:.1f} s, the target is {MOST_STEADY_SECONDS:g} s"
        )
    if peak > MOST_BYTES:
        missed.append(f"it held {gib(peak)}, the target is {gib(MOST_BYTES)}")
    if sketch.seconds < LEAST_PANDAS_RATIO * seconds:
        missed.append(
            f"pandas takes {sketch.seconds / seconds:.2f} times as long, the target is {LEAST_PANDAS_RATIO:g}"
        )
    if seconds > MOST_SCRIPT_RATIO * script.seconds:
        missed.append(
            f"it takes {seconds / script.seconds:.2f} times as long as the bare script, the target is "
            f"{MOST_SCRIPT_RATIO:g}"
        )
    return missed


def gib(size: int) -> str:
    """A size in GiB."""
    return f"{size / 1024**3:.2f} GiB"


if __name__ == "__main__":
    sys.exit(main())

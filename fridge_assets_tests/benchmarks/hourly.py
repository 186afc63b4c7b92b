"""One hourly cycle of a large fleet, from landing files to alerts and status, beside the same work in two scripts.

``python -m fridge_assets_tests.benchmarks.hourly [--devices N]``, three to five minutes on two cores.

Two hours of a simulated fleet: the first is ingested and trained on, which is not measured. Then the files of the
second hour land, late readings of the first among them, and ``fridge-assets run hourly`` runs as the user would run
it, in a process of its own: the real jobs, scoring steps in processes of theirs, Python's start included. The same hour
goes through a sketch in pandas and a bare DuckDB script, and through the product once more on a copy of the folder: two
times that lie apart say that the machine had other work to do. Targets at 100,000 devices on two cores, and exit code 1
when one is missed: see the constants below.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
from rich.console import Console
from rich.table import Table

from fridge_assets.automation.environment import process_environment
from fridge_assets.automation.instance import open_instance
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.settings import Settings
from fridge_assets.simulation import Fleet, mixed_faults, simulate_registry, write_fleet
from fridge_assets_tests.benchmarks.measured import Measured, measure

DEVICES = 100_000
FAULTY = 0.02
SEED = 7
END = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CYCLE_MINUTE = timedelta(minutes=3)
MOST_SECONDS = 28.0
MOST_BYTES = 3 * 1024**3
LEAST_PANDAS = 1.25
"""Times as long as the product that the sketch in pandas takes."""
MOST_BARE = 1.8
"""Times as long as the bare script that the product takes."""
APART = 0.1
"""Two times of the same work further apart than this share say that the machine was busy."""
IMPORTS = ("duckdb", "pandas", "sklearn.ensemble", "great_expectations", "dagster", "fridge_assets.definitions")
"""What a process of the cycle pays for before it works."""

CONSOLE = Console()


@dataclass(frozen=True)
class Stage:
    """One step of a run, in seconds since the command started."""

    name: str
    start: float
    end: float


def main() -> int:
    """Simulate, prepare, measure both, print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES, help="devices of the fleet")
    devices = parser.parse_args().devices
    with tempfile.TemporaryDirectory(prefix="fridge-hourly-") as folder:
        settings = Settings(data_dir=Path(folder) / "data")
        readings, seconds = simulate(settings, devices, Path(folder) / "next hour")
        CONSOLE.print(f"Simulated {devices:,} devices for 2 hours, {readings:,} readings, in {seconds:.0f} s.")
        prepared = succeed(fridge_assets(settings, "train", *HOURLY_FAMILIES, "--as-of", moment(END - HOUR)))
        CONSOLE.print(f"Prepared: ingested the first hour and trained on it in {prepared.seconds:.0f} s.")
        files = land(settings, Path(folder) / "next hour")
        again = Settings(data_dir=Path(folder) / "again")
        shutil.copytree(settings.root, again.root)
        started = time.time()
        ours = succeed(fridge_assets(settings, "run", "hourly", "--as-of", moment(END)))
        stages = stages_since(settings, started)
        sketch = script(settings, files, "pandas_sketch", Path(folder))
        bare = script(settings, files, "bare_duckdb", Path(folder))
        second = succeed(fridge_assets(again, "run", "hourly", "--as-of", moment(END)))
    report(ours, second, stages, {"pandas": sketch, "bare DuckDB": bare})
    missed = misses(ours, sketch, bare)
    for line in missed:
        CONSOLE.print(f"[red]Missed:[/red] {line}")
    return 1 if missed else 0


def simulate(settings: Settings, devices: int, next_hour: Path, seed: int = SEED) -> tuple[int, float]:
    """Write two hours into landing and move the files of the second to ``next_hour``; readings written, seconds."""
    started = time.perf_counter()
    fleet = Fleet(simulate_registry(devices, seed), seed, END - 2 * HOUR, END, mixed_faults(FAULTY))
    root = settings.root
    written = write_fleet(fleet, settings.landing_dir, root / "device_registry.csv", root / "ground_truth.parquet")
    seconds = time.perf_counter() - started
    next_hour.mkdir()
    for file in sorted(settings.landing_dir.glob("*.parquet")):
        if file.name >= f"readings-{END - HOUR:%Y%m%dT%H%MZ}":
            file.rename(next_hour / file.name)
    return written.readings, seconds


def land(settings: Settings, next_hour: Path) -> list[Path]:
    """Deliver the files of the second hour."""
    return [file.rename(settings.landing_dir / file.name) for file in sorted(next_hour.iterdir())]


def script(settings: Settings, files: list[Path], module: str, folder: Path) -> Measured:
    """The same hour by a script of this package."""
    results = folder / module
    results.mkdir()
    name = f"fridge_assets_tests.benchmarks.{module}"
    command = [sys.executable, "-m", name, "--now", moment(END), "--out", str(results), *map(str, files)]
    return succeed(measure(command, process_environment(settings)))


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


def overhead(ours: Measured, stages: list[Stage]) -> float:
    """Seconds in which no step ran: Python's and Dagster's start, and the way from step to step."""
    busy, reached = 0.0, 0.0
    for stage in stages:
        busy += max(stage.end - max(stage.start, reached), 0.0)
        reached = max(reached, stage.end)
    return ours.seconds - busy


def report(ours: Measured, second: Measured, stages: list[Stage], scripts: dict[str, Measured]) -> None:
    """Print all of them, stage by stage."""
    table = Table(title="One hourly cycle: landing files to alerts and status")
    table.add_column("stage")
    table.add_column("begins at", justify="right")
    table.add_column("seconds", justify="right")
    for stage in stages:
        table.add_row(stage.name, f"{stage.start:.1f}", f"{stage.end - stage.start:.1f}")
    table.add_row("overhead (no step running)", "", f"{overhead(ours, stages):.1f}", end_section=True)
    table.add_row("fridge-assets run hourly", "", f"{ours.seconds:.1f}")
    CONSOLE.print(table)

    for name, measured in scripts.items():
        outcome = json.loads(measured.output)
        other = Table(
            title=f"The same hour in {name}: {outcome['scored']:,} devices scored, {outcome['alerts']:,} alerts"
        )
        other.add_column("stage")
        other.add_column("seconds", justify="right")
        for stage_name, seconds in outcome["stages"].items():
            other.add_row(stage_name, f"{seconds:.1f}")
        other.add_row("Python's start", f"{measured.seconds - sum(outcome['stages'].values()):.1f}", end_section=True)
        other.add_row(name, f"{measured.seconds:.1f}")
        CONSOLE.print(other)
    imports = Table(title="What a process pays before it works")
    imports.add_column("import")
    imports.add_column("seconds", justify="right")
    for name in IMPORTS:
        imports.add_row(
            name, f"{succeed(measure([sys.executable, '-c', f'import {name}'], dict(os.environ))).seconds:.1f}"
        )
    CONSOLE.print(imports)

    CONSOLE.print(
        f"fridge-assets: {ours.seconds:.1f} s and again {second.seconds:.1f} s, peak {gib(ours.peak_bytes)} · "
        + " · ".join(
            f"{name}: {measured.seconds:.1f} s, peak {gib(measured.peak_bytes)}, ratio to fridge-assets: time "
            f"{measured.seconds / ours.seconds:.2f}, memory {measured.peak_bytes / ours.peak_bytes:.2f}"
            for name, measured in scripts.items()
        )
        + f" · {psutil.cpu_count()} cores"
    )
    if abs(second.seconds - ours.seconds) > APART * ours.seconds:
        CONSOLE.print("[yellow]The machine was busy:[/yellow] the same cycle took two different times.")


def misses(ours: Measured, sketch: Measured, bare: Measured) -> list[str]:
    """The targets that were missed, in words."""
    missed = []
    if ours.seconds >= MOST_SECONDS:
        missed.append(f"the cycle took {ours.seconds:.1f} s, the target is under {MOST_SECONDS:g} s")
    if ours.peak_bytes >= MOST_BYTES:
        missed.append(f"it held {gib(ours.peak_bytes)}, the target is under {gib(MOST_BYTES)}")
    if sketch.seconds < LEAST_PANDAS * ours.seconds:
        missed.append(f"the sketch in pandas took {sketch.seconds:.1f} s, less than {LEAST_PANDAS:g} times as long")
    if ours.seconds > MOST_BARE * bare.seconds:
        missed.append(f"the bare script took {bare.seconds:.1f} s, the cycle more than {MOST_BARE:g} times as long")
    return missed


def gib(size: int) -> str:
    """A size in GiB."""
    return f"{size / 1024**3:.2f} GiB"


if __name__ == "__main__":
    sys.exit(main())

"""The command line as processes of their own, ended by their process group."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from fridge_assets_tests.scenarios.small_fleet import Place, hour

NOTHING_DUE = {
    "FRIDGE_STALENESS__STALE": "P9997D",
    "FRIDGE_STALENESS__VERY_STALE": "P9998D",
    "FRIDGE_STALENESS__EXPIRED": "P9999D",
    "FRIDGE_STALENESS__FIRST_SCORING": "P9999D",
}
"""Variables of a daemon that starts no run by itself: scores do not grow old, and the rules wait for the first ones."""

_PROGRAM = [sys.executable, "-c", "from fridge_assets.cli import main; main()"]

_PATIENCE = 240.0
"""Seconds after which what has not happened never will, on a machine with other work to do."""


@contextmanager
def started(place: Place, *words: str) -> Iterator[subprocess.Popen[str]]:
    """``fridge-assets --data-dir PLACE WORDS…`` in a process group of its own, which ends with the block."""
    process = subprocess.Popen(
        [*_PROGRAM, "--data-dir", str(place.root), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)


@contextmanager
def replaying(place: Place, number: int) -> Iterator[subprocess.Popen[str]]:
    """The hourly cycle of the window that ends at ``hour(number)``, all of it in one process of its own."""
    moment = hour(number).isoformat()
    with started(place, "replay", "--from", moment, "--to", moment, "--into-live", "--yes") as process:
        yield process


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end of a process; its exit code, standard output and standard error."""
    out, error = process.communicate(timeout=_PATIENCE)
    return process.returncode, out, error


def complaints(error: str) -> list[str]:
    """Lines of standard error, but for those about runs that wait for each other, as they should."""
    return [line for line in error.splitlines() if "waits for the pool" not in line]


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL the process and all it started, as the kernel does when memory runs out."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=_PATIENCE)


def wait_for_step(instance: dg.DagsterInstance, step: str, process: subprocess.Popen[str]) -> None:
    """Return as soon as a run that is under way has started ``step``."""
    _wait_for(instance, dg.DagsterEventType.STEP_START, step, process)


def wait_for_worker(instance: dg.DagsterInstance, step: str, process: subprocess.Popen[str]) -> int:
    """Id of the process that a run which is under way has started for ``step``, as soon as there is one."""
    event = _wait_for(instance, dg.DagsterEventType.STEP_WORKER_STARTED, step, process)
    return int(event.engine_event_data.metadata["pid"].value)


def _wait_for(
    instance: dg.DagsterInstance, kind: dg.DagsterEventType, step: str, process: subprocess.Popen[str]
) -> dg.DagsterEvent:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]), limit=1):
            for entry in instance.all_logs(run.run_id, of_type=kind):
                if entry.dagster_event is not None and entry.dagster_event.step_key == step:
                    return entry.dagster_event
        time.sleep(0.02)
    raise AssertionError(f"{step} did not start within {_PATIENCE:g} s")

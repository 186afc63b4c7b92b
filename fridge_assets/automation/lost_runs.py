"""Runs whose program was killed: they end as failures, so that the next run does not wait for their pools."""

import fcntl
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from fridge_assets.stores.files import is_locked, writable_folder

LAUNCH_TAG = "fridge/launch"
"""Tag of a run that a program runs to its end: the launch whose lock that program holds."""

_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@contextmanager
def launch(instance: dg.DagsterInstance) -> Iterator[dict[str, str]]:
    """Yield the tags of a run that this program runs to its end within the block.

    The launch is a file that stays locked for as long as the program lives: the operating system lets go of the
    lock however the program ends, and a process id would be given away again.
    """
    name = uuid.uuid4().hex
    writable_folder(_locks(instance))
    path = _lock(instance, name)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield {LAUNCH_TAG: name}
        finally:
            path.unlink()


def unfinished_runs(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Runs that have been started and have not ended."""
    return instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))


def lost_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Unfinished runs whose program no longer lives.

    Runs that Dagster's daemon launched are none of ours: its run monitoring ends them.
    """
    launched = [(run, run.tags.get(LAUNCH_TAG)) for run in unfinished_runs(instance)]
    return [run for run, name in launched if name is not None and not is_locked(_lock(instance, name))]


def end_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs whose program no longer lives and free the pools they held; returns their ids."""
    lost = lost_runs(instance)
    for run in lost:
        instance.report_run_failed(run, "The program that ran it was killed; what it had committed stays.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        _lock(instance, run.tags[LAUNCH_TAG]).unlink(missing_ok=True)
    return [run.run_id for run in lost]


def unused_locks(instance: dg.DagsterInstance) -> list[Path]:
    """Locks of launches that no living program holds and no unfinished run names."""
    named = {_lock(instance, run.tags.get(LAUNCH_TAG, "")) for run in unfinished_runs(instance)}
    return [path for path in sorted(_locks(instance).glob("*.lock")) if path not in named and not is_locked(path)]


def _locks(instance: dg.DagsterInstance) -> Path:
    return Path(instance.root_directory) / "launches"


def _lock(instance: dg.DagsterInstance, name: str) -> Path:
    return _locks(instance) / f"{name}.lock"

"""Runs whose program was killed: they end as failures, so that the next run does not wait for their pools."""

import fcntl
import uuid
from collections.abc import Iterator
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
    path = _lock(instance, name)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield {LAUNCH_TAG: name}
        finally:
            path.unlink()


def end_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs whose program no longer lives and free the pools they held; returns their ids.

    Runs that Dagster's daemon launched are none of ours: its run monitoring ends them.
    """
    lost = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        name = run.tags.get(LAUNCH_TAG)
        if name is not None and not is_locked(_lock(instance, name)):
            instance.report_run_failed(run, "The program that ran it was killed; what it had committed stays.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            _lock(instance, name).unlink(missing_ok=True)
            lost.append(run.run_id)
    return lost


def _lock(instance: dg.DagsterInstance, name: str) -> Path:
    return writable_folder(Path(instance.root_directory) / "launches") / f"{name}.lock"

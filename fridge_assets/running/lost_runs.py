"""Runs that no program works on any more: they end, and what they hold is freed, so that the next run does not wait.

Every run is held by the program that executes it, as a launch. That tells a run that goes on from one whose program
was killed, whoever started it.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from fridge_assets.running.fork_server import end_steps
from fridge_assets.running.launches import Launches
from fridge_assets.running.pools import Slot, call_next, slots
from fridge_assets.running.run_history import history_kept_open

LAUNCH_TAG = "fridge/launch"
"""Tag of a run that a program starts and runs to its end: the launch that the program holds all that time."""

_DELETED = "deleted"

_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class HeldSlot:
    """A place in a pool, or in its queue, that no program makes use of any more: others wait for it in vain.

    Args:
        slot: the place.
        job: job of the run; None if the run was deleted.
        ended: how the run ended, 'deleted', or 'lost' while it is recorded as going on.
    """

    slot: Slot
    job: str | None
    ended: str

    def __str__(self) -> str:
        what = "queues for" if self.slot.waits else "holds"
        return f"{self.slot.step} of {self.job or 'a run'} ({self.slot.run_id}, {self.ended}) {what} {self.slot.pool}"


@contextmanager
def launch(instance: dg.DagsterInstance) -> Iterator[dict[str, str]]:
    """Yield the tags of a run that this program runs to its end within the block.

    When the block is left, nothing of that run is left: unless it has ended, it is cancelled, and its pools are free.
    """
    name = uuid.uuid4().hex

    def runs() -> list[dg.DagsterRun]:
        return list(instance.get_runs(dg.RunsFilter(tags={LAUNCH_TAG: name})))

    with _launches(instance).hold(name), history_kept_open():
        try:
            yield {LAUNCH_TAG: name}
        except BaseException:
            for run in runs():
                if not run.is_finished:
                    instance.report_run_canceling(run, "The program was interrupted; what it had committed stays.")
            end_steps()
            raise
        finally:
            for run in runs():
                if not run.is_finished:
                    instance.report_run_canceled(run)
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


@contextmanager
def execution(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[None]:
    """This process executes the steps of ``run`` within the block, and gives back their pools at its end."""
    held = nullcontext() if LAUNCH_TAG in run.tags else _launches(instance).hold(run.run_id)
    with held, history_kept_open():
        try:
            yield
        finally:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def unfinished_runs(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Runs that have been started and have not ended."""
    return instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))


def lost_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Unfinished runs whose program was killed.

    A run that Dagster has launched, but whose process has not come to its first step, is none of ours: it holds
    nothing, and Dagster's run monitoring ends it.
    """
    return [run for run in unfinished_runs(instance) if _is_lost(instance, run)]


def end_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs whose program was killed, as failures, and free the pools they held; returns their ids."""
    lost = lost_runs(instance)
    for run in lost:
        instance.report_run_failed(run, "The program that ran it was killed; what it had committed stays.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in lost]


def unused_locks(instance: dg.DagsterInstance) -> list[Path]:
    """Files of launches whose program was killed."""
    return _launches(instance).dead()


def held_slots(instance: dg.DagsterInstance) -> list[HeldSlot]:
    """Places in pools that runs hold although no program works on them; changes nothing."""
    held = []
    runs: dict[str, dg.DagsterRun | None] = {}
    for slot in slots(instance):
        if slot.run_id not in runs:
            runs[slot.run_id] = instance.get_run_by_id(slot.run_id)
        run = runs[slot.run_id]
        if run is None:
            held.append(HeldSlot(slot, None, _DELETED))
        elif run.is_finished and not _is_alive(instance, run):
            held.append(HeldSlot(slot, run.job_name, run.status.value.lower()))
        elif not run.is_finished and _is_lost(instance, run):
            held.append(HeldSlot(slot, run.job_name, "lost"))
    return held


def free_held_slots(instance: dg.DagsterInstance) -> list[HeldSlot]:
    """End lost runs, free what no program makes use of and let those go on who wait for it.

    Returns:
        What was held.
    """
    held = held_slots(instance)
    end_lost_runs(instance)
    for run_id in {one.slot.run_id for one in held}:
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    call_next(instance)
    for left_behind in unused_locks(instance):
        left_behind.unlink(missing_ok=True)
    return held


def _is_lost(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    launches, launched = _launches(instance), run.tags.get(LAUNCH_TAG)
    if launched is not None:
        return not launches.is_alive(launched)
    return launches.was_killed(run.run_id)


def _is_alive(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a program works on a run, which may be recorded as ended meanwhile."""
    launches = _launches(instance)
    return any(launches.is_alive(name) for name in (run.run_id, run.tags.get(LAUNCH_TAG)) if name is not None)


def _launches(instance: dg.DagsterInstance) -> Launches:
    return Launches(Path(instance.root_directory) / "launches")

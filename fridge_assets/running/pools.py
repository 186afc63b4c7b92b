"""Dagster's pools: which step holds one, and who waits for it."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from fridge_assets.steps.dagster_internals import ConcurrencyKeyInfo, SqlEventLogStorage

_ID_SHOWN = 8


@dataclass(frozen=True)
class Slot:
    """A step's place in a pool.

    Args:
        pool: name of the pool.
        step: the step.
        run_id: its run.
        waits: whether the step still waits in the queue; otherwise it holds the pool.
    """

    pool: str
    step: str
    run_id: str
    waits: bool


def slots(instance: dg.DagsterInstance) -> list[Slot]:
    """Every place that is taken in a pool or in its queue."""
    return [slot for pool, info in _pools(instance).items() for slot in _slots_of(pool, info)]


def holders(instance: dg.DagsterInstance, pool: str) -> list[Slot]:
    """The steps that hold a pool."""
    info = instance.event_log_storage.get_concurrency_info(pool)
    return [slot for slot in _slots_of(pool, info) if not slot.waits]


def call_next(instance: dg.DagsterInstance) -> None:
    """Call the next waiting step of each pool that has a free place and has called nobody.

    Dagster calls the next one when a place is given back; a program that is killed between the two calls nobody.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return  # another store has no queue that a program calls the next one of
    for pool, info in _pools(instance).items():
        if info.pending_step_count and info.assigned_step_count < info.slot_count:
            storage.assign_pending_steps([pool])


def describe_holders(instance: dg.DagsterInstance, pool: str) -> str:
    """Who holds a pool, in words for whoever waits for it."""
    words = []
    for slot in holders(instance, pool):
        run = instance.get_run_by_id(slot.run_id)
        job = "a run that was deleted" if run is None else f"{run.job_name}, run {slot.run_id[:_ID_SHOWN]}"
        words.append(f"{slot.step} of {job}")
    return " and ".join(words) or "nobody any more"


def _pools(instance: dg.DagsterInstance) -> Mapping[str, ConcurrencyKeyInfo]:
    storage = instance.event_log_storage
    return storage.get_concurrency_infos(sorted(storage.get_concurrency_keys()))


def _slots_of(pool: str, info: ConcurrencyKeyInfo) -> list[Slot]:
    held = {(claimed.run_id, claimed.step_key) for claimed in info.claimed_slots}
    queued = {(pending.run_id, pending.step_key) for pending in info.pending_steps} - held
    return [
        *(Slot(pool, step, run_id, waits=False) for run_id, step in sorted(held)),
        *(Slot(pool, step, run_id, waits=True) for run_id, step in sorted(queued)),
    ]

"""A run whose program was killed or interrupted ends, and holds no pool against those who come after it."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

import fridge_assets.definitions
from fridge_assets.automation.launch import clock_config, run_job
from fridge_assets.running.executors import PatientClaims
from fridge_assets.running.lost_runs import (
    LAUNCH_TAG,
    end_lost_runs,
    execution,
    free_held_slots,
    held_slots,
    launch,
)
from fridge_assets.running.pools import holders
from fridge_assets.running.stopping import Stopped, stop_on_signals
from fridge_assets_tests.scenarios.small_fleet import cycle_time, graph_of, settings_of

POOL, STEP = "alerts", "device_alerts"
_PATIENCE = 60.0


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """The graph over an empty data folder."""
    with graph_of(settings_of(tmp_path / "data")) as instance:
        yield instance


def test_a_run_whose_program_was_killed_ends_as_a_failure_and_frees_its_pool(instance: dg.DagsterInstance) -> None:
    run = killed(instance, lambda: launched_run(instance))
    assert [(one.slot.pool, one.slot.step, one.ended) for one in held_slots(instance)] == [(POOL, STEP, "lost")]
    free_held_slots(instance)
    assert instance.get_run_by_id(run).status == dg.DagsterRunStatus.FAILURE
    assert (held_slots(instance), holders(instance, POOL), files(instance)) == ([], [], [])


def test_a_killed_run_that_the_daemon_had_launched_ends_as_well(instance: dg.DagsterInstance) -> None:
    run = killed(instance, lambda: executed_run(instance))
    assert end_lost_runs(instance) == [run]
    free_held_slots(instance)
    assert (holders(instance, POOL), files(instance)) == ([], [])


def test_a_run_whose_program_lives_is_left_alone(instance: dg.DagsterInstance) -> None:
    with launch(instance) as tags:
        run = started_run(instance, tags)
        claim(instance, run)
        assert free_held_slots(instance) == []
        assert [slot.run_id for slot in holders(instance, POOL)] == [run.run_id]
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.CANCELED, "nobody works on it any more"
    assert (holders(instance, POOL), files(instance)) == ([], [])


def test_a_run_that_has_not_come_to_its_first_step_is_left_to_the_monitoring_of_dagster(
    instance: dg.DagsterInstance,
) -> None:
    run = started_run(instance, {})
    assert end_lost_runs(instance) == []
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.STARTED


@pytest.mark.parametrize("ended", ["report_run_failed", "report_run_canceled"])
def test_a_pool_that_an_ended_run_has_kept_is_named_and_freed(instance: dg.DagsterInstance, ended: str) -> None:
    run = started_run(instance, {})
    claim(instance, run)
    getattr(instance, ended)(run)
    (held,) = held_slots(instance)
    status = instance.get_run_by_id(run.run_id).status.value.lower()
    assert str(held) == f"{STEP} of publish ({run.run_id}, {status}) holds {POOL}"
    assert free_held_slots(instance) == [held]
    assert holders(instance, POOL) == []


def test_a_place_in_the_queue_of_a_killed_run_is_given_to_the_next_one(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    holds, dead, next_one = (started_run(instance, {}) for _ in range(3))
    claim(instance, holds)
    for waiting, priority in ((dead, 1), (next_one, 0)):
        assert not storage.claim_concurrency_slot(POOL, waiting.run_id, STEP, priority).is_claimed
    storage.free_concurrency_slots_for_run(holds.run_id)
    instance.report_run_failed(dead)
    assert not storage.claim_concurrency_slot(POOL, next_one.run_id, STEP).is_claimed, "it is the turn of the dead one"
    free_held_slots(instance)
    assert storage.claim_concurrency_slot(POOL, next_one.run_id, STEP).is_claimed


@pytest.mark.usefixtures("signals")
def test_a_run_that_waits_says_for_whom_and_ends_at_once_when_it_is_asked_to(
    instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    stop_on_signals()
    caplog.set_level(logging.WARNING, "fridge_assets")
    with launch(instance) as tags:
        holder = started_run(instance, tags)
        claim(instance, holder, pool="model_scores", step="model_scores")
        pool = "model_scores"
        asked_at: list[float] = []

        def interrupt() -> None:
            wait_until(lambda: any("waits for the pool" in said for said in caplog.messages))
            asked_at.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(Stopped):
            run_job(instance, "publish", clock_config(cycle_time(7)), in_process=True)
        took = time.monotonic() - asked_at[0]
        thread.join()
        assert took < 10
        (said,) = caplog.messages
        assert said == (
            f"model_scores waits for the pool {pool}, which is held by model_scores of publish, run "
            f"{holder.run_id[:8]}."
        )
        (waited,) = [run for run in instance.get_runs() if run.run_id != holder.run_id]
        assert waited.status == dg.DagsterRunStatus.CANCELED
        log = [entry.dagster_event.message for entry in instance.all_logs(waited.run_id) if entry.dagster_event]
        assert said in log
        assert [slot.run_id for slot in holders(instance, pool)] == [holder.run_id]


def test_a_run_that_waits_for_a_killed_one_goes_on_by_itself(
    instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    with launch(instance) as tags:
        holder = started_run(instance, tags)
        claim(instance, holder, pool="model_scores", step="model_scores")

        def end_without_a_word() -> None:
            wait_until(lambda: any("waits for the pool" in said for said in caplog.messages))
            instance.report_run_failed(instance.get_run_by_id(holder.run_id))
            instance.add_run_tags(holder.run_id, {LAUNCH_TAG: "nobody"})

        thread = threading.Thread(target=end_without_a_word)
        thread.start()
        assert run_job(instance, "publish", clock_config(cycle_time(7)), in_process=True).success
        thread.join()


def test_waiting_for_a_pool_takes_no_processor_time(instance: dg.DagsterInstance) -> None:
    holder, waiting = started_run(instance, {}), started_run(instance, {})
    claim(instance, holder)
    with PatientClaims(instance, waiting) as claims:
        before, began = time.thread_time(), time.monotonic()
        while time.monotonic() - began < 2:
            assert not claims.claim(POOL, STEP)
        assert time.thread_time() - before < 1


def killed(instance: dg.DagsterInstance, work: Callable[[], str]) -> str:
    """Do ``work`` in a process that is killed afterwards; what it returned."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writes, work().encode())
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(writes)
    os.waitpid(child, 0)
    with os.fdopen(reads) as said:
        return said.read()


def launched_run(instance: dg.DagsterInstance) -> str:
    held = launch(instance)
    run = started_run(instance, held.__enter__())
    claim(instance, run)
    _kept.append(held)
    return str(run.run_id)


def executed_run(instance: dg.DagsterInstance) -> str:
    run = started_run(instance, {})
    held = execution(instance, run)
    held.__enter__()
    claim(instance, run)
    _kept.append(held)
    return str(run.run_id)


_kept: list[object] = []
"""So that nothing closes them before their process is killed."""


def started_run(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    job = fridge_assets.definitions.defs.resolve_job_def("publish")
    return instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)


def claim(instance: dg.DagsterInstance, run: dg.DagsterRun, pool: str = POOL, step: str = STEP) -> None:
    """Hold a pool, as a step of ``run`` does while it works."""
    instance.event_log_storage.initialize_concurrency_limit_to_default(pool)
    assert instance.event_log_storage.claim_concurrency_slot(pool, run.run_id, step).is_claimed


def files(instance: dg.DagsterInstance) -> list[Path]:
    """What is left of launches."""
    return list((Path(instance.root_directory) / "launches").iterdir())


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""The replay itself: the jobs of the schedules, one after another, in a process of its own that can be ended at once.

Dagster holds an interrupt back until a step is done, and then the next hour would begin. So the runs are made by a
child process that no interrupt reaches, and whoever waits for it kills it.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection

import dagster as dg

from fridge_assets.automation.jobs import PUBLISH, SCORE_DAILY, SCORE_HOURLY
from fridge_assets.automation.launch import clock_config
from fridge_assets.core.errors import FridgeError
from fridge_assets.replay.span import Cycle
from fridge_assets.running.outcomes import outcome_of
from fridge_assets.running.processes import end_with_parent
from fridge_assets.running.stopping import SIGNALS
from fridge_assets.settings import Settings

_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
_PATIENCE = 10.0
"""Seconds that a process which has said its last word may take to end."""

Failures = dict[datetime, dict[str, str]]
"""Moment of a cycle → step → why it failed."""


def run_cycles(scratch: Settings, cycles: Sequence[Cycle], done: Callable[[Cycle], None]) -> Failures:
    """Run ``cycles`` in the scratch folder; whatever ends this early ends the process that runs them.

    Args:
        scratch: settings of the scratch folder.
        cycles: what to run, in this order.
        done: called after each.

    Returns:
        What failed; the cycles after it were run all the same.

    Raises:
        FridgeError: the process was killed, perhaps because memory ran out.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run_all, args=(scratch, cycles, theirs, os.getpid()))
    failures: Failures = {}
    with _signals_held():  # which the process inherits and keeps: it ends when this one does
        process.start()
    theirs.close()
    try:
        for cycle in cycles:
            failed = ours.recv()
            if failed:
                failures[cycle.moment] = failed
            done(cycle)
        process.join(_PATIENCE)
    except EOFError as error:
        raise FridgeError(
            "the process that ran the hours was killed, perhaps because memory ran out",
            "Free some memory, or replay a shorter span.",
        ) from error
    finally:
        process.kill()
        process.join()
    return failures


def _run_all(scratch: Settings, cycles: Sequence[Cycle], told: Connection, parent: int) -> None:
    end_with_parent(parent)
    from fridge_assets.definitions import build_definitions  # noqa: PLC0415 (builds the graph, which takes seconds)
    from fridge_assets.models.registry import ModelRegistry  # noqa: PLC0415

    # What is tried here is not shown where others look at the versions.
    registry = ModelRegistry(scratch.mlflow_database, scratch.models_dir, labels=False)
    graph = build_definitions(scratch, registry)
    for cycle in cycles:
        score = SCORE_DAILY if cycle.every_model else SCORE_HOURLY
        told.send(_run(graph, score.name, cycle.moment) | _run(graph, PUBLISH.name, cycle.moment))


def _run(graph: dg.Definitions, job: str, moment: datetime) -> dict[str, str]:
    """Step → why it failed. The run is recorded nowhere: nobody looks at the runs of a replay one by one."""
    with dg.DagsterInstance.ephemeral() as instance:
        done = graph.resolve_job_def(job).execute_in_process(
            instance=instance, run_config={**clock_config(moment), "loggers": _QUIET}, raise_on_error=False
        )
        return outcome_of(job, done.run_id, done.all_events).failures


@contextmanager
def _signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

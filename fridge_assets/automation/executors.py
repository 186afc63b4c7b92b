"""How the steps of a run are executed: as Dagster does it, but a run that waits says for whom and can be ended.

Dagster's own executors wait for a pool in a loop without a pause, in which one step after the other in one process
hears of no signal.
"""

import logging
import time
from collections.abc import Iterator

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.executor.multiprocess import MultiprocessExecutor
from dagster._utils.interrupts import check_captured_interrupt

from fridge_assets.automation.fork_server import PRELOADED, end_steps
from fridge_assets.automation.lost_runs import execution, free_held_slots
from fridge_assets.running.pools import describe_holders, may_claim
from fridge_assets.running.stopping import asked_to_stop

_LOG = logging.getLogger(__name__)

_STEPS_AT_ONCE = 2
_LOOK_EVERY = 0.25
"""Seconds between two looks at a pool that is waited for."""
_FREE_EVERY = 5.0
"""Seconds between two looks at whether whoever holds it still lives."""
_POOL = "pool"
"""What Dagster's event about a step that waits calls the pool."""
_BEGINS = (dg.DagsterEventType.STEP_WORKER_STARTING, dg.DagsterEventType.STEP_START)
_ENDS = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_UP_FOR_RETRY)


class HeldExecutor(dg.Executor):
    """An executor that gives back the pools of its run, and ends its steps, however it ends itself.

    Args:
        executor: executes the steps.
    """

    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> RetryMode:
        """Those of the executor."""
        return self._executor.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """That of the executor."""
        return self._executor.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """The events of the steps, as they come."""
        instance, run = plan_context.instance, plan_context.dagster_run
        at_work: set[str | None] = set()
        with execution(instance, run):
            try:
                for event in self._executor.execute(plan_context, execution_plan):
                    yield event
                    if asked_to_stop():
                        raise DagsterExecutionInterruptedError
                    if event.event_type in _BEGINS:
                        at_work.add(event.step_key)
                    elif event.event_type in _ENDS:
                        at_work.discard(event.step_key)
                    pool = _waits_for(event)
                    if pool is not None and event.step_key is not None:
                        _tell(instance, run, event.step_key, pool)
                        if not at_work:
                            _wait(instance, run, event.step_key, pool)
            except BaseException:
                end_steps()  # none may go on without its run
                raise


def _waits_for(event: dg.DagsterEvent) -> str | None:
    """The pool that a step waits for, where an event says so."""
    if not event.is_engine_event or _POOL not in event.engine_event_data.metadata:
        return None
    return str(event.engine_event_data.metadata[_POOL].value)


def _tell(instance: dg.DagsterInstance, run: dg.DagsterRun, step: str, pool: str) -> None:
    """Say who is waited for: to whoever reads the log of the run, and on the terminal where one has been started."""
    said = f"{step} waits for the pool {pool}, which is held by {describe_holders(instance, pool)}."
    instance.report_engine_event(said, run, step_key=step)
    _LOG.warning(said)


def _wait(instance: dg.DagsterInstance, run: dg.DagsterRun, step: str, pool: str) -> None:
    """Return when it is the turn of ``step``; the run has nothing else to do.

    Raises:
        DagsterExecutionInterruptedError: this process was asked to end.
    """
    looked_at = time.monotonic()
    while not may_claim(instance, pool, run.run_id, step):
        if check_captured_interrupt() or asked_to_stop():
            raise DagsterExecutionInterruptedError
        if time.monotonic() - looked_at > _FREE_EVERY:
            free_held_slots(instance)
            looked_at = time.monotonic()
        time.sleep(_LOOK_EVERY)


@dg.executor(name="one_process")
def one_process(_: dg.InitExecutorContext) -> dg.Executor:
    """One step after the other in the process of the run."""
    return HeldExecutor(InProcessExecutor(RetryMode.ENABLED))


@dg.executor(name="separate_processes", requirements=multiple_process_executor_requirements())
def separate_processes(_: dg.InitExecutorContext) -> dg.Executor:
    """Each step in a process of its own, forked from one server."""
    return HeldExecutor(
        MultiprocessExecutor(
            RetryMode.ENABLED,
            max_concurrent=_STEPS_AT_ONCE,
            start_method="forkserver",
            explicit_forkserver_preload=list(PRELOADED),
        )
    )

"""How the steps of a run are executed: as Dagster does it, but a run that waits says for whom and can be ended."""

import logging
import time
from collections.abc import Iterator
from multiprocessing.context import BaseContext
from typing import Any

import dagster as dg

from fridge_assets.running.fork_server import PRELOADED, end_steps
from fridge_assets.running.lost_runs import execution, free_held_slots
from fridge_assets.running.pools import describe_holders
from fridge_assets.running.step_output import followed
from fridge_assets.running.stopping import asked_to_stop
from fridge_assets.steps.dagster_internals import (
    DagsterExecutionInterruptedError,
    ExecutionPlan,
    ExecutionStep,
    InstanceConcurrencyContext,
    IStepContext,
    KnownExecutionState,
    PlanOrchestrationContext,
    ReconstructableJob,
    RetryMode,
    StepDependencyConfig,
    check_captured_interrupt,
    compute_logs,
    create_execution_plan,
    execute_plan_iterator,
    in_process,
    multiple_process_executor_requirements,
    multiprocess,
)
from fridge_assets.steps.placement import is_in_run

_LOG = logging.getLogger(__name__)

_STEPS_AT_ONCE = 2
_PAUSE = 0.1
"""Seconds between two attempts to claim a pool."""
_FREE_EVERY = 5.0
"""Seconds between two looks at whether whoever holds it still lives."""


class PatientClaims(InstanceConcurrencyContext):
    """The places in pools that the steps of a run claim: who is waited for is said, and a signal ends the waiting.

    Args:
        instance: has the pools.
        dagster_run: the run.
    """

    def __init__(self, instance: dg.DagsterInstance, dagster_run: dg.DagsterRun) -> None:
        super().__init__(instance, dagster_run)
        self._said_of = instance, dagster_run
        self._told: set[str] = set()
        self._looked_at = time.monotonic()

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """Whether a step has its place in a pool now; the executors ask again and again, without a pause.

        Raises:
            DagsterExecutionInterruptedError: this process was asked to end.
        """
        if super().claim(concurrency_key, step_key, step_priority):
            return True
        if check_captured_interrupt() or asked_to_stop():
            raise DagsterExecutionInterruptedError
        if step_key not in self._told:
            self._told.add(step_key)
            self._tell(step_key, concurrency_key)
        if time.monotonic() - self._looked_at > _FREE_EVERY:
            free_held_slots(self._said_of[0])
            self._looked_at = time.monotonic()
        time.sleep(_PAUSE)
        return False

    def _tell(self, step: str, pool: str) -> None:
        """In the log of the run, and on the terminal where it was started from one."""
        instance, run = self._said_of
        said = f"{step} waits for the pool {pool}, which is held by {describe_holders(instance, pool)}."
        instance.report_engine_event(said, run, step_key=step)
        _LOG.warning(said)


for _executors in (in_process, multiprocess):
    # Dagster's executors make this object themselves: there is no other way to say how they wait.
    setattr(_executors, InstanceConcurrencyContext.__name__, PatientClaims)

_in_its_own_process = multiprocess.execute_step_out_of_process


def _execute_step(
    context: BaseContext,
    job: ReconstructableJob,
    step_context: IStepContext,
    step: ExecutionStep,
    errors: dict[int, Any],
    processes: dict[str, Any],
    term_events: dict[str, Any],
    retries: RetryMode,
    known_state: KnownExecutionState,
    repository_load_data: Any,
) -> Iterator[dg.DagsterEvent | None]:
    """The events of a step that the multiprocess executor starts: of one that is tagged so, executed right here."""
    if not is_in_run(step.tags):
        yield from _in_its_own_process(
            context, job, step_context, step, errors, processes, term_events, retries, known_state, repository_load_data
        )
        return
    plan = create_execution_plan(
        job,
        run_config=step_context.run_config,
        step_keys_to_execute=[step.key],
        known_state=known_state,
        repository_load_data=repository_load_data,
    )
    yield from execute_plan_iterator(
        plan,
        job,
        step_context.dagster_run,
        run_config=step_context.run_config,
        retry_mode=retries.for_inner_plan(),
        instance=step_context.instance,
    )


# What a step prints comes to the terminal by two programs a stream otherwise.
setattr(compute_logs, compute_logs.tail_to_stream.__name__, followed)

# Its executor offers no choice of how a step is executed.
setattr(multiprocess, _in_its_own_process.__name__, _execute_step)


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
        with execution(plan_context.instance, plan_context.dagster_run):
            try:
                for event in self._executor.execute(plan_context, execution_plan):
                    yield event
                    if asked_to_stop():
                        raise DagsterExecutionInterruptedError
            except BaseException:
                end_steps()  # none may go on without its run
                raise


@dg.executor(name="one_process")
def one_process(_: dg.InitExecutorContext) -> dg.Executor:
    """One step after the other in the process of the run."""
    return HeldExecutor(in_process.InProcessExecutor(RetryMode.ENABLED))


@dg.executor(name="separate_processes", requirements=multiple_process_executor_requirements())
def separate_processes(_: dg.InitExecutorContext) -> dg.Executor:
    """Each step in a process of its own, forked from one server, but those that the run itself executes (IN_RUN)."""
    return HeldExecutor(
        multiprocess.MultiprocessExecutor(
            RetryMode.ENABLED,
            max_concurrent=_STEPS_AT_ONCE,
            start_method="forkserver",
            explicit_forkserver_preload=list(PRELOADED),
        )
    )

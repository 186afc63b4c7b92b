"""What a run did, read from its events: what its assets said, and why steps failed, in sentences."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from fridge_assets.steps.dagster_internals import ChildProcessCrashException, UserFailureData
from fridge_assets.steps.results import ERROR_KIND, NOT_TOLD

_OVERDUE = f"({signal.SIGALRM.name})"
"""How Dagster's engine says that the deadline of a step killed its process."""


@dataclass(frozen=True)
class JudgedCheck:
    """How an asset check ended.

    Args:
        asset: the asset.
        name: the check.
        passed: whether it passed.
        said: what it said about it; empty for nothing.
        told: whether people hear of it when it changes; not where something else tells them, or nothing was checked.
    """

    asset: str
    name: str
    passed: bool
    said: str
    told: bool = True


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Args:
        run_id: Dagster run.
        job: its job.
        metadata: asset → what its materialization or observation said, for the assets that succeeded.
        failures: step → why it failed, in a sentence.
        errors: step → class of the error that it failed with, where it was one that we know.
        checks: the asset checks that were made.
        succeeded: the steps that did, and the job itself when all of them did.
    """

    run_id: str
    job: str
    metadata: dict[str, dict[str, Any]]
    failures: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    checks: tuple[JudgedCheck, ...] = ()
    succeeded: frozenset[str] = frozenset()

    @property
    def success(self) -> bool:
        """Whether every step succeeded."""
        return not self.failures


@dataclass(frozen=True)
class CycleOutcome:
    """How a score run and the publication after it ended."""

    score: RunOutcome
    publish: RunOutcome

    @property
    def success(self) -> bool:
        """Whether both succeeded."""
        return self.score.success and self.publish.success


def outcome_of(job: str, run_id: str, events: Iterable[dg.DagsterEvent]) -> RunOutcome:
    """What the events of a run say about it.

    Args:
        job: name of its job.
        run_id: the run.
        events: all of its events, in their order.
    """
    metadata: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    errors: dict[str, str] = {}
    checks: list[JudgedCheck] = []
    succeeded: set[str] = set()
    overdue: set[str | None] = set()
    for event in events:
        if event.is_step_materialization:
            _note(metadata, event.step_materialization_data.materialization)
        elif event.event_type == dg.DagsterEventType.ASSET_OBSERVATION:
            _note(metadata, event.asset_observation_data.asset_observation)
        elif event.is_engine_event and _OVERDUE in (event.message or ""):
            overdue.add(event.step_key)
        elif event.is_step_failure and event.step_key is not None:
            said, error = event.step_failure_data.user_failure_data, event.step_failure_data.error
            failures[event.step_key] = _reason(said, error, overdue=event.step_key in overdue)
            if said is not None and ERROR_KIND in said.metadata:
                errors[event.step_key] = str(said.metadata[ERROR_KIND].value)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            made = event.asset_check_evaluation_data
            asset, told = made.asset_key.to_user_string(), NOT_TOLD not in made.metadata
            checks.append(JudgedCheck(asset, made.check_name, made.passed, made.description or "", told))
        elif event.is_step_success and event.step_key is not None:
            succeeded.add(event.step_key)
        elif event.is_job_success:
            succeeded.add(job)
        elif event.is_job_failure and not failures:
            # Whoever ended it from outside left no error, but a message.
            error = event.job_failure_data.error
            failures[job] = _reason(None, error) if error is not None else event.message or _reason(None, None)
        elif event.event_type == dg.DagsterEventType.RUN_CANCELED and not failures:
            failures[job] = "it was cancelled before it was done"
    return RunOutcome(run_id, job, metadata, failures, errors, tuple(checks), frozenset(succeeded))


def recorded_outcome(instance: dg.DagsterInstance, run: dg.DagsterRun) -> RunOutcome:
    """What the recorded events of ``run`` say about it."""
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id) if entry.dagster_event is not None]
    return outcome_of(run.job_name, run.run_id, events)


def _note(metadata: dict[str, dict[str, Any]], said: dg.AssetMaterialization | dg.AssetObservation) -> None:
    metadata[said.asset_key.to_user_string()] = {name: value.value for name, value in said.metadata.items()}


def _reason(said: UserFailureData | None, error: SerializableErrorInfo | None, *, overdue: bool = False) -> str:
    """What a failed step said about it; else the first cause of the error."""
    if said is not None and said.description:
        return said.description
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "it ended without saying why"
    if error.cls_name == ChildProcessCrashException.__name__:
        why = "it took longer than scoring.step_timeout" if overdue else "perhaps because memory ran out"
        return f"its process was killed, {why}; what was committed before stays"
    return str(error.message).strip()

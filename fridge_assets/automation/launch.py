"""Running a job from a program: what the command line and replays do, recorded like any other run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from threading import Thread
from typing import Any

import dagster as dg
from dagster._core.execution.plan.objects import UserFailureData
from dagster._core.executor.child_process_executor import ChildProcessCrashException
from dagster_shared.error import SerializableErrorInfo

from fridge_assets.automation.jobs import PUBLISH, PUBLISHES_ITSELF_TAG, SCORE_DAILY, SCORE_HOURLY, SOURCE_RUN_TAG
from fridge_assets.automation.lost_runs import end_lost_runs, launch
from fridge_assets.moments import LATEST, parse_moment

_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Args:
        run_id: Dagster run.
        job: its job.
        metadata: asset → what its materialization said, for the assets that succeeded.
        failures: step → why it failed, in a sentence.
    """

    run_id: str
    job: str
    metadata: dict[str, dict[str, Any]]
    failures: dict[str, str]

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


def clock_config(as_of: str | datetime | None) -> dict[str, Any]:
    """Run config that sets the clock; empty for the actual time.

    Raises:
        FridgeError: ``as_of`` is neither a moment nor 'latest'.
    """
    if not as_of:
        return {}
    if isinstance(as_of, str) and as_of != LATEST:
        as_of = parse_moment(as_of, "--as-of")
    text = as_of if isinstance(as_of, str) else as_of.isoformat()
    return {"resources": {"clock": {"config": {"as_of": text}}}}


def run_job(
    instance: dg.DagsterInstance,
    job: str,
    run_config: Mapping[str, Any],
    *,
    assets: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
    in_process: bool = False,
) -> RunOutcome:
    """Run ``job`` to its end.

    Args:
        instance: records the run.
        job: name of the job.
        run_config: resources and ops.
        assets: only these assets of the job; all when None.
        tags: tags of the run.
        in_process: everything in this process, for replays; otherwise as the job's executor says.
    """
    keys = None if assets is None else [dg.AssetKey(name) for name in assets]
    config = {**run_config, "loggers": _QUIET}
    # By name, since the graph is built from the environment, and a step's process builds it again.
    reconstructable = dg.build_reconstructable_job("fridge_assets.definitions", "load_job", (job,))
    end_lost_runs(instance)
    with launch(instance) as launched:
        options: dict[str, Any] = {
            "instance": instance,
            "run_config": config,
            "asset_selection": keys,
            "tags": {**(tags or {}), **launched},
            "raise_on_error": False,
        }
        if in_process:
            return _outcome(job, reconstructable.get_definition().execute_in_process(**options))
        with dg.execute_job(reconstructable, **options) as result:
            return _outcome(job, result)


def run_cycle(
    instance: dg.DagsterInstance,
    job: str,
    run_config: Mapping[str, Any],
    *,
    in_process: bool = False,
) -> CycleOutcome:
    """Run a score job and then ``publish``, however the score run ended."""
    if job in (SCORE_HOURLY.name, SCORE_DAILY.name) and not in_process:
        # Publishing validates in this process, which has nothing to do while the models score in theirs.
        Thread(target=import_module, args=("fridge_assets.contracts.expectations",), daemon=True).start()
    score = run_job(instance, job, run_config, tags={PUBLISHES_ITSELF_TAG: "yes"}, in_process=in_process)
    clock = {key: value for key, value in run_config.items() if key == "resources"}
    publish = run_job(instance, PUBLISH.name, clock, tags={SOURCE_RUN_TAG: score.run_id}, in_process=in_process)
    return CycleOutcome(score, publish)


def _outcome(job: str, result: Any) -> RunOutcome:
    metadata = {}
    failures = {}
    for event in result.all_events:
        if event.is_step_materialization:
            materialization = event.step_materialization_data.materialization
            metadata[materialization.asset_key.to_user_string()] = {
                name: value.value for name, value in materialization.metadata.items()
            }
        elif event.is_step_failure:
            failures[event.step_key] = _reason(event.step_failure_data.user_failure_data, event.step_failure_data.error)
        elif event.is_job_failure and not failures:
            failures[job] = _reason(None, event.job_failure_data.error)
    return RunOutcome(result.run_id, job, metadata, failures)


def _reason(said: UserFailureData | None, error: SerializableErrorInfo | None) -> str:
    """What a failed step said about it; else the first cause of the error."""
    if said is not None and said.description:
        return said.description
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "it ended without saying why"
    if error.cls_name == ChildProcessCrashException.__name__:
        return "its process was killed, perhaps because memory ran out; what was committed before stays"
    return str(error.message).strip()

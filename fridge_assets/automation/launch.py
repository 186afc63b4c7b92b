"""Running a job from a program: what the command line and replays do, recorded like any other run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from fridge_assets.automation.jobs import PUBLISH, PUBLISHES_ITSELF_TAG, SOURCE_RUN_TAG
from fridge_assets.core.moments import LATEST, parse_moment
from fridge_assets.running.complaints import without_complaints
from fridge_assets.running.executors import separate_processes
from fridge_assets.running.fork_server import ensure_fork_server
from fridge_assets.running.lost_runs import free_held_slots, launch
from fridge_assets.running.outcomes import CycleOutcome, RunOutcome, outcome_of
from fridge_assets.running.stopping import asked_to_stop
from fridge_assets.running.threads import in_thread
from fridge_assets.settings import Settings
from fridge_assets.stores.disk import require_space

_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


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
    """Run ``job`` to its end, or until somebody asks this program to end: then it is cancelled at once.

    The run has a thread of its own. Dagster leaves signals alone there, so that they come to this one whatever the run
    is about.

    Args:
        instance: records the run.
        job: name of the job.
        run_config: resources and ops.
        assets: only these assets of the job; all when None.
        tags: tags of the run.
        in_process: everything in this process, for replays; otherwise as the job's executor says.

    Raises:
        DiskFull: there is too little space to begin, or the run could not be recorded for want of it.
        Stopped: somebody asked this program to end.
    """
    if stopped := asked_to_stop():
        raise stopped  # a library may have made something else of it during the run before
    require_space(Path(instance.root_directory), Settings().disk.reserve, f"a run of {job}")
    keys = None if assets is None else [dg.AssetKey(name) for name in assets]
    config = {**run_config, "loggers": _QUIET}
    # By name, since the graph is built from the environment, and a step's process builds it again.
    reconstructable = dg.build_reconstructable_job(
        "fridge_assets.definitions", "load_job", (job,), {"in_process": in_process}
    )
    free_held_slots(instance)
    if reconstructable.get_definition().executor_def is separate_processes:
        ensure_fork_server()
    with launch(instance) as launched:

        def execute() -> RunOutcome:
            with without_complaints():
                done = dg.execute_job(
                    reconstructable,
                    instance=instance,
                    run_config=config,
                    asset_selection=keys,
                    tags={**(tags or {}), **launched},
                    raise_on_error=False,
                )
            return outcome_of(job, done.run_id, done.all_events)

        return in_thread(execute)


def run_cycle(
    instance: dg.DagsterInstance,
    job: str,
    run_config: Mapping[str, Any],
    *,
    in_process: bool = False,
) -> CycleOutcome:
    """Run a score job and then ``publish``, however the score run ended."""
    score = run_job(instance, job, run_config, tags={PUBLISHES_ITSELF_TAG: "yes"}, in_process=in_process)
    clock = {key: value for key, value in run_config.items() if key == "resources"}
    publish = run_job(instance, PUBLISH.name, clock, tags={SOURCE_RUN_TAG: score.run_id}, in_process=in_process)
    return CycleOutcome(score, publish)

"""What follows a run: publication after the models' scores, and monitoring after the publication."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from fridge_assets.automation.jobs import PUBLISHES_ITSELF_TAG, SOURCE_RUN_TAG
from fridge_assets.steps.dagster_internals import RUN_FAILURE_REASON_TAG, WILL_RETRY_TAG, RunFailureReason


def publication_after(run: dg.DagsterRun) -> dg.RunRequest | dg.SkipReason:
    """The publication of a score run that has ended, however it ended: one dead model must not stop alerts."""
    if PUBLISHES_ITSELF_TAG in run.tags:
        return dg.SkipReason(f"run {run.run_id} is published by whoever started it")
    if _is_interrupted_and_tried_again(run):
        return dg.SkipReason(f"run {run.run_id} was interrupted; it is tried again, and published then")
    return _follow(run)


def monitoring_after(run: dg.DagsterRun) -> dg.RunRequest:
    """The look at how the models behave that follows a publication."""
    return _follow(run)


def _follow(run: dg.DagsterRun) -> dg.RunRequest:
    """One run after ``run``, at its time."""
    tags = {SOURCE_RUN_TAG: run.run_id}
    return dg.RunRequest(run_key=run.run_id, tags=tags, run_config=_same_clock(run.run_config))


def _is_interrupted_and_tried_again(run: dg.DagsterRun) -> bool:
    interrupted = run.tags.get(RUN_FAILURE_REASON_TAG) == RunFailureReason.UNEXPECTED_TERMINATION.value
    return interrupted and run.tags.get(WILL_RETRY_TAG) == "true"


def _same_clock(run_config: Mapping[str, Any]) -> dict[str, Any]:
    """Run config that sets the clock as ``run_config`` does, so that recorded data is published at its own time."""
    clock = run_config.get("resources", {}).get("clock")
    return {"resources": {"clock": clock}} if clock else {}

"""When things run because of something that happened."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from fridge_assets.automation.jobs import PUBLISH, PUBLISHES_ITSELF_TAG, SCORE_JOBS, SOURCE_RUN_TAG

_ENDED = {
    dg.DagsterRunStatus.SUCCESS: "success",
    dg.DagsterRunStatus.FAILURE: "failure",
    dg.DagsterRunStatus.CANCELED: "cancellation",
}


def publish_after(status: dg.DagsterRunStatus, outcome: str) -> dg.SensorDefinition:
    """The sensor that starts ``publish`` when a score run ended as ``status``: one dead model must not stop alerts."""

    @dg.run_status_sensor(
        name=f"publish_after_{outcome}",
        run_status=status,
        monitored_jobs=list(SCORE_JOBS),
        request_job=PUBLISH,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Publish what succeeded after a score run's {outcome}.",
    )
    def sensor(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run
        if PUBLISHES_ITSELF_TAG in run.tags:
            return dg.SkipReason(f"run {run.run_id} is published by whoever started it")
        return dg.RunRequest(
            run_key=run.run_id, tags={SOURCE_RUN_TAG: run.run_id}, run_config=same_clock(run.run_config)
        )

    return sensor


def same_clock(run_config: Mapping[str, Any]) -> dict[str, Any]:
    """Run config that sets the clock as ``run_config`` does, so that recorded data is published at its own time."""
    clock = run_config.get("resources", {}).get("clock")
    return {"resources": {"clock": clock}} if clock else {}


SENSORS = tuple(publish_after(status, outcome) for status, outcome in _ENDED.items())

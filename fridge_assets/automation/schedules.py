"""When things run by the clock."""

import dagster as dg

from fridge_assets.automation.jobs import (
    ASSESS_ALERTS,
    CANARY,
    LEARN_THRESHOLDS,
    SCORE_DAILY,
    SCORE_HOURLY,
    TAKE_IN_READINGS,
    TRAIN_MONTHLY,
    TRAIN_WEEKLY,
)
from fridge_assets.automation.retention import RETENTION
from fridge_assets.automation.status import RECONCILE
from fridge_assets.canary.run import due_pairs
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.readings.ingest import files_waiting
from fridge_assets.settings import Settings
from fridge_assets.steps.dagster_internals import UnresolvedAssetJobDefinition
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.warehouse import Warehouse

Job = dg.JobDefinition | UnresolvedAssetJobDefinition


def _schedule(job: Job, cron: str, description: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )


@dg.schedule(
    name="canary_schedule",
    job=CANARY,
    cron_schedule="10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Minute 10, when the hourly scores are out; skips while there is nothing to compare.",
)
def canary_schedule(
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    models: dg.ResourceParam[ModelLifecycle],
) -> dg.RunRequest | dg.SkipReason:
    """A canary run when a version is staged, rolled out to some regions, or newly released."""
    if due_pairs(models, warehouse, settings.canary):
        return dg.RunRequest()
    return dg.SkipReason("no version is staged, being rolled out or newly released")


@dg.schedule(
    name="take_in_readings_schedule",
    job=TAKE_IN_READINGS,
    cron_schedule="*/5 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every five minutes, so that the hourly run finds most of its hour done; skips when nothing landed.",
)
def take_in_readings_schedule(landing: dg.ResourceParam[Landing]) -> dg.RunRequest | dg.SkipReason:
    """A run when files have landed that no run has taken."""
    waiting = files_waiting(landing)
    return dg.RunRequest() if waiting else dg.SkipReason("no file has landed since the last run")


SCHEDULES = (
    take_in_readings_schedule,
    _schedule(SCORE_HOURLY, "3 * * * *", "Minute 3: the window that ended on the hour has closed at minute 2."),
    _schedule(SCORE_DAILY, "0 3 * * *", "03:00 UTC: all models, on the window that closed last."),
    canary_schedule,
    _schedule(TRAIN_WEEKLY, "20 4 * * 1", "Mondays, between two hourly runs: drafts of the hourly models."),
    _schedule(TRAIN_MONTHLY, "20 5 1 * *", "On the first of the month, between two hourly runs: drafts of the others."),
    _schedule(
        LEARN_THRESHOLDS, "30 4 * * *", "04:30 UTC, between two hourly runs: thresholds from the released baseline."
    ),
    _schedule(ASSESS_ALERTS, "40 5 * * 1", "Mondays, between two hourly runs: what the labels say of the alerts."),
    _schedule(
        RECONCILE, "40 3 * * *", "03:40 UTC, between two hourly runs: whether the status agrees with the alerts."
    ),
    _schedule(RETENTION, "20 2 * * *", "02:20 UTC, between two hourly runs and before the daily one."),
)

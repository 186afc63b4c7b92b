"""When things run by the clock."""

import dagster as dg

from fridge_assets.automation.jobs import CANARY, SCORE_DAILY, SCORE_HOURLY, TRAIN_MONTHLY, TRAIN_WEEKLY
from fridge_assets.canary.run import due_pairs
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse

HOURLY_SCORING = dg.ScheduleDefinition(
    name="score_hourly_schedule",
    job=SCORE_HOURLY,
    cron_schedule="3 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Minute 3: the window that ended on the hour has closed at minute 2.",
)

DAILY_SCORING = dg.ScheduleDefinition(
    name="score_daily_schedule",
    job=SCORE_DAILY,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="03:00 UTC: all models, on the window that closed last.",
)

WEEKLY_TRAINING = dg.ScheduleDefinition(
    name="train_weekly_schedule",
    job=TRAIN_WEEKLY,
    cron_schedule="20 4 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Mondays, between two hourly runs: drafts of the hourly models.",
)

MONTHLY_TRAINING = dg.ScheduleDefinition(
    name="train_monthly_schedule",
    job=TRAIN_MONTHLY,
    cron_schedule="20 5 1 * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="On the first of the month, between two hourly runs: drafts of the daily models.",
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
    settings: dg.ResourceParam[Settings], warehouse: Warehouse, models: dg.ResourceParam[ModelLifecycle]
) -> dg.RunRequest | dg.SkipReason:
    """A canary run when a version is staged, rolled out to some regions, or newly released."""
    if due_pairs(models, warehouse, settings):
        return dg.RunRequest()
    return dg.SkipReason("no version is staged, being rolled out or newly released")


SCHEDULES = (HOURLY_SCORING, DAILY_SCORING, canary_schedule, WEEKLY_TRAINING, MONTHLY_TRAINING)

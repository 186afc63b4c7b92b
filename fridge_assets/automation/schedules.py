"""When things run by the clock."""

import dagster as dg

from fridge_assets.automation.jobs import SCORE_HOURLY

HOURLY_SCORING = dg.ScheduleDefinition(
    name="score_hourly_schedule",
    job=SCORE_HOURLY,
    cron_schedule="3 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Minute 3: the window that ended on the hour has closed at minute 2.",
)

SCHEDULES = (HOURLY_SCORING,)

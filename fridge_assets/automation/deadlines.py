"""The daemon's watch over the deadlines of alerts (SPEC 6)."""

import dagster as dg

from fridge_assets.alerting.deadlines import advance_deadlines
from fridge_assets.clock import Clock
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations


@dg.sensor(
    name="watch_deadlines",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Escalates alerts that nobody has taken by their deadline and tells the next channel.",
)
def watch_deadlines(settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]) -> dg.SkipReason:
    """Note what has become due."""
    now = Clock.wall_time()
    with operations.transaction() as connection:
        changed = advance_deadlines(connection, now, settings.alerts, now)
    return dg.SkipReason(f"escalated {len(changed)} alerts")

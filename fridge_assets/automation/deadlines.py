"""The daemon's watch over the deadlines of alerts (SPEC 6)."""

import dagster as dg

from fridge_assets.alerting import deadlines
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
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
    changed = deadlines.watch_deadlines(operations, now, settings.alerts, now)
    return dg.SkipReason(f"escalated {changed} alerts")

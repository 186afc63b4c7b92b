"""The pulse of the streaming process in the graph, so that its freshness is watched as that of all else (SPEC 5)."""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations
from fridge_assets.streaming.assets import streaming_alerts
from fridge_assets.streaming.status import StreamStatus, alive, statuses


@dg.sensor(
    name="report_stream",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports the pulse and the lag of the streaming process; without a pulse nothing is reported.",
)
def report_stream(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> dg.SensorResult | dg.SkipReason:
    """Report the processes that are alive, if any has beaten since the last report."""
    now = Clock.wall_time()
    with operations.read() as connection:
        known = statuses(connection)
    working = [status for status in known if alive(status, now, settings.streaming)]
    if not working:
        return dg.SkipReason("no streaming process is alive")
    beaten_at = max(status.beaten_at for status in working)
    if context.cursor and beaten_at <= datetime.fromisoformat(context.cursor):
        return dg.SkipReason("no pulse since the last report")
    return dg.SensorResult(asset_events=[_report(working)], cursor=beaten_at.isoformat())


def _report(working: Sequence[StreamStatus]) -> dg.AssetMaterialization:
    newest = max((status.newest_reading_at for status in working if status.newest_reading_at), default=None)
    return dg.AssetMaterialization(
        asset_key=streaming_alerts.key,
        metadata={
            "lag seconds": max(status.lag_seconds for status in working),
            "newest reading": newest.isoformat() if newest else "none",
            "behind": sum(status.behind for status in working),
            "readings": sum(status.readings for status in working),
            "alerts": sum(status.alerts for status in working),
            "too late": sum(status.too_late for status in working),
            "unusable": sum(status.unusable for status in working),
            "alive since": min(status.started_at for status in working).isoformat(),
            "processes alive": len(working),
        },
    )

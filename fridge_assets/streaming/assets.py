"""Assets of the stream."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg
import pandas as pd

from fridge_assets.models.assets import model_name
from fridge_assets.models.lifecycle import ModelLifecycle, NothingReleased
from fridge_assets.readings.assets import device_registry, sensor_readings
from fridge_assets.registry.devices import effective_registry
from fridge_assets.settings import Settings, StreamingSettings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import AssetEvent, code_version, guarded, observed, table
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.learned import FAMILY, learned_from
from fridge_assets.streaming.status import StreamStatus, alive, statuses
from fridge_assets.streaming.thresholds import note_learned

ACUTE_THRESHOLDS = "acute_thresholds"
"""Asset of the thresholds that the acute rules take from the released baseline."""

streaming_alerts = dg.AssetSpec(
    "streaming_alerts",
    deps=[sensor_readings, device_registry, ACUTE_THRESHOLDS],
    group_name="streaming",
    kinds={"duckdb"},
    owners=["team:operations"],
    description="Acute alerts, stored by the streaming process (`fridge-assets stream`) without Dagster; each "
    "materialization reports its pulse and its lag.",
)


@dg.asset(
    name=ACUTE_THRESHOLDS,
    deps=[model_name(FAMILY), device_registry],
    group_name="streaming",
    kinds={"sqlite"},
    owners=["team:ml"],
    description=f"Thresholds of the acute rules, learned from the {FAMILY} that serves each region; where somebody "
    "wrote one into the registry, that counts instead. The stream follows within a minute.",
    code_version=code_version("streaming"),
    pool=ACUTE_THRESHOLDS,
)
@guarded({})
def acute_thresholds(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    models: dg.ResourceParam[ModelLifecycle],
) -> Iterator[AssetEvent]:
    """Learn the thresholds anew and keep what has changed; without a release nothing is learned and nothing changes."""
    registry = effective_registry(settings.root, warehouse)
    try:
        learned = learned_from(models, registry, settings)
    except NothingReleased as error:
        yield observed(context, dg.MaterializeResult(metadata={"learned": False, "because": str(error)}))
        return
    for reason in learned.refused:
        context.log.error(reason)
    written = note_learned(operations, learned.thresholds, f"{FAMILY} {learned.versions}", Clock.wall_time())
    result: dg.MaterializeResult[None] = dg.MaterializeResult(
        metadata={
            "version": learned.versions,
            "devices with a learned threshold": learned.thresholds["device_id"].nunique(),
            "changes written": written,
            "learned thresholds": table(_spread(learned.thresholds)),
        }
    )
    yield result if written else observed(context, result)


def pulse_report(
    operations: Operations, reported_until: str | None, now: datetime, settings: StreamingSettings
) -> dg.SensorResult | dg.SkipReason:
    """A materialization of ``streaming_alerts`` by the pulse of its processes, so that Dagster watches its freshness.

    Args:
        operations: the processes note their pulse there.
        reported_until: cursor of the report before; None for none.
        now: the moment of the look.
        settings: how long after a pulse a process counts as alive.
    """
    with operations.read() as connection:
        working = [status for status in statuses(connection) if alive(status, now, settings)]
    if not working:
        return dg.SkipReason("no streaming process is alive")
    beaten_at = max(status.beaten_at for status in working)
    if reported_until and beaten_at <= datetime.fromisoformat(reported_until):
        return dg.SkipReason("no pulse since the last report")
    return dg.SensorResult(asset_events=[_pulse_of(working)], cursor=beaten_at.isoformat())


def _pulse_of(working: Sequence[StreamStatus]) -> dg.AssetMaterialization:
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


def _spread(thresholds: pd.DataFrame) -> pd.DataFrame:
    values = thresholds.groupby("rule")["value"]
    return values.agg(devices="count", min="min", median="median", max="max").reset_index()

"""Assets of the stream."""

from collections.abc import Iterator

import dagster as dg

from fridge_assets.models.assets import model_name
from fridge_assets.models.lifecycle import ModelLifecycle, NothingReleased
from fridge_assets.readings.assets import device_registry, sensor_readings
from fridge_assets.registry.devices import effective_registry
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import AssetEvent, code_version, guarded, observed, table
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.learned import FAMILY, learned_from, spread
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
            "learned thresholds": table(spread(learned.thresholds)),
        }
    )
    yield result if written else observed(context, result)

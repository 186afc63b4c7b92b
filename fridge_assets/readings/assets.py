"""Assets of the readings: what was delivered, what is clean, what was set aside."""

from collections.abc import Iterator

import dagster as dg

from fridge_assets.contracts import CLEAN_SENSOR_READINGS, DEVICE_REGISTRY, QUARANTINED_READINGS, SENSOR_READINGS
from fridge_assets.readings.ingest import IngestReport, ingest
from fridge_assets.registry.devices import read_registry
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.placement import IN_RUN
from fridge_assets.steps.results import (
    AssetEvent,
    code_version,
    contract_check_spec,
    contract_kept,
    counts_table,
    dataset_metadata,
    dataset_specs,
    guarded,
)
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.warehouse import Warehouse

sensor_readings = dg.AssetSpec(
    "sensor_readings",
    group_name="readings",
    kinds={"file"},
    owners=["team:data-platform"],
    description="Landing folder: raw readings, append-only files.",
    metadata=dataset_metadata(SENSOR_READINGS),
)

device_registry = dg.AssetSpec(
    "device_registry",
    group_name="readings",
    kinds={"file"},
    owners=["team:data-platform"],
    description="`device_registry.csv` or `.parquet` in the data folder; derived from the readings where absent.",
    metadata=dataset_metadata(DEVICE_REGISTRY),
)


@dg.multi_asset(
    specs=dataset_specs(
        CLEAN_SENSOR_READINGS,
        QUARANTINED_READINGS,
        deps=[sensor_readings, device_registry],
        group_name="readings",
        kinds={"duckdb", "parquet"},
        owners=["team:data-platform"],
        code_version=code_version("readings"),
    ),
    check_specs=[contract_check_spec(CLEAN_SENSOR_READINGS), contract_check_spec(QUARANTINED_READINGS)],
    name="ingest",
    op_tags=IN_RUN,
    pool="ingest",
)
@guarded({c.name: c.name for c in (CLEAN_SENSOR_READINGS, QUARANTINED_READINGS)})
def ingested_readings(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    landing: dg.ResourceParam[Landing],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Bring every new landing file into clean and quarantined readings."""
    registry = read_registry(settings.root)
    report = ingest(landing, warehouse, registry, clock.wall_time(), settings)
    for message in (*report.refused.values(), *report.waiting.values(), *report.warnings):
        context.log.warning(message)
    yield from _results(report)


def _results(report: IngestReport) -> Iterator[AssetEvent]:
    yield dg.MaterializeResult(
        asset_key=CLEAN_SENSOR_READINGS.name,
        metadata={
            "dagster/row_count": report.clean,
            "files": report.files,
            "delivered rows": report.rows,
            "duplicates removed": report.duplicates,
            "quality flags": counts_table(report.flagged, "flag"),
            "refused files": counts_table(dict.fromkeys(report.refused.values(), 1), "reason"),
            "files still being written": len(report.waiting),
        },
        check_results=[contract_kept(report.clean, CLEAN_SENSOR_READINGS.name)],
    )
    yield dg.MaterializeResult(
        asset_key=QUARANTINED_READINGS.name,
        metadata={
            "dagster/row_count": report.quarantined,
            "reasons": counts_table(report.reasons, "reason"),
        },
        check_results=[contract_kept(report.quarantined, QUARANTINED_READINGS.name)],
    )

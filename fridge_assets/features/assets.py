"""Asset of the features."""

from collections.abc import Iterator

import dagster as dg

from fridge_assets.asset_results import AssetEvent, column_schema, contract_check_spec, contract_kept, guarded
from fridge_assets.clock import Clock
from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.features.compute import compute_features
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse


@dg.asset(
    name=DEVICE_FEATURES.name,
    deps=["clean_sensor_readings"],
    group_name="features",
    kinds={"duckdb", "sql"},
    owners=["team:data-platform"],
    description=DEVICE_FEATURES.description,
    metadata=column_schema(DEVICE_FEATURES),
    check_specs=[contract_check_spec(DEVICE_FEATURES)],
    pool="features",
)
def device_features(
    settings: dg.ResourceParam[Settings], warehouse: Warehouse, clock: Clock
) -> Iterator[AssetEvent]:
    """Compute every closed window that is due, and those that late readings changed."""

    def work() -> Iterator[AssetEvent]:
        now = clock.now()
        report = compute_features(warehouse, now, settings)
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": report.rows + report.late_rows,
                "windows": report.windows,
                "rows recomputed for late readings": report.late_rows,
                "newest window": str(report.newest_window_end or "nothing was due"),
            },
            check_results=[contract_kept(report.rows + report.late_rows, DEVICE_FEATURES.name)],
        )

    yield from guarded(work, {DEVICE_FEATURES.name: DEVICE_FEATURES.name})

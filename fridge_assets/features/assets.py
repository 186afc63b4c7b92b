"""Asset of the features."""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.core.moments import OWN_TIME, spoken
from fridge_assets.features.compute import compute_features, newest_window_end
from fridge_assets.features.usual_vibration import publish_usual_vibration
from fridge_assets.settings import FeatureSettings, Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.placement import IN_RUN
from fridge_assets.steps.results import (
    AssetEvent,
    code_version,
    contract_check_spec,
    contract_kept,
    dataset_metadata,
    guarded,
    observed,
)
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse

UP_TO_DATE_CHECK = "up_to_date"


@dg.asset(
    name=DEVICE_FEATURES.name,
    deps=["clean_sensor_readings"],
    group_name="features",
    kinds={"duckdb", "sql"},
    owners=["team:data-platform"],
    description=DEVICE_FEATURES.description,
    metadata=dataset_metadata(DEVICE_FEATURES),
    code_version=code_version("features"),
    check_specs=[
        contract_check_spec(DEVICE_FEATURES),
        dg.AssetCheckSpec(
            UP_TO_DATE_CHECK,
            asset=DEVICE_FEATURES.name,
            description="The newest window is young enough to be scored; a failure means that readings are late.",
        ),
    ],
    op_tags=IN_RUN,
    pool="features",
)
@guarded({DEVICE_FEATURES.name: DEVICE_FEATURES.name})
def device_features(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    published: dg.ResourceParam[Published],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Compute every closed window that is due, and those that late readings changed."""
    now = clock.now()
    report = compute_features(warehouse, now, settings.features)
    with warehouse.read() as connection:
        newest = newest_window_end(connection, now)
    if newest is not None and (report.rows or report.late_rows):
        publish_usual_vibration(warehouse, published.folder, newest, settings.streaming.running_vibration)
    up_to_date = newest is not None and now - newest <= settings.features.max_age
    result: dg.MaterializeResult[None] = dg.MaterializeResult(
        metadata={
            "dagster/row_count": report.rows + report.late_rows,
            "windows": report.windows,
            "rows recomputed for late readings": report.late_rows,
            "newest window": str(newest or "none yet"),
        },
        check_results=[
            contract_kept(report.rows + report.late_rows, DEVICE_FEATURES.name),
            dg.AssetCheckResult(
                passed=up_to_date,
                asset_key=DEVICE_FEATURES.name,
                check_name=UP_TO_DATE_CHECK,
                severity=dg.AssetCheckSeverity.WARN,
                description=None if up_to_date else _late(newest, now, settings.features),
                metadata={"newest window": str(newest or "none yet"), "now": str(now)},
            ),
        ],
    )
    yield result if up_to_date else observed(context, result)


def _late(newest: datetime | None, now: datetime, settings: FeatureSettings) -> str:
    seen = f"The newest window ended {spoken(now - newest)} ago" if newest else "There is no window yet"
    allowed = spoken(settings.max_age)
    return f"{seen}; it is scored until {allowed} after its end. Find out why readings are late; {OWN_TIME}."

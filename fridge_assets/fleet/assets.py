"""Assets of the fleet's state."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from fridge_assets.alerting.store import open_alert_summary
from fridge_assets.asset_results import (
    AssetEvent,
    column_schema,
    contract_check_spec,
    contract_kept,
    counts_table,
    guarded,
    observed,
)
from fridge_assets.clock import Clock
from fridge_assets.contracts import DEVICE_ALERTS, DEVICE_STATUS, SITE_STATUS, Contract
from fridge_assets.contracts.validation import enforce
from fridge_assets.deployment.store import Deployments
from fridge_assets.fleet.registry import effective_registry
from fridge_assets.fleet.status import device_activity, device_scores, site_status
from fridge_assets.fleet.status import device_status as device_status_rows
from fridge_assets.notifications.watch import changed
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import newest_scores, serving_since
from fridge_assets.staleness.fallback import devices_judged_by_rules
from fridge_assets.staleness.tiers import MODELS_SPEAK, tier_of
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse, replace_all


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            contract.name,
            deps=[DEVICE_ALERTS.name],
            group_name="fleet",
            kinds={"duckdb", "parquet"},
            owners=["team:operations"],
            description=contract.description,
            metadata=column_schema(contract),
        )
        for contract in (DEVICE_STATUS, SITE_STATUS)
    ],
    check_specs=[contract_check_spec(DEVICE_STATUS), contract_check_spec(SITE_STATUS)],
    name="fleet_status",
    pool="fleet_status",
)
def fleet_status(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: Warehouse,
    operations: dg.ResourceParam[Operations],
    published: dg.ResourceParam[Published],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Bring device and site status up to date and publish them as Parquet for other programs."""

    def work() -> Iterator[AssetEvent]:
        now = clock.now()
        registry = effective_registry(settings.root, warehouse)
        paused = Deployments(operations).paused()
        with warehouse.read() as connection:
            activity = device_activity(connection, now, settings)
            scores = device_scores(connection, now, settings, paused)
            since = serving_since(newest_scores(connection, now, settings), paused)
            tier = tier_of(since, now, settings.staleness)
            judged = devices_judged_by_rules(connection, now, settings) if tier not in MODELS_SPEAK else []
        with operations.read() as connection:
            open_alerts = open_alert_summary(connection)
        devices = device_status_rows(registry, activity, scores, open_alerts, now, settings, judged)
        made = ((DEVICE_STATUS, devices), (SITE_STATUS, site_status(devices)))
        for contract, rows in made:
            _store(warehouse, published, contract, rows)
        with operations.transaction() as connection:
            news = changed(connection, "status", f"scores of {since}", now) is not None
        for contract, rows in made:
            result = _result(contract, rows, published)
            yield result if news and tier == "fresh" else observed(context, result)

    yield from guarded(work, {c.name: c.name for c in (DEVICE_STATUS, SITE_STATUS)})


def _store(warehouse: Warehouse, published: Published, contract: Contract, rows: pd.DataFrame) -> None:
    enforce(contract, rows)
    with warehouse.transaction() as connection:
        replace_all(connection, contract, contract.to_arrow(rows))
    published.replace(contract, rows)


def _result(contract: Contract, rows: pd.DataFrame, published: Published) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        asset_key=contract.name,
        metadata={
            "dagster/row_count": len(rows),
            "health": counts_table(rows["health_status"].value_counts().to_dict(), "health"),
            "snapshot": dg.MetadataValue.path(published.path(contract)),
        },
        check_results=[contract_kept(len(rows), contract.name)],
    )

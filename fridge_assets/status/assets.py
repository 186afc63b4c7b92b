"""Assets of the fleet's state."""

from collections.abc import Iterator, Sequence

import dagster as dg
import pandas as pd

from fridge_assets.contracts import DEVICE_ALERTS, DEVICE_STATUS, SITE_STATUS, Contract
from fridge_assets.deployment.store import Deployments
from fridge_assets.incidents.known import incidents_by_id
from fridge_assets.incidents.queries import histories_of, open_ids
from fridge_assets.notifications.watch import changed
from fridge_assets.registry.devices import effective_registry
from fridge_assets.settings import FleetSettings, Settings
from fridge_assets.staleness.ages import newest_scores, serving_since
from fridge_assets.staleness.fallback import devices_judged_by_rules
from fridge_assets.staleness.tiers import MODELS_SPEAK, tier_of
from fridge_assets.status.compute import device_activity, device_scores, site_status
from fridge_assets.status.compute import device_status as device_status_rows
from fridge_assets.status.reconcile import Comparison, compare_histories, compare_status
from fridge_assets.status.refresh import due_events, open_incidents, settle_events, store_status
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import (
    AssetEvent,
    code_version,
    contract_check_spec,
    contract_kept,
    counts_table,
    dataset_specs,
    guarded,
    observed,
    table,
)
from fridge_assets.stores.frames import query
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse

_EXAMPLES = 10


@dg.multi_asset(
    specs=dataset_specs(
        DEVICE_STATUS,
        SITE_STATUS,
        deps=[DEVICE_ALERTS.name],
        group_name="fleet",
        kinds={"duckdb", "parquet"},
        owners=["team:operations"],
        code_version=code_version("status"),
    ),
    check_specs=[contract_check_spec(DEVICE_STATUS), contract_check_spec(SITE_STATUS)],
    name="fleet_status",
    pool="fleet_status",
)
@guarded({c.name: c.name for c in (DEVICE_STATUS, SITE_STATUS)})
def fleet_status(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    published: dg.ResourceParam[Published],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Bring device and site status up to date and publish them as Parquet for other programs."""
    now = clock.now()
    registry = effective_registry(settings.root, warehouse)
    paused = Deployments(operations).paused()
    with warehouse.read() as connection:
        activity = device_activity(connection, now, settings.fleet)
        scores = device_scores(connection, now, settings, paused)
        since = serving_since(newest_scores(connection, now, settings.features), paused)
        tier = tier_of(since, now, settings.staleness)
        judged = devices_judged_by_rules(connection, now, settings.features) if tier not in MODELS_SPEAK else []
    with operations.read() as connection:
        due = due_events(connection)
        open_alerts = open_incidents(connection)
    devices = device_status_rows(registry, activity, scores, open_alerts, now, settings, judged)
    made = ((DEVICE_STATUS, devices), (SITE_STATUS, site_status(devices)))
    written = {c.name: store_status(warehouse, published, c, rows) for c, rows in made}
    with operations.transaction() as connection:
        settle_events(connection, due["event_id"])
        news = changed(connection, "status", f"scores of {since}", now) is not None
    for contract, rows in made:
        result = _result(contract, rows, written[contract.name], published)
        yield result if news and tier == "fresh" else observed(context, result)


@dg.asset_check(
    asset=DEVICE_STATUS.name,
    name="agrees_with_alerts",
    pool="fleet_status",
    description="Every day: open alerts of devices and sites, what is published, and the events of the open incidents "
    "are held against the incidents.",
)
def agrees_with_alerts(
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    published: dg.ResourceParam[Published],
) -> dg.AssetCheckResult:
    """Compare; devices whose incidents have changed since their status was made are left out."""
    with operations.read() as connection:
        due = due_events(connection)["device_id"].unique()
        open_alerts = open_incidents(connection)
        incidents = incidents_by_id(connection, open_ids(connection, settings.fleet.reconciled_alerts))
        histories = histories_of(connection, incidents)
    with warehouse.read() as connection:
        devices, sites = (query(connection, f"SELECT * FROM {c.name}") for c in (DEVICE_STATUS, SITE_STATUS))
    snapshots = (published.read(DEVICE_STATUS), published.read(SITE_STATUS))
    comparisons = [
        *compare_status(devices, sites, *snapshots, open_alerts, due),
        compare_histories(incidents, histories),
    ]
    return _judged(comparisons, settings.fleet)


def _judged(comparisons: Sequence[Comparison], settings: FleetSettings) -> dg.AssetCheckResult:
    worst = max(comparison.rate for comparison in comparisons)
    wrong = [f"{c.subject}: {c.mismatches:,} of {c.compared:,} differ" for c in comparisons if c.mismatches]
    rows = [(c.subject, c.compared, c.mismatches, c.rate) for c in comparisons]
    examples = pd.concat([c.differences.head(_EXAMPLES).assign(subject=c.subject) for c in comparisons])
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR if worst >= settings.mismatch_error else dg.AssetCheckSeverity.WARN,
        description="; ".join(wrong) or "What operators look at agrees with the incidents.",
        metadata={
            "mismatch rate": worst,
            "compared": table(pd.DataFrame(rows, columns=["what", "compared", "differ", "rate"])),
            "examples": table(examples),
        },
    )


def _result(contract: Contract, rows: pd.DataFrame, written: int, published: Published) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        asset_key=contract.name,
        metadata={
            "dagster/row_count": len(rows),
            "changed": written,
            "health": counts_table(rows["health_status"].value_counts().to_dict(), "health"),
            "snapshot": dg.MetadataValue.path(published.path(contract)),
        },
        check_results=[contract_kept(len(rows), contract.name)],
    )

"""Asset of the alerts."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from fridge_assets.alerting.evidence import FALLBACK
from fridge_assets.alerting.run import AlertReport, raise_alerts
from fridge_assets.asset_results import (
    AssetEvent,
    column_schema,
    contract_check_spec,
    contract_kept,
    counts_table,
    guarded,
    observed,
    table,
)
from fridge_assets.clock import Clock
from fridge_assets.contracts import DEVICE_ALERTS, MODEL_SCORES, RULES_BASED_FALLBACK
from fridge_assets.deployment.store import Deployments
from fridge_assets.fleet.registry import effective_registry, with_cohort
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

_TOP_ALERTS = 20


@dg.asset(
    name=DEVICE_ALERTS.name,
    deps=[MODEL_SCORES.name, RULES_BASED_FALLBACK.name, "streaming_alerts", "device_registry"],
    group_name="alerts",
    kinds={"sqlite"},
    owners=["team:operations"],
    description=DEVICE_ALERTS.description,
    metadata=column_schema(DEVICE_ALERTS),
    check_specs=[contract_check_spec(DEVICE_ALERTS)],
    pool="alerts",
)
def device_alerts(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: Warehouse,
    operations: dg.ResourceParam[Operations],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Turn the latest scores into alerts: severity by agreement, repeats suppressed, recovery resolved."""

    def work() -> Iterator[AssetEvent]:
        registry = with_cohort(effective_registry(settings.root, warehouse))
        report = raise_alerts(
            warehouse,
            operations,
            registry,
            clock.now(),
            settings,
            paused=Deployments(operations).paused(),
            run_id=context.run.run_id,
            wall_time=Clock.wall_time(),
        )
        if report.source == FALLBACK:
            context.log.warning(f"The models' scores are {report.tier}: alerts come from the rules.")
        if report.window_end is None:
            context.log.warning("There is no recent window that anybody judged, so there is nothing to alert on.")
        result = _result(report)
        current = report.tier == "fresh" or report.source == FALLBACK
        yield result if report.news and current else observed(context, result)

    yield from guarded(work, {DEVICE_ALERTS.name: DEVICE_ALERTS.name})


def _result(report: AlertReport) -> dg.MaterializeResult[None]:
    new = report.generated.new
    told = new[~new["suppressed"].astype(bool)]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(new),
            "told": len(told),
            "suppressed repeats": len(new) - len(told),
            "changed": len(report.generated.updated),
            "window": report.window_end.isoformat() if report.window_end else "none",
            "raised by": report.source,
            "age of the scores": report.tier,
            "severities": counts_table(told["severity"].value_counts().to_dict(), "severity"),
            "top alerts": table(_top(told)),
        },
        check_results=[contract_kept(len(new), DEVICE_ALERTS.name)],
    )


def _top(alerts: pd.DataFrame) -> pd.DataFrame:
    columns = ["device_id", "site_id", "severity", "anomaly_score", "title", "description"]
    return alerts.sort_values("anomaly_score", ascending=False)[columns].head(_TOP_ALERTS)

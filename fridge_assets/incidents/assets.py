"""Assets of the alerts, and of what people say of them."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import dagster as dg
import pandas as pd

from fridge_assets.contracts import DEVICE_ALERTS, LABEL_EVENTS, MODEL_SCORES, RULES_BASED_FALLBACK
from fridge_assets.core.errors import FridgeError
from fridge_assets.deployment.store import Deployments
from fridge_assets.incidents.budget import alert_load
from fridge_assets.incidents.observing.flagged import FALLBACK
from fridge_assets.incidents.observing.run import AlertReport, open_alerts, raise_alerts
from fridge_assets.registry.devices import active_devices, effective_registry, with_cohort
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import (
    AssetEvent,
    code_version,
    contract_check_spec,
    contract_kept,
    counts_table,
    dataset_metadata,
    guarded,
    not_made,
    observed,
    picture,
    table,
    with_pictures,
)
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

BUDGET_CHECK = "within_alert_budget"

_TOP_ALERTS = 20
_MOST_OPEN_ALERTS = 1000

label_events = dg.AssetSpec(
    LABEL_EVENTS.name,
    group_name="labels",
    kinds={"sqlite"},
    owners=["team:operations"],
    description=f"{LABEL_EVENTS.description[:-1]}, stored with what people do (`fridge-assets incidents resolve`).",
    metadata=dataset_metadata(LABEL_EVENTS),
)


@dg.asset(
    name=DEVICE_ALERTS.name,
    deps=[MODEL_SCORES.name, RULES_BASED_FALLBACK.name, "streaming_alerts", "device_registry"],
    group_name="alerts",
    kinds={"sqlite"},
    owners=["team:operations"],
    description=with_pictures(DEVICE_ALERTS.description, DEVICE_ALERTS.name, "open alerts"),
    metadata=dataset_metadata(DEVICE_ALERTS),
    code_version=code_version("diagnosis", "incidents"),
    check_specs=[
        contract_check_spec(DEVICE_ALERTS),
        dg.AssetCheckSpec(
            BUDGET_CHECK,
            asset=DEVICE_ALERTS.name,
            description="Operators can look into all alerts of MEDIUM or higher of the last 24 hours.",
        ),
    ],
    pool="alerts",
)
@guarded({DEVICE_ALERTS.name: DEVICE_ALERTS.name})
def device_alerts(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Turn the latest scores into alerts, and decide what they mean for incidents and who is told."""
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
    within_budget = _within_budget(operations, len(active_devices(registry)), clock.now(), settings)
    result = _result(report, within_budget, _open_alerts(operations, clock.now()))
    current = report.tier == "fresh" or report.source == FALLBACK
    yield result if report.news and current else observed(context, result)


def _within_budget(operations: Operations, devices: int, now: datetime, settings: Settings) -> dg.AssetCheckResult:
    """Whether there are more alerts than people can look into; what cannot be counted does not undo a publication."""
    try:
        with operations.read() as connection:
            load = alert_load(connection, devices, now, settings)
    except FridgeError as error:
        return not_made(DEVICE_ALERTS.name, BUDGET_CHECK, str(error))
    return dg.AssetCheckResult(
        passed=load.within,
        asset_key=DEVICE_ALERTS.name,
        check_name=BUDGET_CHECK,
        severity=dg.AssetCheckSeverity.WARN,
        description=load.sentence,
        metadata={"told in 24 h": load.observed, "expected a day": load.expected, "budget": load.budget},
    )


def _open_alerts(operations: Operations, now: datetime) -> dict[str, dg.MarkdownMetadataValue]:
    """The picture of the open alerts; none where they cannot be read, which does not undo a publication."""
    try:
        with operations.read() as connection:
            alerts = open_alerts(connection, _MOST_OPEN_ALERTS)
    except FridgeError:
        return {}
    from fridge_assets.incidents.plots import highest_alerts  # noqa: PLC0415 (matplotlib)

    return {"open alerts": picture(highest_alerts(alerts, now), "open alerts")}


def _result(
    report: AlertReport, within_budget: dg.AssetCheckResult, shown: dict[str, dg.MarkdownMetadataValue]
) -> dg.MaterializeResult[None]:
    new, outcome = report.alerts, report.outcome
    told = new[~new["suppressed"].astype(bool)]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(new),
            "told": len(told),
            "kept for audit": counts_table(Counter(outcome.held), "reason"),
            "incidents opened": len(outcome.opened),
            "changed": sum(bool(step.decision.events) for step in outcome.steps),
            "window": report.window_end.isoformat() if report.window_end else "none",
            "raised by": report.source,
            "age of the scores": report.tier,
            "severities": counts_table(told["severity"].value_counts().to_dict(), "severity"),
            **shown,
            "top alerts": table(_top(told)),
        },
        check_results=[contract_kept(len(new), DEVICE_ALERTS.name), within_budget],
    )


def _top(alerts: pd.DataFrame) -> pd.DataFrame:
    columns = ["device_id", "site_id", "severity", "anomaly_score", "title", "description"]
    return alerts.sort_values("anomaly_score", ascending=False)[columns].head(_TOP_ALERTS)

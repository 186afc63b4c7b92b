"""The asset of the alerts' quality: how many of them were real failures, and whether people can keep up with them."""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg
import pandas as pd

from fridge_assets.alert_quality.health import AlarmHealth
from fridge_assets.alert_quality.health_advice import measures_of
from fridge_assets.alert_quality.notified import read_alarm_health
from fridge_assets.alert_quality.store import assess_alerts, commit_quality
from fridge_assets.contracts import ALERT_QUALITY, DEVICE_ALERTS, LABEL_EVENTS, MODEL_SCORES
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import (
    AssetEvent,
    code_version,
    contract_check_spec,
    contract_kept,
    dataset_metadata,
    guarded,
    not_made,
    picture,
    table,
    with_pictures,
)
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

THRESHOLDS_CHECK = "thresholds_hold"
HEALTH_CHECK = "alarm_health_within_limits"


@dg.asset(
    name=ALERT_QUALITY.name,
    deps=[DEVICE_ALERTS.name, LABEL_EVENTS.name, MODEL_SCORES.name],
    group_name="monitoring",
    kinds={"duckdb", "python"},
    owners=["team:ml"],
    description=with_pictures(ALERT_QUALITY.description, ALERT_QUALITY.name, "precision", "alarm health"),
    metadata=dataset_metadata(ALERT_QUALITY),
    code_version=code_version("alert_quality"),
    check_specs=[
        contract_check_spec(ALERT_QUALITY),
        dg.AssetCheckSpec(
            THRESHOLDS_CHECK,
            asset=ALERT_QUALITY.name,
            description="No threshold lets through more false positives than its limit, as far as the labels say.",
        ),
        dg.AssetCheckSpec(
            HEALTH_CHECK,
            asset=ALERT_QUALITY.name,
            description="People can keep up with what they are told: load, peaks, floods, chattering and standing.",
        ),
    ],
    pool="monitoring",
)
@guarded({ALERT_QUALITY.name: ALERT_QUALITY.name})
def alert_quality(
    _context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Say how many alerts were real failures, by what raised them, which threshold to change, and who keeps up."""
    now = clock.now()
    rows = assess_alerts(warehouse, operations, now, settings)
    with operations.read() as connection:
        health = read_alarm_health(connection, now, settings)
    commit_quality(warehouse, rows)
    yield _assessed(rows, health, settings)


def _assessed(rows: pd.DataFrame, health: AlarmHealth, settings: Settings) -> dg.MaterializeResult[None]:
    from fridge_assets.alert_quality.health_plots import alarm_health_picture  # noqa: PLC0415 (matplotlib)
    from fridge_assets.alert_quality.plots import precision_picture  # noqa: PLC0415 (matplotlib)

    measures = measures_of(health, settings)
    exceeded = [f"{one.name} {one.value}, limit {one.limit}: {one.advice}" for one in measures if not one.within]
    advice = rows.loc[rows["advice"] != "", "advice"].tolist()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "alerts": table(rows.drop(columns=["computed_at", "window_from", "window_to"])),
            "advice": dg.MetadataValue.md("\n".join(f"- {said}" for said in advice) or "none"),
            "precision": picture(precision_picture(rows, settings.quality.max_false_positives), "precision"),
            "measures": table(pd.DataFrame([asdict(one) for one in measures])),
            "alarm health": picture(alarm_health_picture(health, settings.alarm_health), "alarm health"),
        },
        check_results=[
            contract_kept(len(rows), ALERT_QUALITY.name),
            _warned(THRESHOLDS_CHECK, advice)
            if rows["labelled"].sum()
            else not_made(ALERT_QUALITY.name, THRESHOLDS_CHECK, "nobody has said of an alert whether it was right"),
            _warned(HEALTH_CHECK, exceeded),
        ],
    )


def _warned(check: str, advice: list[str]) -> dg.AssetCheckResult:
    """A warning with the advice; passed where there is none."""
    return dg.AssetCheckResult(
        passed=not advice,
        asset_key=ALERT_QUALITY.name,
        check_name=check,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(advice) or None,
    )

"""Asset of the monitoring."""

from collections.abc import Iterator

import dagster as dg

from fridge_assets.contracts import DEVICE_FEATURES, MODEL_MONITORING, MODEL_SCORES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.monitoring.watch import MonitoringReport, watch_models
from fridge_assets.monitoring.wording import WATCHES, judgement, summary
from fridge_assets.settings import CalibrationSettings, Settings
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
from fridge_assets.stores.warehouse import Warehouse

_PICTURES = ("score quantiles", "flagged share", "feature drift", "agreement")


@dg.asset(
    name=MODEL_MONITORING.name,
    deps=[MODEL_SCORES.name, DEVICE_FEATURES.name],
    group_name="monitoring",
    kinds={"duckdb", "python"},
    owners=["team:ml"],
    description=with_pictures(MODEL_MONITORING.description, MODEL_MONITORING.name, *_PICTURES),
    metadata=dataset_metadata(MODEL_MONITORING),
    code_version=code_version("monitoring"),
    check_specs=[
        contract_check_spec(MODEL_MONITORING),
        *(dg.AssetCheckSpec(watch.name, asset=MODEL_MONITORING.name, description=watch.meaning) for watch in WATCHES),
    ],
    pool="monitoring",
)
@guarded({MODEL_MONITORING.name: MODEL_MONITORING.name})
def model_monitoring(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    models: dg.ResourceParam[ModelLifecycle],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Hold scores, features and agreement of each family's newest window against their limits."""
    report = watch_models(warehouse, models, clock.now(), settings)
    if report.rows.empty:
        context.log.warning("There are no scores yet, so there is nothing to watch.")
    yield _result(report, settings.calibration)


def _result(report: MonitoringReport, settings: CalibrationSettings) -> dg.MaterializeResult[None]:
    from fridge_assets.monitoring import plots  # noqa: PLC0415 (matplotlib)

    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(report.rows),
            "warnings": int((report.rows["verdict"] == "warn").sum()),
            "metrics": table(summary(report)),
            "score quantiles": picture(plots.score_quantiles(report.history, settings.threshold), "score quantiles"),
            "flagged share": picture(plots.flagged_shares(report.history), "flagged share"),
            "feature drift": picture(plots.feature_drift(report.rows), "feature drift"),
            "agreement": picture(plots.agreement_matrix(report.rows), "agreement"),
        },
        check_results=[contract_kept(len(report.rows), MODEL_MONITORING.name), *_checks(report)],
    )


def _checks(report: MonitoringReport) -> Iterator[dg.AssetCheckResult]:
    for watch in WATCHES:
        passed, said = judgement(watch, report)
        if passed is None:
            yield not_made(MODEL_MONITORING.name, watch.name, said)
            continue
        yield dg.AssetCheckResult(
            passed=passed,
            asset_key=MODEL_MONITORING.name,
            check_name=watch.name,
            severity=dg.AssetCheckSeverity.WARN,
            description=said,
            metadata={"beyond their limits": len(report.warned(*watch.metrics))},
        )

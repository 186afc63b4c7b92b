"""Asset of the rules that stand in for the models."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from fridge_assets.contracts import DEVICE_FEATURES, RULES_BASED_FALLBACK
from fridge_assets.registry.devices import active_devices, effective_registry
from fridge_assets.settings import Settings
from fridge_assets.staleness.fallback import FallbackBlind, FallbackReport, judge_by_rules
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import (
    CONTRACT_CHECK,
    AssetEvent,
    code_version,
    contract_check_spec,
    contract_kept,
    counts_table,
    dataset_metadata,
    guarded,
    not_made,
    table,
)
from fridge_assets.stores.warehouse import Warehouse

FEATURES_CHECK = "features_young_enough"
_SHOWN = 20


@dg.asset(
    name=RULES_BASED_FALLBACK.name,
    deps=[DEVICE_FEATURES.name, "device_registry"],
    group_name="scores",
    kinds={"duckdb", "python"},
    owners=["team:operations"],
    description=f"{RULES_BASED_FALLBACK.description} Started by a sensor once scores are two hours old.",
    metadata=dataset_metadata(RULES_BASED_FALLBACK),
    code_version=code_version("staleness"),
    check_specs=[
        contract_check_spec(RULES_BASED_FALLBACK),
        dg.AssetCheckSpec(
            FEATURES_CHECK,
            asset=RULES_BASED_FALLBACK.name,
            description="There are features to judge by; a failure means that readings are late too.",
        ),
    ],
    pool=RULES_BASED_FALLBACK.name,
)
@guarded({RULES_BASED_FALLBACK.name: RULES_BASED_FALLBACK.name})
def rules_based_fallback(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Flag the devices beyond a fixed limit in the newest window."""
    devices = active_devices(effective_registry(settings.root, warehouse))
    try:
        report = judge_by_rules(warehouse, devices, clock.now(), settings)
    except FallbackBlind as error:
        context.log.warning(str(error))
        # Alerts and status come after it in the same run: they must go on saying what is known.
        yield dg.MaterializeResult(
            metadata={"judged": "nothing", "because": str(error)},
            check_results=[
                not_made(RULES_BASED_FALLBACK.name, CONTRACT_CHECK, str(error)),
                _features_check(str(error)),
            ],
        )
        return
    yield _result(report)


def _result(report: FallbackReport) -> dg.MaterializeResult[None]:
    flagged = report.rows[report.rows["anomaly_flag"]]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(report.rows),
            "window": report.window_end.isoformat(),
            "active devices": report.active,
            "flagged": report.flagged,
            "conditions": counts_table(flagged["conditions"].explode().value_counts().to_dict(), "condition"),
            "flagged devices": table(_shown(flagged)),
        },
        check_results=[contract_kept(len(report.rows), RULES_BASED_FALLBACK.name), _features_check("")],
    )


def _features_check(problem: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not problem,
        asset_key=RULES_BASED_FALLBACK.name,
        check_name=FEATURES_CHECK,
        severity=dg.AssetCheckSeverity.ERROR,
        description=problem or None,
    )


def _shown(flagged: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"device_id": flagged["device_id"], "conditions": flagged["conditions"].map(", ".join)}).head(
        _SHOWN
    )

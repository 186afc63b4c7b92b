"""Assets of the canary: candidates scored beside production, and what the comparison says."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from fridge_assets.canary.run import Comparison, compare_pairs, due_pairs
from fridge_assets.canary.store import commit_comparisons
from fridge_assets.contracts import CANARY_REPORTS, CANARY_SCORES, DEVICE_FEATURES, LABEL_EVENTS
from fridge_assets.models.assets import model_name
from fridge_assets.models.exclusions import known_spans
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.registry.devices import active_devices, effective_registry, with_cohort
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
    with_pictures,
)
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

CANDIDATES_CHECK = "candidates_pass"
NEW_RELEASES_CHECK = "new_releases_hold"


@dg.multi_asset(
    name="canary_comparison",
    specs=[
        dg.AssetSpec(
            contract.name,
            deps=deps,
            group_name="canary",
            kinds={"duckdb"},
            owners=["team:ml"],
            description=with_pictures(contract.description, contract.name, *titles),
            metadata=dataset_metadata(contract),
            code_version=code_version("canary", "scoring", "models"),
        )
        for contract, deps, titles in (
            (
                CANARY_SCORES,
                [DEVICE_FEATURES.name, "device_registry", *(model_name(family) for family in FAMILIES)],
                (),
            ),
            (CANARY_REPORTS, [CANARY_SCORES.name, LABEL_EVENTS.name], tuple(f"{family} " for family in FAMILIES)),
        )
    ],
    check_specs=[
        contract_check_spec(CANARY_SCORES),
        contract_check_spec(CANARY_REPORTS),
        dg.AssetCheckSpec(
            CANDIDATES_CHECK,
            asset=CANARY_REPORTS.name,
            description="Every candidate passed in the latest window, with its battery.",
        ),
        dg.AssetCheckSpec(
            NEW_RELEASES_CHECK,
            asset=CANARY_REPORTS.name,
            description="A new release scores as the one before it did, within the canary's limits, in its first runs.",
        ),
    ],
    pool="canary",
)
@guarded({CANARY_SCORES.name: CANARY_SCORES.name, CANARY_REPORTS.name: CANARY_REPORTS.name})
def canary_comparison(
    _context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    models: dg.ResourceParam[ModelLifecycle],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Hold every candidate, and every release in its first runs, against the version before on the same rows."""
    devices = active_devices(with_cohort(effective_registry(settings.root, warehouse)))
    pairs = due_pairs(models, warehouse, settings.canary)
    now = clock.now()
    with operations.read() as store:
        spans = known_spans(store, devices, now, settings.training)
    compared = list(compare_pairs(pairs, models, warehouse, devices, spans, now, clock.wall_time(), settings))
    scores = pd.concat([CANARY_SCORES.empty(), *(found.scores for found in compared)], ignore_index=True)
    reports = pd.concat([CANARY_REPORTS.empty(), *(found.report.to_row() for found in compared)], ignore_index=True)
    if compared:
        commit_comparisons(warehouse, reports, scores)
    yield dg.MaterializeResult(
        asset_key=CANARY_SCORES.name,
        metadata={"dagster/row_count": len(scores), "compared": ", ".join(map(_named, compared)) or "nothing"},
        check_results=[contract_kept(len(scores), CANARY_SCORES.name)],
    )
    yield dg.MaterializeResult(
        asset_key=CANARY_REPORTS.name,
        metadata={"dagster/row_count": len(reports), **_shown(compared)},
        check_results=[
            contract_kept(len(reports), CANARY_REPORTS.name),
            _candidates(compared),
            _new_releases(compared),
        ],
    )


def _named(comparison: Comparison) -> str:
    pair = comparison.pair
    return f"{pair.family} {pair.candidate} with {pair.production}"


def _shown(compared: Sequence[Comparison]) -> dict[str, dg.MetadataValue[Any]]:
    from fridge_assets.canary.plots import canary_picture  # noqa: PLC0415 (matplotlib)

    shown: dict[str, dg.MetadataValue[Any]] = {}
    for found in compared:
        name = _named(found)
        shown[f"{name}: {found.report.verdict}"] = dg.MetadataValue.md(
            f"{found.report.reason}\n\n{found.report.markdown()}"
        )
        shown[f"{name}: picture"] = picture(canary_picture(found.report, found.given), name)
        shown[f"{name}: entered the top"] = dg.MetadataValue.json(list(found.report.entered))
        shown[f"{name}: left the top"] = dg.MetadataValue.json(list(found.report.left))
    return shown


def _candidates(compared: Sequence[Comparison]) -> dg.AssetCheckResult:
    candidates = [c for c in compared if c.pair.purpose == "candidate"]
    if not candidates:
        return not_made(CANARY_REPORTS.name, CANDIDATES_CHECK, "no version is staged")
    found = [c for c in candidates if c.report.verdict != "pass"]
    return dg.AssetCheckResult(
        passed=not found,
        asset_key=CANARY_REPORTS.name,
        check_name=CANDIDATES_CHECK,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(f"{_named(c)}: {c.report.verdict}. {c.report.reason}" for c in found) or None,
    )


def _new_releases(compared: Sequence[Comparison]) -> dg.AssetCheckResult:
    """Fails where a new release shifts; an inconclusive comparison does not accuse it."""
    releases = [c for c in compared if c.pair.purpose == "new release"]
    if not releases:
        return not_made(CANARY_REPORTS.name, NEW_RELEASES_CHECK, "no release is in its first runs")
    found = [c for c in releases if c.report.verdict not in ("pass", "inconclusive")]
    return dg.AssetCheckResult(
        passed=not found,
        asset_key=CANARY_REPORTS.name,
        check_name=NEW_RELEASES_CHECK,
        severity=dg.AssetCheckSeverity.ERROR,
        description=" ".join(
            f"{_named(c)}: {c.report.reason} To take it back: `fridge-assets models rollback {c.pair.family}`."
            for c in found
        )
        or None,
    )

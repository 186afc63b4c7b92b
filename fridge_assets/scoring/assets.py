"""Assets of the scores: one per model family, each its own step, and what they publish together."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import Field

from fridge_assets.asset_results import (
    AssetEvent,
    column_schema,
    contract_check_spec,
    contract_kept,
    guarded,
    picture,
    table,
)
from fridge_assets.clock import Clock
from fridge_assets.contracts import DEVICE_FEATURES, MODEL_SCORES
from fridge_assets.features.compute import newest_window_end
from fridge_assets.fleet.registry import active_devices, effective_registry, with_cohort
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.registry import ModelRegistry
from fridge_assets.moments import parse_moment
from fridge_assets.scoring.model_input import ModelInput, read_model_input, window_to_score
from fridge_assets.scoring.plots import score_histogram
from fridge_assets.scoring.publish import publish_scores
from fridge_assets.scoring.score import ScoreReport, choose_devices, commit_scores, score_window, scores_table
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse

COVERAGE_CHECK = "coverage"
_TOP_SCORES = 10


class ScoreConfig(dg.Config):
    """What to score; empty means the whole fleet in the latest closed window."""

    devices: list[str] = Field([], description="Only these devices")
    window_end: str = Field("", description="This past window, ISO 8601; however old it is")


def score_asset(family: str) -> dg.AssetsDefinition:
    """The asset that scores with the released version of ``family``."""
    name = scores_table(family)

    @dg.asset(
        name=name,
        deps=[DEVICE_FEATURES.name, f"{family}_model", "device_registry"],
        group_name="scores",
        kinds={"duckdb", "scikitlearn"},
        owners=["team:ml"],
        description=f"Scores of the released {family} version.",
        metadata=column_schema(MODEL_SCORES),
        check_specs=[
            contract_check_spec(MODEL_SCORES, name),
            dg.AssetCheckSpec(
                COVERAGE_CHECK, asset=name, description="Share of active devices that were scored (SPEC 1.5)."
            ),
        ],
        pool=name,
    )
    def scores(
        context: dg.AssetExecutionContext,
        config: ScoreConfig,
        settings: dg.ResourceParam[Settings],
        warehouse: Warehouse,
        models: dg.ResourceParam[ModelRegistry],
        clock: Clock,
    ) -> Iterator[AssetEvent]:
        def work() -> Iterator[AssetEvent]:
            now = clock.now()
            version = models.load(models.require_released(family))
            given = _model_input(config, settings, warehouse, clock)
            report = score_window(version, given, now, settings)
            whole_window = not config.devices
            changed = commit_scores(warehouse, report, context.run.run_id, whole_window=whole_window)
            yield from _results(name, report, changed, settings)

        yield from guarded(work, {MODEL_SCORES.name: name})

    return scores


SCORE_ASSETS: tuple[dg.AssetsDefinition, ...] = tuple(score_asset(family) for family in FAMILIES)


@dg.asset(
    name=MODEL_SCORES.name,
    deps=[scores_table(family) for family in FAMILIES],
    group_name="scores",
    kinds={"duckdb"},
    owners=["team:ml"],
    description=f"{MODEL_SCORES.description} Whatever models succeeded.",
    metadata=column_schema(MODEL_SCORES),
    pool=MODEL_SCORES.name,
)
def model_scores(warehouse: Warehouse) -> Iterator[AssetEvent]:
    """Publish the windows that were scored since the last publication."""

    def work() -> Iterator[AssetEvent]:
        report = publish_scores(warehouse)
        yield dg.MaterializeResult(metadata={"dagster/row_count": report.rows, "published": table(report.published)})

    yield from guarded(work, {MODEL_SCORES.name: MODEL_SCORES.name})


def _model_input(config: ScoreConfig, settings: Settings, warehouse: Warehouse, clock: Clock) -> ModelInput:
    devices = active_devices(with_cohort(effective_registry(settings.root, warehouse)))
    chosen = choose_devices(devices, config.devices)
    now = clock.now()
    with warehouse.read() as connection:
        if config.window_end:
            window_end = parse_moment(config.window_end, "window_end")
        else:
            window_end = window_to_score(newest_window_end(connection, now), now, settings)
        return read_model_input(connection, window_end, chosen, settings)


def _results(name: str, report: ScoreReport, changed: bool, settings: Settings) -> Iterator[AssetEvent]:
    scores = report.scores
    share = report.flagged / len(scores)
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(scores),
            "window": report.window_end.isoformat(),
            "model version": report.model_version,
            "coverage": report.coverage,
            "flagged": report.flagged,
            "flagged share": share,
            "changed": changed,
            "left out": table(pd.DataFrame(sorted(report.left_out.items()), columns=["reason", "devices"])),
            "score histogram": picture(_histogram(name, report, settings), "score histogram"),
            "highest scores": table(_highest(scores)),
        },
        check_results=[
            contract_kept(len(scores), name),
            dg.AssetCheckResult(
                passed=report.coverage >= settings.scoring.min_coverage,
                asset_key=name,
                check_name=COVERAGE_CHECK,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"coverage": report.coverage, "wanted": settings.scoring.min_coverage},
            ),
        ],
    )


def _histogram(name: str, report: ScoreReport, settings: Settings) -> bytes:
    threshold = settings.calibration.threshold
    return score_histogram(report.scores["anomaly_score"], threshold, f"{name} {report.model_version}")


def _highest(scores: pd.DataFrame) -> pd.DataFrame:
    highest = scores.nlargest(_TOP_SCORES, "anomaly_score")[["device_id", "anomaly_score", "top_contributors"]]
    return highest.assign(top_contributors=highest["top_contributors"].map(", ".join))

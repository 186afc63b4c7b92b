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
from fridge_assets.fleet.registry import effective_registry, with_cohort
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.moments import parse_moment
from fridge_assets.scoring.plots import score_histogram
from fridge_assets.scoring.publish import publish_scores
from fridge_assets.scoring.score import commit_scores, scores_table
from fridge_assets.scoring.serve import ScoreTarget, ServedScores, score_target
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse

COVERAGE_CHECK = "coverage"
ARTIFACT_CHECK = "artifact_unchanged"
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
        kinds={"duckdb", "python"},
        owners=["team:ml"],
        description=f"Scores of the released {family} version.",
        metadata=column_schema(MODEL_SCORES),
        check_specs=[
            contract_check_spec(MODEL_SCORES, name),
            dg.AssetCheckSpec(
                COVERAGE_CHECK, asset=name, description="Share of active devices that were scored (SPEC 1.5)."
            ),
            dg.AssetCheckSpec(
                ARTIFACT_CHECK,
                asset=name,
                description="The files of the version that should score are what training wrote; a failure means that "
                "the last good release scores instead.",
            ),
        ],
        pool=name,
    )
    def scores(
        context: dg.AssetExecutionContext,
        config: ScoreConfig,
        settings: dg.ResourceParam[Settings],
        warehouse: Warehouse,
        models: dg.ResourceParam[ModelLifecycle],
        clock: Clock,
    ) -> Iterator[AssetEvent]:
        def work() -> Iterator[AssetEvent]:
            target = ScoreTarget(
                family,
                tuple(config.devices),
                parse_moment(config.window_end, "window_end") if config.window_end else None,
            )
            registry = with_cohort(effective_registry(settings.root, warehouse))
            served = score_target(target, models, warehouse, registry, clock.now(), settings)
            for reason in served.refused:
                context.log.error(reason)
            changed = commit_scores(warehouse, served.reports, context.run.run_id, whole_window=not config.devices)
            yield from _results(name, served, changed, settings)

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


def _results(name: str, served: ServedScores, changed: bool, settings: Settings) -> Iterator[AssetEvent]:
    scores = served.scores
    flagged = int(scores["anomaly_flag"].sum())
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(scores),
            "window": served.reports[0].window_end.isoformat(),
            "model version": served.versions,
            "coverage": served.coverage,
            "flagged": flagged,
            "flagged share": flagged / len(scores),
            "changed": changed,
            "left out": table(pd.DataFrame(sorted(served.left_out.items()), columns=["reason", "devices"])),
            "score histogram": picture(_histogram(name, served, settings), "score histogram"),
            "highest scores": table(_highest(scores)),
        },
        check_results=[
            contract_kept(len(scores), name),
            dg.AssetCheckResult(
                passed=served.coverage >= settings.scoring.min_coverage,
                asset_key=name,
                check_name=COVERAGE_CHECK,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"coverage": served.coverage, "wanted": settings.scoring.min_coverage},
            ),
            dg.AssetCheckResult(
                passed=not served.refused,
                asset_key=name,
                check_name=ARTIFACT_CHECK,
                severity=dg.AssetCheckSeverity.ERROR,
                description=" ".join(served.refused) or None,
                metadata={"scored by": served.versions},
            ),
        ],
    )


def _histogram(name: str, served: ServedScores, settings: Settings) -> bytes:
    threshold = settings.calibration.threshold
    return score_histogram(served.scores["anomaly_score"], threshold, f"{name} {served.versions}")


def _highest(scores: pd.DataFrame) -> pd.DataFrame:
    highest = scores.nlargest(_TOP_SCORES, "anomaly_score")[["device_id", "anomaly_score", "top_contributors"]]
    return highest.assign(top_contributors=highest["top_contributors"].map(", ".join))

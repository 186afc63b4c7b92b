"""Assets of the scores: one per model family, each its own step, and what they publish together."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import Field

from fridge_assets.contracts import DEVICE_FEATURES, MODEL_SCORES
from fridge_assets.contracts.lineage import published_lineage, scores_lineage
from fridge_assets.core.moments import parse_moment
from fridge_assets.deployment.decide import Request
from fridge_assets.deployment.store import Deployments
from fridge_assets.deployment.wording import sentence
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.registry.devices import effective_registry, with_cohort
from fridge_assets.scoring.distribution import DistributionVerdict
from fridge_assets.scoring.publish import publish_scores
from fridge_assets.scoring.score import commit_scores, scores_table
from fridge_assets.scoring.serve import ScoreTarget, ServedScores, judge_scores, score_target
from fridge_assets.scoring.withhold import withhold
from fridge_assets.settings import CalibrationSettings, Settings
from fridge_assets.staleness.ages import is_current, keep_ages, kept_ages, newest_scores, serving_tier
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.deadline import deadline
from fridge_assets.steps.results import (
    CONTRACT_CHECK,
    NOT_TOLD,
    AssetEvent,
    code_version,
    contract_check_spec,
    contract_kept,
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

COVERAGE_CHECK = "coverage"
ARTIFACT_CHECK = "artifact_unchanged"
DISTRIBUTION_CHECK = "score_distribution"
AUTO_PAUSE = "auto-pause"
"""Who pauses a model whose scores are distributed anomalously."""

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
        description=with_pictures(f"Scores of the released {family} version.", name, "score histogram"),
        metadata=dataset_metadata(MODEL_SCORES, scores_lineage()),
        code_version=code_version("scoring", "models"),
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
            dg.AssetCheckSpec(
                DISTRIBUTION_CHECK,
                asset=name,
                description="The scores are distributed as in the good runs before and the model is not paused; a "
                "failure means that nothing was committed: see the withheld scores, then `fridge-assets resume`.",
            ),
        ],
        pool=name,
    )
    @guarded({MODEL_SCORES.name: name})
    def scores(
        context: dg.AssetExecutionContext,
        config: ScoreConfig,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        models: dg.ResourceParam[ModelLifecycle],
        clock: Clock,
    ) -> Iterator[AssetEvent]:
        now = clock.now()
        deployment = models.deployments.of(family)
        if deployment.pause is not None:
            yield observed(context, _silent(name, sentence(deployment.pause, deployment)))
            return
        if untrained := models.untrained_yet(family):
            yield observed(context, _silent(name, untrained, expected=True))
            return
        target = ScoreTarget(
            family,
            tuple(config.devices),
            parse_moment(config.window_end, "window_end") if config.window_end else None,
        )
        registry = with_cohort(effective_registry(settings.root, warehouse))
        with deadline(settings.scoring.step_timeout):
            served = score_target(target, models, warehouse, registry, now, settings)
        for reason in served.refused:
            context.log.error(reason)
        verdict = judge_scores(served, target, warehouse, deployment.resumed_at, settings.monitoring)
        if verdict.anomalous:
            withhold(warehouse, served.reports, context.run.run_id, verdict.said, now)
            models.pause(family, Request(AUTO_PAUSE, Clock.wall_time(), verdict.said, context.run.run_id))
            yield observed(context, _result(name, served, verdict, {"withheld": True}, settings))
            return
        changed = commit_scores(warehouse, served.reports, context.run.run_id, whole_window=not config.devices)
        result = _result(name, served, verdict, {"changed": changed}, settings)
        current = is_current(served.reports[0].window_end, now, settings.features)
        yield result if changed and current and not config.devices else observed(context, result)

    return scores


SCORE_ASSETS: tuple[dg.AssetsDefinition, ...] = tuple(score_asset(family) for family in FAMILIES)


@dg.asset(
    name=MODEL_SCORES.name,
    deps=[scores_table(family) for family in FAMILIES],
    group_name="scores",
    kinds={"duckdb"},
    owners=["team:ml"],
    description=f"{MODEL_SCORES.description} Whatever models succeeded.",
    metadata=dataset_metadata(MODEL_SCORES, published_lineage([scores_table(family) for family in FAMILIES])),
    code_version=code_version("scoring", "models"),
    pool=MODEL_SCORES.name,
)
@guarded({MODEL_SCORES.name: MODEL_SCORES.name})
def model_scores(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    clock: Clock,
) -> Iterator[AssetEvent]:
    """Publish the windows that were scored since the last publication, and note how old the newest scores are."""
    report = publish_scores(warehouse)
    with warehouse.read() as connection:
        # By the actual time, also in a replay: what is kept is about the fleet now.
        ages = newest_scores(connection, Clock.wall_time(), settings.features)
        own = newest_scores(connection, clock.now(), settings.features)
    tier = serving_tier(own, Deployments(operations).paused(), clock.now(), settings.staleness)
    with operations.transaction() as transaction:
        news = ages != kept_ages(transaction)
        keep_ages(transaction, ages)
    result: dg.MaterializeResult[None] = dg.MaterializeResult(
        metadata={
            "dagster/row_count": report.rows,
            "age of the scores": tier,
            "published": table(report.published),
        }
    )
    yield result if news and tier == "fresh" else observed(context, result)


def _result(
    name: str, served: ServedScores, verdict: DistributionVerdict, what_became: dict[str, bool], settings: Settings
) -> dg.MaterializeResult[None]:
    scores = served.scores
    flagged = int(scores["anomaly_flag"].sum())
    return dg.MaterializeResult(
        asset_key=name,
        metadata={
            "dagster/row_count": len(scores),
            "window": served.reports[0].window_end.isoformat(),
            "model version": served.versions,
            "coverage": served.coverage,
            "flagged": flagged,
            "flagged share": flagged / len(scores),
            **what_became,
            "left out": table(pd.DataFrame(sorted(served.left_out.items()), columns=["reason", "devices"])),
            "score histogram": picture(_histogram(name, served, settings.calibration), "score histogram"),
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
            _distribution(name, verdict),
        ],
    )


def _distribution(name: str, verdict: DistributionVerdict) -> dg.AssetCheckResult:
    if verdict.kl is None:
        return not_made(name, DISTRIBUTION_CHECK, verdict.said)
    withheld = " The scores are withheld and the model is paused." if verdict.anomalous else ""
    return dg.AssetCheckResult(
        passed=not verdict.anomalous,
        asset_key=name,
        check_name=DISTRIBUTION_CHECK,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{verdict.said}.{withheld}",
        # The pause itself is what people are told.
        metadata={NOT_TOLD: True, "limit": verdict.limit, "KL divergence": verdict.kl},
    )


def _silent(name: str, why: str, *, expected: bool = False) -> dg.MaterializeResult[None]:
    """What is said of a model that was not asked: it is paused, or ``expected`` to have no version yet."""
    return dg.MaterializeResult(
        asset_key=name,
        metadata={"scored": False, "because": why},
        check_results=[
            not_made(name, DISTRIBUTION_CHECK, why)
            if expected
            else dg.AssetCheckResult(
                passed=False,
                asset_key=name,
                check_name=DISTRIBUTION_CHECK,
                severity=dg.AssetCheckSeverity.WARN,
                description=why,
                metadata={NOT_TOLD: True},
            ),
            *(not_made(name, check, why) for check in (CONTRACT_CHECK, COVERAGE_CHECK, ARTIFACT_CHECK)),
        ],
    )


def _histogram(name: str, served: ServedScores, settings: CalibrationSettings) -> bytes:
    from fridge_assets.scoring.plots import score_histogram  # noqa: PLC0415 (matplotlib)

    threshold = settings.threshold
    return score_histogram(served.scores["anomaly_score"], threshold, f"{name} {served.versions}")


def _highest(scores: pd.DataFrame) -> pd.DataFrame:
    highest = scores.nlargest(_TOP_SCORES, "anomaly_score")[["device_id", "anomaly_score", "top_contributors"]]
    return highest.assign(top_contributors=highest["top_contributors"].map(", ".join))

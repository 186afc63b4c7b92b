"""What can be run, at a glance: scoring, publishing, one model on demand, the canary, training."""

from collections.abc import Sequence

import dagster as dg

from fridge_assets.automation.people import PIPELINE
from fridge_assets.contracts import (
    ALERT_QUALITY,
    CANARY_REPORTS,
    CANARY_SCORES,
    CLEAN_SENSOR_READINGS,
    DEVICE_ALERTS,
    DEVICE_FEATURES,
    DEVICE_STATUS,
    MODEL_MONITORING,
    MODEL_SCORES,
    QUARANTINED_READINGS,
    RULES_BASED_FALLBACK,
    SITE_STATUS,
)
from fridge_assets.models.assets import model_name
from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.running.executors import one_process, separate_processes
from fridge_assets.scoring.score import scores_table
from fridge_assets.steps.dagster_internals import UnresolvedAssetJobDefinition
from fridge_assets.streaming.assets import ACUTE_THRESHOLDS

SOURCE_RUN_TAG = "fridge/scored_by"
"""Tag of a publish run: the score run it publishes."""

PUBLISHES_ITSELF_TAG = "fridge/publishes_itself"
"""Tag of a score run whose launcher starts the publication itself, so that no sensor does."""

AGREES_WITH_ALERTS = dg.AssetCheckKey(dg.AssetKey(DEVICE_STATUS.name), "agrees_with_alerts")
"""The check of the status that is made once a day, and not with every publication."""

UP_TO_DATE_FEATURES = (CLEAN_SENSOR_READINGS.name, QUARANTINED_READINGS.name, DEVICE_FEATURES.name)
"""Assets that bring the features up to date, before scoring and before training."""


def _job(
    name: str, assets: Sequence[str], description: str, executor: dg.ExecutorDefinition = separate_processes
) -> UnresolvedAssetJobDefinition:
    # Contract checks belong to the step of their asset; those with a step of their own have jobs of their own.
    selection = dg.AssetSelection.assets(*assets) - dg.AssetSelection.checks(AGREES_WITH_ALERTS)
    return dg.define_asset_job(name, selection=selection, description=description, executor_def=executor, tags=PIPELINE)


TAKE_IN_READINGS = _job(
    "take_in_readings",
    UP_TO_DATE_FEATURES,
    "Readings that have landed to features, without scoring: the hourly run then finds most of its hour done.",
    one_process,
)

SCORE_HOURLY = _job(
    "score_hourly",
    [*UP_TO_DATE_FEATURES, *(scores_table(family) for family in HOURLY_FAMILIES)],
    "Readings to features to the scores of the hourly models, each model in its own process.",
)

SCORE_DAILY = _job(
    "score_daily",
    [*UP_TO_DATE_FEATURES, *(scores_table(family) for family in FAMILIES)],
    "The same with all models.",
)

SCORE_ONE = {
    family: _job(
        f"score_{family}",
        [scores_table(family)],
        f"Only {family}: for some devices or a past window if the run config says so, after maintenance for example.",
        one_process,  # one step: the run's own process is the model's own
    )
    for family in FAMILIES
}
"""Family → its on-demand job."""

PUBLISH = _job(
    "publish",
    [MODEL_SCORES.name, DEVICE_ALERTS.name, DEVICE_STATUS.name, SITE_STATUS.name],
    "Whatever models succeeded: scores to alerts to status, in one process, started after every score run.",
    one_process,
)

FALLBACK = _job(
    "fallback",
    [*UP_TO_DATE_FEATURES, RULES_BASED_FALLBACK.name, DEVICE_ALERTS.name, DEVICE_STATUS.name, SITE_STATUS.name],
    "Readings to features to what the rules say of them, alerts and status: while the models' scores are too old.",
    one_process,
)

MONITOR = _job(
    "monitor",
    [MODEL_MONITORING.name],
    "How the models' scores, agreement and input have moved; after every publication.",
    one_process,
)

ASSESS_ALERTS = _job(
    "assess_alerts",
    [ALERT_QUALITY.name],
    "How many alerts were real failures, by what raised them, and which threshold to change; every week.",
    one_process,
)

TRAIN = _job(
    "train",
    [*UP_TO_DATE_FEATURES, *(model_name(family) for family in FAMILIES)],
    "A new version of every family on the features there are.",
)

TRAIN_WEEKLY = _job(
    "train_weekly",
    [*UP_TO_DATE_FEATURES, *(model_name(family) for family in FAMILIES if family in HOURLY_FAMILIES)],
    "Drafts of the hourly models.",
)

TRAIN_MONTHLY = _job(
    "train_monthly",
    [*UP_TO_DATE_FEATURES, *(model_name(family) for family in FAMILIES if family not in HOURLY_FAMILIES)],
    "Drafts of the daily models.",
)

LEARN_THRESHOLDS = _job(
    "learn_thresholds",
    [ACUTE_THRESHOLDS],
    "Thresholds of the acute rules from the released baseline; a release or rollback is followed at the next run.",
    one_process,
)

CANARY = _job(
    "canary",
    [CANARY_SCORES.name, CANARY_REPORTS.name],
    "Candidates, and new releases in their first runs, held against the version before on the latest window.",
    one_process,
)

SCORE_JOBS = (SCORE_HOURLY, SCORE_DAILY, *SCORE_ONE.values())
"""Jobs whose end, however it comes, is followed by a publication."""

JOBS = (
    TAKE_IN_READINGS,
    *SCORE_JOBS,
    PUBLISH,
    FALLBACK,
    MONITOR,
    ASSESS_ALERTS,
    CANARY,
    TRAIN,
    TRAIN_WEEKLY,
    TRAIN_MONTHLY,
    LEARN_THRESHOLDS,
)

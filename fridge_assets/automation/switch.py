"""Who speaks when the models' scores grow old: the rules stand in for them, and nobody is waited for (SPEC 4).

The decision needs one look at the operations store, where publications note how old the scores are. It waits neither
for the warehouse nor for Slack, and messages about it are another sensor's work.

A fleet that has just been set up has models and no scores: these are made at once instead of at minute 3 of the next
hour, and until then the rules wait, for a while.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa

from fridge_assets.automation.jobs import FALLBACK, PUBLISH, SCORE_HOURLY
from fridge_assets.deployment.state import deployment_of
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import kept_ages, serving_since
from fridge_assets.staleness.tiers import MODELS_SPEAK, Tier, tier_of
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations, ingest_ledger

_TRY_AGAIN = {
    "dagster/max_retries": "2",
    "dagster/retry_on_asset_or_op_failure": "true",
    "dagster/priority": "10",
}
"""Nothing stands in for the stand-in: it goes first, and a step of it that failed is tried again."""

FIRST_SCORING_TAG = "fridge/first_scoring"
"""Tag of the run that scores a fleet for the first time."""


@dataclass(frozen=True)
class Voices:
    """Who may speak for the fleet.

    Args:
        tier: of the fleet's scores.
        since: the moment from which their age counts; None when no model speaks.
        last_word: when a model was last paused or resumed; None for never.
        unheard: whether the hourly models have been released, and none has ever scored, though readings are young.
    """

    tier: Tier
    since: datetime | None
    last_word: datetime | None
    unheard: bool = False


def voices(operations: Operations, now: datetime, settings: Settings) -> Voices | None:
    """Who may speak at ``now``; None while there are no readings to speak about."""
    with operations.read() as connection:
        ages = kept_ages(connection)
        ingested = sa.select(ingest_ledger.c.file_name).where(ingest_ledger.c.status == "ingested")
        readings = connection.execute(ingested.limit(1)).first()
    if not ages and readings is None:
        return None
    deployments = Deployments(operations)
    history, paused = deployments.history(), deployments.paused()
    since = serving_since(ages, paused)
    words = [past.occurred_at for past in history if past.action in ("pause", "resume")]
    ready = all(deployment_of(family, history).released and family not in paused for family in HOURLY_FAMILIES)
    unheard = not ages and ready and _readings_are_young(operations, now, settings)
    return Voices(tier_of(since, now, settings.staleness), since, max(words, default=None), unheard)


def _readings_are_young(operations: Operations, now: datetime, settings: Settings) -> bool:
    """Whether features that are young enough to be scored exist, or will once the files that wait are ingested."""
    landing, oldest = Landing(settings.landing_dir, operations), now - settings.features.max_age
    ledger = landing.ledger()
    ingested = any(entry.last_timestamp is not None and entry.last_timestamp >= oldest for entry in ledger.values())
    return ingested or any(file.modified_at >= oldest for file in landing.new_files(ledger))


def first_scoring_asked(instance: dg.DagsterInstance) -> datetime | None:
    """When the run that scores the fleet for the first time was asked for; None while it was not."""
    asked = instance.get_run_records(dg.RunsFilter(tags={FIRST_SCORING_TAG: "yes"}), limit=1)
    return asked[0].create_timestamp.replace(tzinfo=UTC) if asked else None


def rules_wait(speaking: Voices, asked: datetime | None, now: datetime, settings: Settings) -> bool:
    """Whether the rules do not stand in yet, since the models are about to score for the first time.

    Args:
        speaking: who may speak.
        asked: when the first scoring was asked for; None while it was not.
        now: the moment of the look.
        settings: how long the rules wait.
    """
    return speaking.unheard and (asked is None or now - asked < settings.staleness.first_scoring)


def due_runs(
    speaking: Voices, now: datetime, settings: Settings, asked: datetime | None = None
) -> Iterator[dg.RunRequest]:
    """The runs that are needed now; each has a key, so that asking again starts nothing.

    Alerts and status are made anew when a model was paused or resumed, when the scores reach another tier and every
    hour after that; and the rules judge every window that closes while the models are silent. Between two hourly runs
    scores are stale for a minute: only what stays so for ``staleness.patience`` counts.

    Args:
        speaking: who may speak.
        now: the moment of the look.
        settings: staleness, length and lateness of windows.
        asked: when the first scoring was asked for; None while it was not.
    """
    if rules_wait(speaking, asked, now, settings):
        yield dg.RunRequest(run_key="first scoring", job_name=SCORE_HOURLY.name, tags={FIRST_SCORING_TAG: "yes"})
        return
    tier, since = speaking.tier, speaking.since
    if speaking.last_word is not None:
        key = f"status/{speaking.last_word.isoformat()}"
        yield dg.RunRequest(run_key=key, job_name=PUBLISH.name, tags=_TRY_AGAIN)
    if tier == "fresh" or (tier == "stale" and since and now - since < settings.staleness.patient_stale):
        return
    hour = f"{now:%Y-%m-%dT%H}"
    yield dg.RunRequest(run_key=f"status/{tier}/{since}/{hour}", job_name=PUBLISH.name, tags=_TRY_AGAIN)
    if tier not in MODELS_SPEAK:
        window = settings.features.window
        closed = now - settings.readings.allowed_lateness
        latest = closed - (closed - datetime.fromtimestamp(0, closed.tzinfo)) % window
        yield dg.RunRequest(
            run_key=f"fallback/{latest:%Y-%m-%dT%H:%M}/{since}", job_name=FALLBACK.name, tags=_TRY_AGAIN
        )


def runs_for_age(
    context: dg.SensorEvaluationContext, operations: Operations, now: datetime, settings: Settings
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """What the age of the scores needs now, or why it needs nothing; mostly without a look at Dagster's instance."""
    speaking = voices(operations, now, settings)
    if speaking is None:
        yield dg.SkipReason("there are no readings yet")
        return
    asked = first_scoring_asked(context.instance) if speaking.unheard else None
    runs = list(due_runs(speaking, now, settings, asked))
    yield from runs
    if not runs:
        yield dg.SkipReason(f"the scores are {speaking.tier}")


def speaking_to_tell(
    instance: dg.DagsterInstance, operations: Operations, now: datetime, settings: Settings
) -> Voices | None:
    """Who may speak, as people are told; None while there is nothing to speak about, or the models are about to."""
    speaking = voices(operations, now, settings)
    waits = speaking is not None and rules_wait(speaking, first_scoring_asked(instance), now, settings)
    return None if waits else speaking

"""Who speaks when the models' scores grow old: the rules stand in for them, and nobody is waited for (SPEC 4).

The decision needs one look at the operations store, where publications note how old the scores are. It waits neither
for the warehouse nor for Slack, and messages about it are another sensor's work.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg

from fridge_assets.automation.jobs import FALLBACK, PUBLISH
from fridge_assets.clock import Clock
from fridge_assets.deployment.store import Deployments
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import kept_ages, serving_since
from fridge_assets.staleness.tiers import MODELS_SPEAK, Tier, tier_of
from fridge_assets.stores.operations import Operations

SWITCH_INTERVAL = timedelta(seconds=10)
"""How often the age of the scores is looked at; a look costs one read of the operations store."""


_TRY_AGAIN = {"dagster/max_retries": "2", "dagster/retry_on_asset_or_op_failure": "true"}
"""Nothing stands in for the stand-in: a step of it that failed is tried again."""


def age_of_scores(operations: Operations, now: datetime, settings: Settings) -> tuple[Tier, datetime | None] | None:
    """Tier of the fleet's scores and the moment from which their age counts; None before the first publication."""
    with operations.read() as connection:
        ages = kept_ages(connection)
    if not ages:
        return None
    since = serving_since(ages, Deployments(operations).paused(), settings)
    return tier_of(since, now, settings.staleness), since


def due_runs(tier: Tier, since: datetime | None, now: datetime, settings: Settings) -> Iterator[dg.RunRequest]:
    """The runs that the age of the scores asks for; each has a key, so that asking again starts nothing.

    Status is made anew when the tier changes and every hour after that, and the rules judge every window that closes
    while the models are silent.

    Args:
        tier: tier of the scores, not fresh.
        since: the moment from which their age counts; None when no model speaks.
        now: the moment of the look.
        settings: length and lateness of windows.
    """
    hour = f"{now:%Y-%m-%dT%H}"
    yield dg.RunRequest(run_key=f"status/{tier}/{since}/{hour}", job_name=PUBLISH.name, tags=_TRY_AGAIN)
    if tier not in MODELS_SPEAK:
        window = settings.features.window
        closed = now - settings.readings.allowed_lateness
        latest = closed - (closed - datetime.fromtimestamp(0, closed.tzinfo)) % window
        yield dg.RunRequest(
            run_key=f"fallback/{latest:%Y-%m-%dT%H:%M}/{since}", job_name=FALLBACK.name, tags=_TRY_AGAIN
        )


@dg.sensor(
    name="switch_to_fallback",
    jobs=[FALLBACK, PUBLISH],
    minimum_interval_seconds=round(SWITCH_INTERVAL.total_seconds()),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Lets the rules raise the alerts while the models' scores are over two hours old, window by window, "
    "and brings the status up to date when the scores reach another age.",
)
def switch_to_fallback(
    settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for what the age of the scores needs."""
    now = Clock.wall_time()
    age = age_of_scores(operations, now, settings)
    if age is None:
        yield dg.SkipReason("nothing has been scored yet")
        return
    tier, since = age
    if tier == "fresh":
        yield dg.SkipReason("the scores are fresh")
        return
    yield from due_runs(tier, since, now, settings)

"""What people are told about runs, checks, freshness and the age of scores; each change once (SPEC 4, 7).

These functions only store messages. Sensors call them and another sensor delivers, so that nothing waits for Slack.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import dagster as dg
from sqlalchemy.engine import Connection

from fridge_assets.automation.outcomes import JudgedCheck, RunOutcome
from fridge_assets.automation.routes import RUN_CHANNELS, channel_of
from fridge_assets.moments import spoken
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.notifications.watch import Transition, changed
from fridge_assets.staleness.tiers import MODELS_SPEAK, Tier

_OK = "ok"
_FRESHNESS = {"WARN": "is late", "FAIL": "is overdue"}
_TIER_TITLES: Mapping[Tier, str] = {
    "stale": "Scores are delayed",
    "very_stale": "Alerts come from the rules: the models' scores are too old",
    "expired": "Scores are blanked: they are too old to be shown",
    "fresh": "Scores are fresh again, and alerts come from the models",
}
_MODELS_SPEAK_AGAIN = "Alerts come from the models again, whose scores are delayed"
_LATE: tuple[Channel, ...] = ("data_platform", "ml")
_EVERYONE: tuple[Channel, ...] = ("everyone",)
_TIER_CHANNELS: Mapping[Tier, tuple[Channel, ...]] = {"very_stale": _EVERYONE, "expired": _EVERYONE}


def tell_run(connection: Connection, outcome: RunOutcome, now: datetime) -> None:
    """Store what is said about a run that has ended: failures that are new, and recovery from those that were told.

    Args:
        connection: of a transaction of the operations store.
        outcome: the run.
        now: when it ended.
    """
    failing: dict[Channel, dict[str, str]] = {channel: {} for channel in RUN_CHANNELS}
    for step, reason in sorted(outcome.failures.items()):
        error = outcome.errors.get(step, "")
        # Another error of the same step is news: late data may give way to a model that crashes.
        named = f"{step} ({error})" if error else step
        failing[channel_of(step, error)][named] = f"{step}: {reason}"
    for channel, own in failing.items():
        if own or outcome.success:  # a step that failed may have kept others from running, which says nothing of them
            _tell_job(connection, outcome, channel, own, now)
    for check in outcome.checks:
        _tell_check(connection, check, outcome.run_id, now)


def tell_freshness(connection: Connection, states: Mapping[str, str], now: datetime) -> None:
    """Store a message for each asset whose freshness has changed.

    Args:
        connection: of a transaction of the operations store.
        states: asset → PASS, WARN or FAIL, as Dagster judges its policy; anything else is nothing to tell.
        now: when the change is seen.
    """
    for asset, state in states.items():
        if state not in ("PASS", *_FRESHNESS):
            continue
        seen = changed(connection, f"freshness/{asset}", state, now)
        if seen is None or (seen.before is None and state == "PASS"):
            continue
        late = state != "PASS"
        message = Message(
            key=f"{seen.subject}/{state}/{now.isoformat()}",
            channel=channel_of(asset),
            kind="freshness" if late else "recovery",
            title=f"{asset} {_FRESHNESS[state]}" if late else f"{asset} is fresh again",
            lines=(f"Freshness of `{asset}` went from {seen.before or 'unknown'} to {state}.",),
            occurred_at=now,
        )
        enqueue(connection, [message], now)


def tell_tier(connection: Connection, tier: Tier, since: datetime | None, now: datetime) -> None:
    """Store what is said when the scores of the fleet reach another tier.

    Args:
        connection: of a transaction of the operations store.
        tier: the tier now.
        since: the moment from which the age of the scores counts; None when no model speaks.
        now: the moment of the look.
    """
    seen = changed(connection, "scores", tier, now)
    if seen is None or (seen.before is None and tier == "fresh"):
        return
    age = f"The newest scores are {spoken(now - since)} old." if since else "No model that is not paused has scores."
    over = tier in MODELS_SPEAK and seen.before not in (None, *MODELS_SPEAK)
    channels = _EVERYONE if over else _TIER_CHANNELS.get(tier, _LATE)
    enqueue(
        connection,
        [
            Message(
                key=f"staleness/{tier}/{now.isoformat()}",
                channel=channel,
                kind="recovery" if over or tier == "fresh" else "fallback" if tier == "very_stale" else "freshness",
                title=_MODELS_SPEAK_AGAIN if over and tier == "stale" else _TIER_TITLES[tier],
                lines=(age, "`fridge-assets status`"),
                occurred_at=now,
            )
            for channel in channels
        ],
        now,
    )


def _tell_job(
    connection: Connection, outcome: RunOutcome, channel: Channel, failing: Mapping[str, str], now: datetime
) -> None:
    """Store what ``channel`` is told of a run: the failures that it has not been told, or that they are over."""
    seen = changed(connection, f"job/{outcome.job}/{channel}", ", ".join(failing) or _OK, now)
    if seen is None:
        return
    known = (seen.before or "").split(", ")
    news = [said for named, said in failing.items() if named not in known]
    if news:
        enqueue(connection, [_failed(outcome, channel, news, now)], now)
    elif seen.before is not None and not failing:
        enqueue(connection, [_recovered(outcome, channel, seen, now)], now)


def _failed(outcome: RunOutcome, channel: Channel, said: Iterable[str], now: datetime) -> Message:
    return Message(
        key=f"run/{outcome.run_id}",
        channel=channel,
        kind="data_quality" if channel == "data_platform" else "run_failure",
        title=f"{outcome.job} failed",
        lines=(*said, "What was committed before stays; the same failure is not told again until it is over."),
        occurred_at=now,
        run_id=outcome.run_id,
    )


def _recovered(outcome: RunOutcome, channel: Channel, seen: Transition, now: datetime) -> Message:
    return Message(
        key=f"run/{outcome.run_id}",
        channel=channel,
        kind="recovery",
        title=f"{outcome.job} succeeds again",
        lines=(f"It had failed since {seen.since:%Y-%m-%d %H:%M} UTC: {seen.before}.",),
        occurred_at=now,
        run_id=outcome.run_id,
    )


def _tell_check(connection: Connection, check: JudgedCheck, run_id: str, now: datetime) -> None:
    seen = changed(connection, f"check/{check.asset}/{check.name}", "passed" if check.passed else "failed", now)
    if seen is None or (seen.before is None and check.passed):
        return
    channel = channel_of(check.asset)
    message = Message(
        key=f"{seen.subject}/{run_id}",
        channel=channel,
        kind="recovery" if check.passed else "data_quality" if channel == "data_platform" else "model",
        title=f"Check {check.name} of {check.asset} {'passes again' if check.passed else 'failed'}",
        lines=(check.said,) if check.said else (),
        occurred_at=now,
        run_id=run_id,
    )
    enqueue(connection, [message], now)


def freshness_states(instance: dg.DagsterInstance, assets: Iterable[str]) -> dict[str, str]:
    """Asset → what Dagster's freshness daemon says of it, for those that it has looked at."""
    records = instance.get_freshness_state_records([dg.AssetKey(name) for name in assets])
    return {key.to_user_string(): record.freshness_state.value for key, record in records.items()}

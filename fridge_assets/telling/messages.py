"""What people are told about runs, checks, freshness and the age of scores; each change once (SPEC 4, 7).

These functions only store messages. Sensors call them and another sensor delivers, so that nothing waits for Slack.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import dagster as dg
from sqlalchemy.engine import Connection

from fridge_assets.core.moments import spoken
from fridge_assets.notifications.message import Channel, Kind, Message
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.notifications.watch import changed, settled
from fridge_assets.running.outcomes import JudgedCheck, RunOutcome
from fridge_assets.staleness.tiers import MODELS_SPEAK, Tier
from fridge_assets.telling.routes import Routes

_OK = "ok"
_FRESHNESS = {"WARN": "is late", "FAIL": "is overdue"}
_LATE: tuple[Channel, ...] = ("data_platform", "ml")
_EVERYONE: tuple[Channel, ...] = ("everyone",)
_AT_ONCE = timedelta(0)


def tell_run(connection: Connection, outcome: RunOutcome, now: datetime, routes: Routes) -> None:
    """Store what is said about a run that has ended: failures that are new, and recovery from those that were told.

    Each step of a job is watched for itself, since a step that failed keeps others from running, which says nothing of
    them. Another error of the same step is news: late data may give way to a model that crashes.

    Args:
        connection: of a transaction of the operations store.
        outcome: the run.
        now: when it ended.
        routes: who is told about which step.
    """
    failed: dict[Channel, list[str]] = defaultdict(list)
    recovered: dict[Channel, list[str]] = defaultdict(list)
    for step in sorted({*outcome.succeeded, *outcome.failures}):
        error = outcome.errors.get(step, "failed") if step in outcome.failures else _OK
        seen = changed(connection, f"job/{outcome.job}/{step}", error, now)
        if seen is None:
            continue
        if error != _OK:
            failed[routes.channel_of(step, error)].append(f"{step}: {outcome.failures[step]}")
        elif seen.before is not None:
            since = f"{seen.since:%Y-%m-%d %H:%M} UTC"
            recovered[routes.channel_of(step, seen.before)].append(f"{step} had failed since {since}.")
    messages = [_failed(outcome, channel, said, now) for channel, said in failed.items()]
    # A channel that hears of a failure hears nothing of another step that recovered: it is not over yet.
    messages += [
        _recovered(outcome, channel, said, now) for channel, said in recovered.items() if channel not in failed
    ]
    enqueue(connection, messages, now)
    for check in outcome.checks:
        if check.told:
            _tell_check(connection, check, outcome.run_id, now, routes.channel_of(check.asset))


def tell_freshness(
    connection: Connection, states: Mapping[str, str], now: datetime, patience: timedelta, routes: Routes
) -> None:
    """Store a message for each asset whose freshness has changed.

    Args:
        connection: of a transaction of the operations store.
        states: asset → PASS, WARN or FAIL, as Dagster judges its policy; anything else is nothing to tell.
        now: when the change is seen.
        patience: a warning that lasts for less is not told.
        routes: who is told about which asset.
    """
    for asset, state in states.items():
        if state not in ("PASS", *_FRESHNESS):
            continue
        seen = settled(connection, f"freshness/{asset}", state, now, patience if state == "WARN" else _AT_ONCE)
        if seen is None or (seen.before is None and state == "PASS"):
            continue
        late = state != "PASS"
        message = Message(
            key=f"{seen.subject}/{state}/{now.isoformat()}",
            channel=routes.channel_of(asset),
            kind="freshness" if late else "recovery",
            title=f"{asset} {_FRESHNESS[state]}" if late else f"{asset} is fresh again",
            lines=(f"Freshness of {asset} went from {seen.before or 'unknown'} to {state}.",),
            occurred_at=now,
            dedup_key=seen.subject,
        )
        enqueue(connection, [message], now)


def tell_tier(connection: Connection, tier: Tier, since: datetime | None, now: datetime, patience: timedelta) -> None:
    """Store what is said when the scores of the fleet reach another tier.

    Args:
        connection: of a transaction of the operations store.
        tier: the tier now.
        since: the moment from which the age of the scores counts; None when no model speaks.
        now: the moment of the look.
        patience: a delay that lasts for less is not told.
    """
    seen = settled(connection, "scores", tier, now, patience if tier == "stale" else _AT_ONCE)
    if seen is None or (seen.before is None and tier == "fresh"):
        return
    kind: Kind
    channels: tuple[Channel, ...]
    models_before, models_now = seen.before in (None, *MODELS_SPEAK), tier in MODELS_SPEAK
    if models_now and not models_before:
        kind, channels, title = "recovery", _EVERYONE, "Alerts come from the models again"
    elif models_before and not models_now:
        kind, channels, title = "fallback", _EVERYONE, "Alerts come from the rules: no model has scores young enough"
    elif tier == "expired":
        kind, channels, title = "freshness", _EVERYONE, "Scores are blanked: they are too old to be shown"
    elif tier == "stale":
        kind, channels, title = "freshness", _LATE, "Scores are delayed"
    elif tier == "fresh":
        kind, channels, title = "recovery", _LATE, "Scores are fresh again"
    else:
        return  # from expired back to very stale: the rules go on
    age = f"The newest scores are {spoken(now - since)} old." if since else "No model that is not paused has scores."
    blanked = ["They are blanked in the status."] if tier == "expired" else []
    message = Message(
        key=f"staleness/{tier}/{now.isoformat()}",
        channel="everyone",
        kind=kind,
        title=title,
        lines=(age, *blanked),
        occurred_at=now,
        commands=("fridge-assets status",),
        dedup_key="scores",
    )
    enqueue(connection, [replace(message, channel=channel) for channel in channels], now)


def _failed(outcome: RunOutcome, channel: Channel, said: Iterable[str], now: datetime) -> Message:
    return Message(
        key=f"run/{outcome.run_id}",
        channel=channel,
        kind="data_quality" if channel == "data_platform" else "run_failure",
        title=f"{outcome.job} failed",
        lines=(*said, "What was committed before stays; the same failure is not told again until it is over."),
        occurred_at=now,
        run_id=outcome.run_id,
        dedup_key=f"job/{outcome.job}",
    )


def _recovered(outcome: RunOutcome, channel: Channel, said: Iterable[str], now: datetime) -> Message:
    return Message(
        key=f"run/{outcome.run_id}",
        channel=channel,
        kind="recovery",
        title=f"{outcome.job} succeeds again" + ("" if outcome.success else " in part"),
        lines=tuple(said),
        occurred_at=now,
        run_id=outcome.run_id,
        # In part is not over yet.
        dedup_key=f"job/{outcome.job}" if outcome.success else "",
    )


def _tell_check(connection: Connection, check: JudgedCheck, run_id: str, now: datetime, channel: Channel) -> None:
    seen = changed(connection, f"check/{check.asset}/{check.name}", "passed" if check.passed else "failed", now)
    if seen is None or (seen.before is None and check.passed):
        return
    message = Message(
        key=f"{seen.subject}/{run_id}",
        channel=channel,
        kind="recovery" if check.passed else "data_quality" if channel == "data_platform" else "model",
        title=f"Check {check.name} of {check.asset} {'passes again' if check.passed else 'failed'}",
        lines=(check.said,) if check.said else (),
        occurred_at=now,
        run_id=run_id,
        dedup_key=seen.subject,
    )
    enqueue(connection, [message], now)


def freshness_states(instance: dg.DagsterInstance, assets: Iterable[str]) -> dict[str, str]:
    """Asset → what Dagster's freshness daemon says of it, for those that it has looked at."""
    records = instance.get_freshness_state_records([dg.AssetKey(name) for name in assets])
    return {key.to_user_string(): record.freshness_state.value for key, record in records.items()}

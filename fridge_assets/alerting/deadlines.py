"""Watching deadlines: what has become due is stored and told to the next channel (SPEC 6, 7).

The Dagster daemon, the stream and every run of alerting look; whoever comes first stores it, the others find nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy.engine import Connection

from fridge_assets.alerting.announce import dedup_key, listed_lines, listing
from fridge_assets.alerting.events import events_of
from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.alerting.sla import channel_of, escalations
from fridge_assets.alerting.store import apply, overdue_alerts
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import Operations

_ACTOR = "sla"
_PIECE = 1000
"""Alerts of one transaction, so that nobody waits for many."""


def watch_deadlines(operations: Operations, now: datetime, settings: IncidentSettings, wall_time: datetime) -> int:
    """Advance whatever is due, piece by piece, each in a transaction of its own; returns how many alerts changed.

    Call it before a transaction that changes alerts: one that is closed then has missed its deadline all the same.
    """
    done = 0
    while True:
        with operations.transaction() as connection:
            changed = len(advance_deadlines(connection, now, settings, wall_time))
        done += changed
        if changed < _PIECE:
            return done


def advance_deadlines(
    connection: Connection,
    now: datetime,
    settings: IncidentSettings,
    wall_time: datetime,
    alert_id: str | None = None,
) -> pd.DataFrame:
    """Store what has become due of open alerts, and what is said about it, in the caller's transaction.

    It is the same however often and however late anybody looks: events and messages are of the moment at which a step
    was due.

    Args:
        connection: of a transaction of the operations store.
        now: the moment of the look; what is due at it exactly is still in time.
        settings: spans of the severities, how many messages are sent one by one.
        wall_time: the actual time, from which messages wait.
        alert_id: look at this alert only; None for those that have been due for longest.

    Returns:
        DEVICE_ALERTS rows of the changed alerts, as they are now.
    """
    before = overdue_alerts(connection, now, _PIECE, alert_id)
    if before.empty:
        return before
    steps, events, messages = [], [], list[Message]()
    for step in escalations(before, now, settings):
        events.append(events_of(step, before, _ACTOR, now))
        messages += _messages(step, settings)
        steps.append(step)
        before = step
    if not steps:
        return DEVICE_ALERTS.empty()
    changed = conform([pd.concat(steps).drop_duplicates("alert_id", keep="last")], DEVICE_ALERTS)
    apply(connection, GeneratedAlerts(DEVICE_ALERTS.empty(), changed, conform(events, ALERT_EVENTS)))
    enqueue(connection, messages, wall_time)
    return changed


def _messages(step: pd.DataFrame, settings: IncidentSettings) -> Iterator[Message]:
    """What is said about one step of many alerts: of each severity and level a list where they are too many."""
    ordered = step.sort_values(["event_at", "device_id", "alert_id"])
    for (severity, level), alerts in ordered.groupby(["severity", "escalation_level"]):
        channel = channel_of(str(severity), str(level))
        if channel is None:
            continue
        if len(alerts) > settings.single_messages:
            yield _listed(alerts, channel, settings.listed_alerts)
        else:
            yield from (_single(alert, channel) for _, alert in alerts.iterrows())


def _single(alert: "pd.Series[Any]", channel: Channel) -> Message:
    level, moment = alert["escalation_level"], alert["event_at"]
    return Message(
        # With the moment: an alert that is opened again, or rises, has its time again.
        key=f"deadline/{alert['alert_id']}/{level}/{moment.isoformat()}",
        channel=channel,
        kind="deadline",
        title=f"{alert['severity']}, nobody has taken it: {alert['device_id']} in {alert['site_id']}: {alert['title']}",
        lines=(
            f"It was to be taken by {alert['sla_deadline']:%Y-%m-%d %H:%M} UTC and went to {level}; "
            f"the anomaly was first seen {alert['first_detected_at']:%Y-%m-%d %H:%M} UTC.",
        ),
        occurred_at=moment.to_pydatetime(),
        about=(alert["alert_id"],),
        commands=(f"fridge-assets alerts ack {str(alert['alert_id'])[:SHORT_ID]}",),
        dedup_key=dedup_key(alert["alert_id"]),
    )


def _listed(alerts: pd.DataFrame, channel: Channel, most: int) -> Message:
    severity, level, moment = (alerts[name].iloc[-1] for name in ("severity", "escalation_level", "event_at"))
    sites = alerts["site_id"].nunique()
    return Message(
        key=f"deadlines/{severity}/{level}/{moment.isoformat()}/{alerts['alert_id'].min()}",
        channel=channel,
        kind="deadline",
        title=f"Nobody has taken {len(alerts)} {severity} alerts in {sites} site{'s' if sites > 1 else ''}",
        lines=(f"They went to {level}.", *listed_lines(alerts, most)),
        occurred_at=moment.to_pydatetime(),
        about=tuple(alerts["alert_id"]),
        commands=(listing(alerts),),
    )

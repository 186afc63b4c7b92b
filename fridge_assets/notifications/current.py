"""What a message says at the moment it is said: it may have waited while people acted (SPEC 7)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.core.moments import spoken, with_local_times
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.outbox import StoredMessage
from fridge_assets.settings import NotificationSettings
from fridge_assets.stores.operations import alert_events, device_alerts, outbox_subjects

ZoneOf = Callable[[Collection[str]], str]
"""Sites → the time zone that they share, as :func:`~fridge_assets.core.moments.in_zone` takes it."""

_WORDS = {"ACKNOWLEDGED": "acknowledged", "IN_PROGRESS": "in progress", "RESOLVED": "resolved"}


@dataclass(frozen=True)
class AlertNow:
    """Where an alert stands.

    Args:
        alert_id: the alert.
        site_id: its site.
        status: its status.
        actor: who changed it last.
        changed_at: and when.
    """

    alert_id: str
    site_id: str
    status: str
    actor: str
    changed_at: datetime


def alerts_now(connection: Connection, message_id: str) -> list[AlertNow]:
    """The alerts that a message is about, as they stand."""
    alert, event = device_alerts.c, alert_events.c
    newest = sa.and_(event.alert_id == alert.alert_id, event.revision == alert.revision)
    query = (
        sa.select(alert.alert_id, alert.site_id, alert.status, event.actor, event.occurred_at)
        .join_from(outbox_subjects, device_alerts, outbox_subjects.c.subject == alert.alert_id)
        .join(alert_events, newest)
        .where(outbox_subjects.c.message_id == message_id)
        .order_by(alert.alert_id)
    )
    return [AlertNow(*row) for row in connection.execute(query)]


def said_now(
    stored: StoredMessage, alerts: Sequence[AlertNow], now: datetime, zone_of: ZoneOf, settings: NotificationSettings
) -> Message | None:
    """The message as it is true at ``now``, with local times; None when there is nothing left to say.

    Args:
        stored: as it was stored.
        alerts: what it is about, as it stands.
        now: the actual time.
        zone_of: the time zone of sites.
        settings: how long a message may wait without saying so.
    """
    message = replace(stored.message, about=tuple(alert.alert_id for alert in alerts))
    if message.kind == "deadline" and alerts and all(alert.status != "OPEN" for alert in alerts):
        return None
    message = _with_changes(message, [a for a in alerts if a.status != "OPEN"], len(alerts))
    waited = now - stored.created_at
    if waited > settings.late_after and message.kind != "summary":
        message = _with_age(message, waited)
    zone = zone_of({alert.site_id for alert in alerts})
    return replace(
        message,
        title=with_local_times(message.title, message.occurred_at, zone),
        lines=tuple(with_local_times(line, message.occurred_at, zone) for line in message.lines),
        zone=zone,
    )


def why_superseded(alerts: Sequence[AlertNow]) -> str:
    """Why a message about these alerts was not sent: somebody came first."""
    last = max(alerts, key=lambda alert: alert.changed_at)
    return f"not sent: {_WORDS[last.status]} by {last.actor} at {last.changed_at:%Y-%m-%d %H:%M} UTC"


def _with_changes(message: Message, taken: Sequence[AlertNow], alerts: int) -> Message:
    # What was so already when it was written is no news.
    since = [a for a in taken if a.changed_at > message.occurred_at or message.kind == "deadline"]
    if not since:
        return message
    last = max(since, key=lambda alert: alert.changed_at)
    if alerts == 1:
        word = _WORDS[last.status]
        title = f"{message.title} ({word} since)"
        line = f"Since then: {word} by {last.actor} at {last.changed_at:%Y-%m-%d %H:%M} UTC."
    else:
        title = f"{message.title} ({len(since)} of {alerts} taken or resolved since)"
        line = f"The newest change was by {last.actor} at {last.changed_at:%Y-%m-%d %H:%M} UTC."
    return replace(message, title=title, lines=(*message.lines, line))


def _with_age(message: Message, waited: timedelta) -> Message:
    late = f"It has waited {spoken(waited)} to be delivered; it says what was so at {_written(message.occurred_at)}."
    return replace(message, lines=(*message.lines, late))


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"

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
from fridge_assets.stores.operations import incident_events, incidents, outbox_subjects

ZoneOf = Callable[[Collection[str]], str]
"""Sites → the time zone that they share, as :func:`~fridge_assets.core.moments.in_zone` takes it."""

_WORDS = {
    "ACKNOWLEDGED": "acknowledged",
    "IN_PROGRESS": "in progress",
    "RESOLVED": "resolved",
    "FALSE_POSITIVE": "called a false positive",
}


@dataclass(frozen=True)
class IncidentNow:
    """Where an incident stands.

    Args:
        incident_id: the incident.
        site_id: its site.
        status: its status.
        actor: who brought it there.
        changed_at: and when.
    """

    incident_id: str
    site_id: str
    status: str
    actor: str
    changed_at: datetime


def incidents_now(connection: Connection, message_id: str) -> list[IncidentNow]:
    """The incidents that a message is about, as they stand."""
    of, event, any_event = incidents.c, incident_events.c, incident_events.alias("any_event")
    # The event that brought it to its status: evidence that joined later is no news to people.
    changed = (
        sa.select(sa.func.max(any_event.c.revision))
        .where(any_event.c.incident_id == of.incident_id)
        .where(sa.or_(any_event.c.from_status.is_(None), any_event.c.from_status != any_event.c.to_status))
        .correlate(incidents)
    )
    newest = sa.and_(event.incident_id == of.incident_id, event.revision == changed.scalar_subquery())
    query = (
        sa.select(of.incident_id, of.site_id, of.status, event.actor, event.occurred_at)
        .join_from(outbox_subjects, incidents, outbox_subjects.c.subject == of.incident_id)
        .join(incident_events, newest)
        .where(outbox_subjects.c.message_id == message_id)
        .order_by(of.incident_id)
    )
    return [IncidentNow(*row) for row in connection.execute(query)]


def said_now(
    stored: StoredMessage,
    subjects: Sequence[IncidentNow],
    now: datetime,
    zone_of: ZoneOf,
    settings: NotificationSettings,
) -> Message | None:
    """The message as it is true at ``now``, with local times; None when there is nothing left to say.

    Args:
        stored: as it was stored.
        subjects: what it is about, as it stands.
        now: the actual time.
        zone_of: the time zone of sites.
        settings: how long a message may wait without saying so.
    """
    message = replace(stored.message, about=tuple(one.incident_id for one in subjects))
    if message.kind == "deadline" and subjects and all(one.status != "OPEN" for one in subjects):
        return None
    message = _with_changes(message, [one for one in subjects if one.status != "OPEN"], len(subjects))
    waited = now - stored.created_at
    if waited > settings.late_after and message.kind != "summary":
        message = _with_age(message, waited)
    zone = zone_of({one.site_id for one in subjects})
    return replace(
        message,
        title=with_local_times(message.title, message.occurred_at, zone),
        lines=tuple(with_local_times(line, message.occurred_at, zone) for line in message.lines),
        zone=zone,
    )


def why_superseded(subjects: Sequence[IncidentNow]) -> str:
    """Why a message about these incidents was not sent: somebody came first."""
    last = max(subjects, key=lambda one: one.changed_at)
    return f"not sent: {_WORDS[last.status]} by {last.actor} at {last.changed_at:%Y-%m-%d %H:%M} UTC"


def _with_changes(message: Message, taken: Sequence[IncidentNow], subjects: int) -> Message:
    # What was so already when it was written is no news.
    since = [one for one in taken if one.changed_at > message.occurred_at or message.kind == "deadline"]
    if not since:
        return message
    last = max(since, key=lambda one: one.changed_at)
    if subjects == 1:
        word = _WORDS[last.status]
        title = f"{message.title} ({word} since)"
        line = f"Since then: {word} by {last.actor} at {last.changed_at:%Y-%m-%d %H:%M} UTC."
    else:
        title = f"{message.title} ({len(since)} of {subjects} taken or resolved since)"
        line = f"The newest change was by {last.actor} at {last.changed_at:%Y-%m-%d %H:%M} UTC."
    return replace(message, title=title, lines=(*message.lines, line))


def _with_age(message: Message, waited: timedelta) -> Message:
    late = f"It has waited {spoken(waited)} to be delivered; it says what was so at {_written(message.occurred_at)}."
    return replace(message, lines=(*message.lines, late))


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"

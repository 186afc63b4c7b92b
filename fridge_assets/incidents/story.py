"""All that the operations store knows of an incident: its life, evidence, work, silences and messages (SPEC 6.1)."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.incidents.evidence_lists import AlertFilter, list_alerts
from fridge_assets.incidents.memory import benign_of
from fridge_assets.incidents.queries import Listed, events_of, listed
from fridge_assets.incidents.silences import silences_between
from fridge_assets.incidents.state import Incident, IncidentEvent
from fridge_assets.notifications.outbox import Delivery, StoredMessage, messages_about
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import alert_evidence, incidents, label_events, work_orders

_PREVIOUS_SPAN: Final = timedelta(days=30)
_PREVIOUS: Final = 20
_ALERTS: Final = 20
_MESSAGE: Final = ("message_id", "channel", "kind", "title", "created_at")


@dataclass(frozen=True)
class Story:
    """What is known of one incident.

    Args:
        signs_for: what speaks for its probable cause, in words; empty where that is not clear.
        signs_against: what speaks against it.
        alerts: DEVICE_ALERTS rows of its newest evidence, newest first.
        events: all that has happened to it, oldest first.
        labels: LABEL_EVENTS rows in their order.
        silences: SILENCES rows that hold the device or its site at any time of the incident's life.
        messages: what became of the messages that are about it, in their order: ``message_id``, ``channel``, ``kind``,
            ``title`` and ``created_at``, and for each destination the fields of its delivery.
        work_orders: WORK_ORDERS row of its work.
        previous: the device's incidents of the month before, newest first.
        benign_until: until when what it named is not told again; None where that is told.
    """

    signs_for: list[str]
    signs_against: list[str]
    alerts: list[dict[str, Any]]
    events: list[IncidentEvent]
    labels: list[dict[str, Any]]
    silences: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    work_orders: list[dict[str, Any]]
    previous: list[Listed]
    benign_until: datetime | None


def story_of(connection: Connection, incident: Incident, now: datetime, settings: IncidentSettings) -> Story:
    """Gather the story of an incident.

    Args:
        connection: an open connection.
        incident: as it stands.
        now: the moment of the look.
        settings: how long false positives are remembered.
    """
    identity = incident.incident_id
    labels = sa.select(label_events).where(label_events.c.incident_id == identity).order_by(label_events.c.revision)
    orders = sa.select(work_orders).where(work_orders.c.incident_id == identity)
    benign = benign_of(incident, settings)
    wanted = AlertFilter(open_only=False, told_only=False, incident_id=identity, limit=_ALERTS)
    signs_for, signs_against = _signs(connection, incident)
    return Story(
        signs_for=signs_for,
        signs_against=signs_against,
        alerts=list_alerts(connection, wanted),
        events=events_of(connection, identity),
        labels=[dict(row) for row in connection.execute(labels).mappings()],
        silences=_silences(connection, incident, now),
        messages=list(_deliveries(messages_about(connection, identity))),
        work_orders=[dict(row) for row in connection.execute(orders).mappings()],
        previous=_previous(connection, incident, now, settings),
        benign_until=benign.until if benign is not None and benign.until > now else None,
    )


def _signs(connection: Connection, incident: Incident) -> tuple[list[str], list[str]]:
    """For and against the probable cause, of the newest evidence that names it."""
    columns = alert_evidence.c
    own = columns.incident_id == incident.incident_id
    query = sa.select(columns.signs_for, columns.signs_against).where(
        own, columns.probable_cause == incident.probable_cause, columns.probable_cause != ""
    )
    newest_first = query.order_by(columns.window_end.desc(), columns.number.desc(), columns.alert_id)
    row = connection.execute(newest_first.limit(1)).first()
    return ([], []) if row is None else (row.signs_for, row.signs_against)


def _silences(connection: Connection, incident: Incident, now: datetime) -> list[dict[str, Any]]:
    known = silences_between(connection, incident.first_detected_at, incident.closed_at or now)
    own = [one for one in known if incident.device_id == one.device_id or incident.site_id == one.site_id]
    return [{"silence_id": one.silence_id, **asdict(one)} for one in own]


def _deliveries(messages: Iterable[StoredMessage]) -> Iterator[dict[str, Any]]:
    """What became of each message at each destination; a message that none was tried at waits."""
    for message in messages:
        own = {name: getattr(message, name) for name in _MESSAGE}
        untried = Delivery("", message.status, 0, False, "", None, "", "", "")
        for delivery in message.deliveries or (untried,):
            yield own | asdict(delivery)


def _previous(connection: Connection, incident: Incident, now: datetime, settings: IncidentSettings) -> list[Listed]:
    columns = incidents.c
    begun = incident.first_detected_at
    query = (
        sa.select(columns.incident_id)
        .where(columns.device_id == incident.device_id, columns.incident_id != incident.incident_id)
        .where(columns.first_detected_at <= begun, columns.first_detected_at > begun - _PREVIOUS_SPAN)
        .order_by(columns.opened_at.desc(), columns.incident_id)
        .limit(_PREVIOUS)
    )
    return listed(connection, list(connection.scalars(query)), now, settings)

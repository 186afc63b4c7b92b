"""What people were told, which incidents opened, and which stand open, as the store has it."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alert_quality.health import AlarmHealth, Notification, Standing, alarm_health
from fridge_assets.incidents.budget import WEIGHTY
from fridge_assets.incidents.channels import channel_of
from fridge_assets.incidents.grouping import FLEET
from fridge_assets.incidents.queries import histories_of
from fridge_assets.incidents.state import Incident, IncidentEvent, states_of
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import incident_events, incident_groups, incidents, is_open

_OPENS = ("open", "reopen")
_HOUR = timedelta(hours=1)
GROUP = "site"
"""Reason of a notification that stands for many incidents."""


def read_alarm_health(
    connection: Connection, now: datetime, settings: Settings, site_id: str | None = None
) -> AlarmHealth:
    """How much people were told in the span before ``now``; LOW is for the dashboard only, and does not count.

    Args:
        connection: an open connection.
        now: end of the span.
        settings: groups ``alarm_health`` and ``alerts``.
        site_id: of this site only; None for all.
    """
    since = _begin(connection, now, settings)
    return alarm_health(
        [*_of_incidents(connection, since, now, site_id), *_of_groups(connection, since, now, site_id)],
        _openings(connection, since, now, site_id),
        _standing(connection, now, settings, site_id),
        since,
        now,
        settings.alerts.operators,
        settings.alarm_health,
    )


def _begin(connection: Connection, now: datetime, settings: Settings) -> datetime:
    """Of a fleet that is watched for less than the span, the time before does not count; an hour at least does."""
    first = connection.scalar(sa.select(sa.func.min(incident_events.c.occurred_at)))
    begin = now - settings.alarm_health.span
    return begin if first is None else max(begin, min(first, now - _HOUR))


def _between(column: sa.ColumnElement[Any], since: datetime, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(column >= since, column <= now)


def _of_site(column: sa.ColumnElement[Any], site_id: str | None) -> sa.ColumnElement[bool]:
    return sa.true() if site_id is None else column == site_id


def _of_incidents(connection: Connection, since: datetime, now: datetime, site_id: str | None) -> list[Notification]:
    events, of = incident_events.c, incidents.c
    query = (
        sa.select(of.incident_id)
        .join_from(incident_events, incidents)
        .where(_between(events.occurred_at, since, now), events.told.is_not(None), _of_site(of.site_id, site_id))
        .distinct()
    )
    histories = histories_of(connection, connection.scalars(query))
    return [
        Notification(event.occurred_at, incident.device_id, incident.site_id, event.told)
        for history in histories.values()
        for incident, event in told_of(history)
        if event.told is not None and since <= event.occurred_at <= now
    ]


def told_of(history: Iterable[IncidentEvent]) -> Iterator[tuple[Incident, IncidentEvent]]:
    """What people got a message of, each with the incident as it was after it; LOW stays on the dashboard.

    Args:
        history: all that has happened to an incident, oldest first.
    """
    for incident, event in states_of(history):
        if event.told is not None and channel_of(incident.severity, incident.level) is not None:
            yield incident, event


def _of_groups(connection: Connection, since: datetime, now: datetime, site_id: str | None) -> list[Notification]:
    columns = incident_groups.c
    query = sa.select(columns.started_at, columns.scope).where(_between(columns.started_at, since, now))
    rows = connection.execute(query.where(_of_site(columns.scope, site_id)))
    return [Notification(at, "", "" if scope == FLEET else scope, GROUP) for at, scope in rows]


def _openings(
    connection: Connection, since: datetime, now: datetime, site_id: str | None
) -> list[tuple[str, datetime]]:
    events, of = incident_events.c, incidents.c
    query = (
        sa.select(of.device_id, events.occurred_at)
        .join_from(incident_events, incidents)
        .where(_between(events.occurred_at, since, now), events.action.in_(_OPENS), of.severity.in_(WEIGHTY))
        .where(_of_site(of.site_id, site_id))
    )
    return [(device, at) for device, at in connection.execute(query)]


def _standing(connection: Connection, now: datetime, settings: Settings, site_id: str | None) -> list[Standing]:
    columns = incidents.c
    query = sa.select(columns.incident_id, columns.device_id, columns.opened_at).where(
        is_open,
        columns.told.in_(WEIGHTY),
        columns.opened_at < now - settings.alarm_health.standing_after,
        _of_site(columns.site_id, site_id),
    )
    return [Standing(*row) for row in connection.execute(query)]

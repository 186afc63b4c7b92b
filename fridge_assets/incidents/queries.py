"""What people ask about incidents, answered as quickly as they type: nothing here imports pandas.

Lists find their ids in an index first, and look up only the few rows that are shown (SPEC 9).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.incidents.deadlines import WATCH, overdue
from fridge_assets.incidents.known import (
    ended_groups,
    pieces,
    running_groups,
    silences_around,
    spans_of_site,
    words_of,
)
from fridge_assets.incidents.observations import Surroundings
from fridge_assets.incidents.rows import event_from, incident_from
from fridge_assets.incidents.state import Incident, IncidentEvent
from fridge_assets.incidents.terms import PersonsAction, Status
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import (
    DUE,
    alert_evidence,
    incident_events,
    incidents,
    is_open,
)

NOT_CLEAR: Final = "not clear"
"""What people say of a probable cause that is none."""


@dataclass(frozen=True)
class IncidentFilter:
    """Which incidents are meant.

    Args:
        open_only: leave out those that are closed.
        min_severity: leave out those below this severity.
        severity: only those of this severity; None for all.
        device_id: of this device only.
        site_id: of this site only.
        cause: only those whose probable cause has this in it, such as ``refrigerant leak``, or :data:`NOT_CLEAR`; None
            for all.
        statuses: only with one of these; None for all.
        limit: at most this many; None for all.
    """

    open_only: bool = True
    min_severity: str = SEVERITIES[0]
    severity: str | None = None
    device_id: str | None = None
    site_id: str | None = None
    cause: str | None = None
    statuses: tuple[Status, ...] | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Listed:
    """An incident as a list shows it.

    Args:
        incident: as it truly stands at the moment of the look.
        opened_at: when it was opened.
        title: one line about what was seen.
        description: sentences about it.
    """

    incident: Incident
    opened_at: datetime
    title: str
    description: str


def given(*values: tuple[sa.ColumnElement[Any], Any]) -> list[sa.ColumnElement[bool]]:
    """Conditions that columns have the values that are given with them; none for one that is None."""
    return [column == value for column, value in values if value is not None]


def at_least(column: sa.ColumnElement[Any], severity: str) -> list[sa.ColumnElement[bool]]:
    """Conditions that a severity is this one or a higher one; none for the lowest."""
    lowest = SEVERITIES.index(severity)
    return [column.in_(SEVERITIES[lowest:])] if lowest else []


def rank(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Larger for what is more severe."""
    return sa.case({name: rank for rank, name in enumerate(SEVERITIES)}, value=column)


def urgent_incidents(
    connection: Connection, wanted: IncidentFilter, now: datetime, settings: IncidentSettings
) -> list[Listed]:
    """The incidents that pass the filter, in the order in which somebody should look at them.

    What is open and was told comes first: what nobody has taken by its deadline, then the severe ones, then those whose
    deadline is near. What waits to be told follows, then what is closed, newest first.

    Args:
        connection: an open connection.
        wanted: which incidents.
        now: the moment of the look; a deadline that has passed by then counts, whoever has noticed it.
        settings: spans of the severities.
    """
    return listed(connection, incident_ids(connection, wanted, now), now, settings)


def incident_ids(connection: Connection, wanted: IncidentFilter, now: datetime) -> list[str]:
    """The ids of :func:`urgent_incidents`, in the same order."""
    columns = incidents.c
    late = sa.and_(columns.status == "OPEN", sa.or_(columns.breached.is_(sa.true()), columns.next_escalation_at < now))
    order = (
        sa.case((columns.told.is_(None), 1), else_=0),
        sa.case((late, 0), else_=1),
        rank(columns.severity).desc(),
        columns.deadline,
        columns.incident_id,
    )
    causes = _causes_like(connection, wanted.cause)
    query = _passing(sa.select(columns.incident_id), wanted, causes).where(is_open).order_by(*order)
    ids = list(connection.scalars(query.limit(wanted.limit)))
    if wanted.open_only or len(ids) == wanted.limit:
        return ids
    left = None if wanted.limit is None else wanted.limit - len(ids)
    closed = _passing(sa.select(columns.incident_id), wanted, causes).where(columns.closed_at.is_not(None))
    newest_first = closed.order_by(columns.closed_at.desc(), columns.incident_id)
    return ids + list(connection.scalars(newest_first.limit(left)))


def events_of(connection: Connection, incident_id: str) -> list[IncidentEvent]:
    """What has happened to an incident, oldest first."""
    return histories_of(connection, [incident_id]).get(incident_id, [])


def histories_of(connection: Connection, ids: Iterable[str]) -> dict[str, list[IncidentEvent]]:
    """Incident → what has happened to it, oldest first."""
    columns = incident_events.c
    found: dict[str, list[IncidentEvent]] = defaultdict(list)
    for piece in pieces(ids):
        query = sa.select(incident_events).where(columns.incident_id.in_(piece))
        for row in connection.execute(query.order_by(columns.incident_id, columns.revision)).mappings():
            found[row["incident_id"]].append(event_from(row))
    return dict(found)


@dataclass(frozen=True)
class PeoplesAction:
    """What a person has done with an incident.

    Args:
        event: the action.
        event_id: its id.
        device_id: device of the incident.
        site_id: site of the incident.
    """

    event: IncidentEvent
    event_id: str
    device_id: str
    site_id: str


def peoples_actions(
    connection: Connection, after: tuple[datetime, str], until: datetime, limit: int
) -> list[PeoplesAction]:
    """What people have done, in its order.

    Args:
        connection: an open connection.
        after: moment and event id that come before the first action.
        until: what happened later is left out.
        limit: at most this many.
    """
    columns, of = incident_events.c, incidents.c
    query = (
        sa.select(incident_events, of.device_id, of.site_id)
        .join_from(incident_events, incidents)
        .where(columns.occurred_at >= after[0], columns.occurred_at <= until)
        .where(sa.or_(columns.occurred_at > after[0], columns.event_id > after[1]))
        .where(columns.action.in_(get_args(PersonsAction)), columns.actor != WATCH)
        .order_by(columns.occurred_at, columns.event_id)
        .limit(limit)
    )
    rows = connection.execute(query).mappings()
    return [PeoplesAction(event_from(row), row["event_id"], row["device_id"], row["site_id"]) for row in rows]


def open_ids(connection: Connection, limit: int) -> list[str]:
    """Open incidents, the ones that were opened last first."""
    columns = incidents.c
    query = sa.select(columns.incident_id).where(is_open).order_by(columns.opened_at.desc(), columns.incident_id)
    return list(connection.scalars(query.limit(limit)))


def open_summary(connection: Connection) -> dict[str, tuple[int, str]]:
    """Device → number of its open incidents that no silence holds, told or waiting, and the worst severity of these."""
    columns = incidents.c
    query = (
        sa.select(columns.device_id, sa.func.count(), sa.func.max(rank(columns.severity)))
        .where(is_open, sa.or_(columns.waiting.is_(None), _held_because() != "silenced"))
        .group_by(columns.device_id)
        .order_by(columns.device_id)
    )
    return {device: (count, SEVERITIES[worst]) for device, count, worst in connection.execute(query)}


def _held_because() -> sa.ScalarSelect[Any]:
    """Why nobody is told of the newest evidence of an incident that waits; what is known to be benign says nothing."""
    columns = alert_evidence.c
    query = sa.select(columns.suppressed_because).where(
        columns.incident_id == incidents.c.incident_id, columns.suppressed_because != "known_benign"
    )
    newest_first = (columns.alert_created_at.desc(), columns.window_end.desc(), columns.number.desc())
    return query.order_by(*newest_first).limit(1).scalar_subquery()


def waiting_ids(
    connection: Connection, limit: int, device_id: str | None = None, site_id: str | None = None
) -> list[str]:
    """Open incidents that nobody was told of yet, the newest first."""
    columns = incidents.c
    wanted = given((columns.device_id, device_id), (columns.site_id, site_id))
    query = sa.select(columns.incident_id).where(is_open, columns.told.is_(None), *wanted)
    return list(connection.scalars(query.order_by(columns.opened_at.desc(), columns.incident_id).limit(limit)))


def listed(connection: Connection, ids: Sequence[str], now: datetime, settings: IncidentSettings) -> list[Listed]:
    """The incidents with these ids, which must be there, in this order, as they stand at ``now``."""
    rows: list[Mapping[Any, Any]] = []
    for piece in pieces(ids):
        rows += connection.execute(sa.select(incidents).where(incidents.c.incident_id.in_(piece))).mappings()
    words = words_of(connection, [row["evidence_id"] for row in rows])
    stored = {row["incident_id"]: incident_from(row) for row in rows}
    current = _as_of(connection, stored, now, settings)
    found = {
        row["incident_id"]: Listed(current[row["incident_id"]], row["opened_at"], *words[row["evidence_id"]])
        for row in rows
    }
    return [found[identity] for identity in ids]


def _as_of(
    connection: Connection, stored: Mapping[str, Incident], now: datetime, settings: IncidentSettings
) -> dict[str, Incident]:
    """The incidents as they truly stand, whether or not anybody has looked at what is due lately."""
    current = dict(stored)
    due = [one for one in stored.values() if _is_due(one, now)]
    if not due:
        return current
    silences, ended = silences_around(connection, due, (), now), ended_groups(connection, due, now)
    running = running_groups(connection, now)
    for one in due:
        sites = spans_of_site(one.site_id, ended, running)
        around = Surroundings(silences.around(one.device_id, one.site_id), sites)
        for event in overdue(one, now, around, settings):
            current[one.incident_id] = current[one.incident_id].after(event)
    return current


def _is_due(incident: Incident, now: datetime) -> bool:
    moments = (getattr(incident, name) for name in DUE)
    return any(moment is not None and moment < now for moment in moments)


def _causes_like(connection: Connection, wanted: str | None) -> list[str] | None:
    """The causes that incidents have and that ``wanted`` is a part of, found in an index; None for all."""
    if wanted is None:
        return None
    if wanted == NOT_CLEAR:
        return [""]
    found, last = [], connection.scalar(sa.select(sa.func.min(incidents.c.probable_cause)))
    while last is not None:
        found.append(str(last))
        later = sa.select(sa.func.min(incidents.c.probable_cause)).where(incidents.c.probable_cause > last)
        last = connection.scalar(later)
    return [cause for cause in found if cause and wanted.casefold() in cause.casefold()]


def _passing(query: sa.Select[Any], wanted: IncidentFilter, causes: Sequence[str] | None) -> sa.Select[Any]:
    """``query`` of incidents with the conditions of the filter, but for whether they are open."""
    columns = incidents.c
    exact = given(
        (columns.severity, wanted.severity), (columns.device_id, wanted.device_id), (columns.site_id, wanted.site_id)
    )
    query = query.where(*at_least(columns.severity, wanted.min_severity), *exact)
    if wanted.statuses is not None:
        query = query.where(columns.status.in_(wanted.statuses))
    if causes is not None:
        query = query.where(columns.probable_cause.in_(causes))
    return query

"""What a decision must know of the devices concerned, read in the transaction that stores it (SPEC 6.1)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.incidents.grouping import FLEET, Group, Opening
from fridge_assets.incidents.memory import benign_of
from fridge_assets.incidents.observations import Benign, Observed, Seen, Span, Withdrawn
from fridge_assets.incidents.rows import incident_from
from fridge_assets.incidents.silences import silences_between
from fridge_assets.incidents.state import Incident
from fridge_assets.incidents.terms import Severity
from fridge_assets.incidents.together import Known, Silences, spans_by
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import (
    DUE,
    alert_evidence,
    incident_events,
    incident_groups,
    incidents,
    is_open,
)

PIECE: Final = 500
"""Devices, incidents or alerts that one query names."""
_MOMENT: Final = timedelta(microseconds=1)
_LOCK: Final = 7_308_611_292
"""PostgreSQL advisory lock that lets one program at a time decide about incidents."""


def lock(connection: Connection) -> None:
    """Let nobody else decide until the end of the transaction; SQLite's write lock does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def known_of(
    connection: Connection,
    observed: Sequence[Observed],
    now: datetime,
    longest_span: timedelta,
    settings: IncidentSettings,
) -> Known:
    """What is stored of the devices of ``observed``.

    Args:
        connection: of the transaction, after :func:`lock`.
        observed: what is about to be decided.
        now: the moment of the decision.
        longest_span: the longest within which openings make a group.
        settings: how long false positives are remembered.
    """
    stored, newest = newest_incidents(connection, {one.device_id for one in observed})
    evidence = [
        one.observation.evidence_id
        for one in observed
        if isinstance(one.observation, Withdrawn)
        or (isinstance(one.observation, Seen) and one.observation.source == "streaming")
    ]
    opened_by = incidents_of_evidence(connection, evidence)
    older = set(opened_by.values()) - stored.keys()
    stored |= incidents_by_id(connection, older)
    moments = [one.observation.window.starts_at for one in observed if isinstance(one.observation, Seen)]
    moments += [one.observation.at for one in observed if isinstance(one.observation, Seen)]
    moments += [
        one.observation.carried_from.starts_at
        for one in observed
        if isinstance(one.observation, Seen) and one.observation.carried_from is not None
    ]
    silences = silences_around(connection, stored.values(), moments, now)
    groups = running_groups(connection, now)
    since = min([now, *(group.started_at for group in groups.values())]) - longest_span
    return Known(
        incidents=stored,
        newest=newest,
        opened_by=opened_by,
        silences=silences,
        benign=false_positives(connection, now, settings),
        openings=recent_openings(connection, since, now),
        groups=groups,
        ended=ended_groups(connection, stored.values(), now),
    )


def newest_incidents(connection: Connection, devices: Collection[str]) -> tuple[dict[str, Incident], dict[str, str]]:
    """The newest incident of each device that has one, by id; and device → its id."""
    columns, other = incidents.c, incidents.alias("other")
    last = sa.select(sa.func.max(other.c.opened_at)).where(other.c.device_id == columns.device_id).scalar_subquery()
    found: dict[str, Incident] = {}
    newest: dict[str, str] = {}
    for piece in pieces(devices):
        query = (
            sa.select(incidents)
            .where(columns.device_id.in_(piece), columns.opened_at == last)
            # Of two that were opened at the same moment the one that is open comes last.
            .order_by(columns.device_id, is_open, columns.closed_at, columns.incident_id)
        )
        for row in connection.execute(query).mappings():
            newest[row["device_id"]] = row["incident_id"]
            found[row["incident_id"]] = incident_from(row)
    return {identity: found[identity] for identity in newest.values()}, newest


def incidents_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Incident]:
    """The incidents with these ids."""
    found: dict[str, Incident] = {}
    for piece in pieces(ids):
        query = sa.select(incidents).where(incidents.c.incident_id.in_(piece))
        found |= {row["incident_id"]: incident_from(row) for row in connection.execute(query).mappings()}
    return found


def due_ids(connection: Connection, now: datetime) -> list[str]:
    """The incidents of which something was due before ``now``, by id."""
    columns = incidents.c
    # One look at an index each: of conditions that are joined by OR, SQLite would take none of them.
    due = (sa.select(columns.incident_id).where(columns[name] < now) for name in DUE)
    return sorted({str(identity) for query in due for identity in connection.scalars(query)})


def incidents_of_evidence(connection: Connection, evidence: Collection[str]) -> dict[str, str]:
    """Evidence → the incident that it belongs to, of what is stored."""
    columns = alert_evidence.c
    found: dict[str, str] = {}
    for piece in pieces(evidence):
        query = sa.select(columns.alert_id, columns.incident_id).where(columns.alert_id.in_(piece))
        found |= {row.alert_id: row.incident_id for row in connection.execute(query.order_by(columns.number))}
    return found


def words_of(connection: Connection, evidence: Collection[str]) -> dict[str, tuple[str, str]]:
    """Evidence → its title and description."""
    columns = alert_evidence.c
    found: dict[str, tuple[str, str]] = {}
    for piece in pieces(evidence):
        query = sa.select(columns.alert_id, columns.title, columns.description).where(columns.alert_id.in_(piece))
        for alert, title, description in connection.execute(query.order_by(columns.number)):
            found[alert] = (title, description)
    return found


def silences_around(
    connection: Connection, known: Iterable[Incident], moments: Iterable[datetime], now: datetime
) -> Silences:
    """Silences of devices and sites that hold any of the moments that count.

    Args:
        connection: to read with.
        known: incidents of which something may be due.
        moments: of what was seen.
        now: the moment of the decision.
    """
    earliest, latest = min([_due_since(known, now), *moments]), max([now, *moments])
    held = silences_between(connection, earliest, latest + _MOMENT)
    spans = [(one, Span(one.starts_at, one.ends_at, one.said)) for one in held]
    by_device = ((one.device_id, span) for one, span in spans if one.device_id is not None)
    by_site = ((one.site_id, span) for one, span in spans if one.site_id is not None)
    return Silences(spans_by(by_device), spans_by(by_site))


def false_positives(connection: Connection, now: datetime, settings: IncidentSettings) -> Mapping[str, list[Benign]]:
    """Device → what people have called false positives of it, as far as it is remembered."""
    columns = incidents.c
    query = sa.select(incidents).where(
        columns.labelled_at > now - settings.benign_for, columns.status == "FALSE_POSITIVE"
    )
    found: dict[str, list[Benign]] = defaultdict(list)
    for row in connection.execute(query.order_by(columns.incident_id)).mappings():
        benign = benign_of(incident_from(row), settings)
        if benign is not None:
            found[row["device_id"]].append(benign)
    return found


def running_groups(connection: Connection, now: datetime) -> dict[str, Group]:
    """Scope → what is told of as one at ``now``."""
    columns = incident_groups.c
    query = sa.select(incident_groups).where(columns.ends_at > now, columns.started_at <= now)
    return {
        row.scope: Group(
            row.scope,
            row.started_at,
            Severity[row.severity],
            frozenset(row.devices),
            Span(row.started_at, row.ends_at),
        )
        for row in connection.execute(query.order_by(columns.started_at))
    }


def ended_groups(connection: Connection, known: Iterable[Incident], now: datetime) -> dict[str, list[Span]]:
    """Site → the spans in which it was told of as one and that have ended since something of ``known`` was due."""
    columns = incident_groups.c
    query = sa.select(columns.scope, columns.started_at, columns.ends_at).where(
        columns.ends_at > _due_since(known, now), columns.ends_at <= now, columns.scope != FLEET
    )
    rows = connection.execute(query.order_by(columns.scope, columns.started_at))
    return spans_by((scope, Span(started, ends)) for scope, started, ends in rows)


def spans_of_site(site_id: str, ended: Mapping[str, Sequence[Span]], running: Mapping[str, Group]) -> tuple[Span, ...]:
    """The spans of a site, of :func:`ended_groups` and :func:`running_groups`."""
    return (*ended.get(site_id, ()), *([running[site_id].span] if site_id in running else ()))


def _due_since(known: Iterable[Incident], now: datetime) -> datetime:
    """When something of ``known`` was first due; ``now`` where nothing is."""
    due: list[datetime | None] = [getattr(one, name) for one in known if one.is_open for name in DUE]
    return min([now, *(moment for moment in due if moment is not None)])


def recent_openings(connection: Connection, since: datetime, until: datetime) -> list[Opening]:
    """Incidents of which people were told, by themselves or with their site, because they opened; acute ones also of
    the whole fleet unless their site was told of."""
    found = []
    for row in connection.execute(openings_between(since, until)):
        severity = Severity[row.severity]
        found.append(Opening(row.device_id, row.site_id, severity, row.occurred_at))
        if row.actor == "streaming":
            found.append(Opening(row.device_id, FLEET, severity, row.occurred_at))
    return found


def openings_between(since: datetime, until: datetime) -> sa.Select[Any]:
    """The query behind :func:`recent_openings`."""
    events, of = incident_events.c, incidents.c
    opened = sa.or_(events.told.in_(("opened", "reopened")), events.held == "part_of_site")
    return (
        sa.select(of.device_id, of.site_id, of.severity, events.occurred_at, events.actor, of.incident_id)
        .join_from(incident_events, incidents)
        .where(events.occurred_at > since, events.occurred_at <= until, opened)
        .order_by(events.occurred_at, of.incident_id)
    )


def pieces(names: Iterable[str]) -> Iterable[list[str]]:
    """The names in order, some at a time."""
    ordered = sorted(set(names))
    return (ordered[first : first + PIECE] for first in range(0, len(ordered), PIECE))

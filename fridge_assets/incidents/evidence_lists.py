"""What people ask about evidence: alerts, and what of them was held (SPEC 6.1, 9); nothing here imports pandas."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.incidents.known import pieces
from fridge_assets.incidents.queries import given, rank
from fridge_assets.stores.beginnings import Ids, id_beginning_with
from fridge_assets.stores.operations import alert_evidence, device_alerts, incident_events, is_held

_IDS: Final = Ids(alert_evidence.c.alert_id, "alert", "alerts list --all")
_HELD: Final = ("alert_id", "incident_id", "device_id", "site_id", "severity", "source", "title", "window_end")


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts are listed.

    Args:
        open_only: leave out those of closed incidents.
        told_only: leave out those that nobody was told of.
        min_severity: leave out those below this severity.
        device_id: of this device only.
        site_id: of this site only.
        incident_id: of this incident only.
        limit: at most this many.
    """

    open_only: bool = True
    told_only: bool = True
    min_severity: str = SEVERITIES[0]
    device_id: str | None = None
    site_id: str | None = None
    incident_id: str | None = None
    limit: int = 100


def list_alerts(connection: Connection, wanted: AlertFilter) -> list[dict[str, Any]]:
    """DEVICE_ALERTS rows that pass the filter, newest window first, within a window the most severe first."""
    columns = device_alerts.c
    ids = _newest_ids(connection, wanted)
    rows: dict[str, dict[str, Any]] = {}
    for piece in pieces(ids):
        whole = sa.select(device_alerts).where(columns.alert_id.in_(piece))
        rows |= {row["alert_id"]: dict(row) for row in connection.execute(whole).mappings()}
    return [rows[identity] for identity in ids]


def _newest_ids(connection: Connection, wanted: AlertFilter) -> list[str]:
    columns = device_alerts.c
    order = (columns.window_end.desc(), rank(columns.severity).desc(), columns.anomaly_score.desc(), columns.alert_id)
    query = sa.select(columns.alert_id, columns.window_end, rank(columns.severity), columns.anomaly_score)
    if wanted.told_only:
        query = query.where(columns.suppressed.is_(sa.false()))
    query = query.where(
        *given(*((columns[name], getattr(wanted, name)) for name in ("device_id", "site_id", "incident_id")))
    )
    lowest = SEVERITIES.index(wanted.min_severity)
    if wanted.open_only:
        # Few are of open incidents: by these they are found, not by their severity.
        queries = [query.where(columns.resolved_at.is_(None), rank(columns.severity) >= lowest)]
    else:
        # Each severity has its newest in an index; of several together none has.
        queries = [query.where(columns.severity == name) for name in SEVERITIES[lowest:]] if lowest else [query]
    found = [row for one in queries for row in connection.execute(one.order_by(*order).limit(wanted.limit))]
    found.sort(key=lambda row: row[0])
    found.sort(key=lambda row: row[1:], reverse=True)
    return [row[0] for row in found[: wanted.limit]]


def find_alert(connection: Connection, beginning: str) -> dict[str, Any]:
    """The DEVICE_ALERTS row whose id begins with ``beginning``.

    Raises:
        UnknownName: there is none, or more than one, or it is too short to be meant.
    """
    identity = id_beginning_with(connection, _IDS, beginning)
    query = sa.select(device_alerts).where(device_alerts.c.alert_id == identity)
    return dict(connection.execute(query).mappings().one())


@dataclass(frozen=True)
class HeldFilter:
    """Which held evidence is looked at.

    Args:
        since: only windows that end at this moment or later; None for all.
        device_id: of this device only.
        site_id: of this site only.
        because: held for this reason only.
        limit: at most this many are named, newest window first.
    """

    since: datetime | None = None
    device_id: str | None = None
    site_id: str | None = None
    because: str | None = None
    limit: int = 50


def held_counts(connection: Connection, wanted: HeldFilter) -> list[dict[str, Any]]:
    """``suppressed_because``, ``alerts`` and ``devices`` of what was held, the most frequent reason first."""
    columns = alert_evidence.c
    # By device first: in that order an index has them, so that nothing is sorted.
    by_device = (
        sa.select(columns.suppressed_because, columns.device_id, sa.func.count().label("alerts"))
        .where(is_held, *_wanted(wanted))
        .group_by(columns.suppressed_because, columns.device_id)
        .subquery()
    )
    count = sa.func.sum(by_device.c.alerts).label("alerts")
    query = (
        sa.select(by_device.c.suppressed_because, count, sa.func.count().label("devices"))
        .group_by(by_device.c.suppressed_because)
        .order_by(count.desc(), by_device.c.suppressed_because)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def held_alerts(connection: Connection, wanted: HeldFilter) -> list[dict[str, Any]]:
    """The newest held evidence, with ``suppressed_because`` and ``why``: what the history says of it, if anything."""
    columns, events = alert_evidence.c, incident_events.c
    said = (
        sa.select(events.note)
        .where(events.incident_id == columns.incident_id, events.evidence_id == columns.alert_id)
        .order_by(events.revision.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        sa.select(
            *(columns[name] for name in _HELD), columns.suppressed_because, sa.func.coalesce(said, "").label("why")
        )
        .where(columns.suppressed.is_(sa.true()), *_wanted(wanted))
        .order_by(columns.window_end.desc(), columns.alert_id, columns.number.desc())
        .limit(wanted.limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _wanted(wanted: HeldFilter) -> list[sa.ColumnElement[bool]]:
    columns = alert_evidence.c
    since = [] if wanted.since is None else [columns.window_end >= wanted.since]
    return since + given(
        (columns.device_id, wanted.device_id),
        (columns.site_id, wanted.site_id),
        (columns.suppressed_because, wanted.because),
    )

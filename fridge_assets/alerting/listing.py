"""Which alerts a person asks for, answered as quickly as they type: nothing here imports pandas (SPEC 9)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import device_alerts, is_active

SEVERITY_RANK = sa.case({name: rank for rank, name in enumerate(SEVERITIES)}, value=device_alerts.c.severity)
"""Larger for what is more severe."""


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts to list.

    Args:
        active_only: leave out resolved alerts and false positives.
        min_severity: leave out alerts below this severity.
        device_id: of this device only.
        site_id: of this site only.
        include_suppressed: with the repeats that are kept for audit.
        limit: at most this many.
    """

    active_only: bool = True
    min_severity: str = SEVERITIES[0]
    device_id: str | None = None
    site_id: str | None = None
    include_suppressed: bool = False
    limit: int = 100


def urgent_rows(connection: Connection, wanted: AlertFilter, now: datetime) -> list[dict[str, Any]]:
    """DEVICE_ALERTS rows that pass the filter, in the order in which somebody should look at them.

    Active alerts that were told come first: those past their deadline, then the severe ones, then those whose deadline
    is near. What is closed or suppressed follows, newest window first.

    Args:
        connection: an open connection.
        wanted: which alerts.
        now: the moment of the look; a deadline that has passed by then counts, whoever has noticed it.
    """
    told = replace(wanted, active_only=True, include_suppressed=False)
    rows = _rows(connection, urgent(told, now))
    left = wanted.limit - len(rows)
    if not left or wanted == told:
        return rows
    columns = device_alerts.c
    others = selection(replace(wanted, limit=left)).where(sa.or_(~is_active, columns.suppressed.is_(sa.true())))
    return rows + _rows(connection, others)


def urgent(wanted: AlertFilter, now: datetime) -> sa.Select[Any]:
    """The query behind the first part of :func:`urgent_rows`."""
    columns = device_alerts.c
    breached = sa.or_(columns.sla_breached.is_(sa.true()), columns.next_escalation_at < now)
    order = (sa.case((breached, 0), else_=1), SEVERITY_RANK.desc(), columns.sla_deadline, columns.alert_id)
    first = _passing(sa.select(columns.alert_id), wanted).order_by(*order).limit(wanted.limit)
    # Ids first, out of an index: only the few rows that are shown are looked up whole.
    return sa.select(device_alerts).where(columns.alert_id.in_(first)).order_by(*order)


def _rows(connection: Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def rows_as_of(rows: list[dict[str, Any]], now: datetime, settings: IncidentSettings) -> list[dict[str, Any]]:
    """The rows as they truly stand at ``now``, whether or not anybody has looked at their deadlines lately.

    Args:
        rows: DEVICE_ALERTS rows as they are stored.
        now: the moment of the look.
        settings: spans of the severities.
    """
    due = [row for row in rows if row["next_escalation_at"] is not None and row["next_escalation_at"] < now]
    if not due:
        return rows
    # Somebody looks at deadlines every few seconds, so that pandas is hardly ever needed.
    from fridge_assets.alerting.sla import advanced_rows  # noqa: PLC0415

    advanced = advanced_rows(due, now, settings)
    return [row | advanced.get(row["alert_id"], {}) for row in rows]


def selection(wanted: AlertFilter) -> sa.Select[Any]:
    """DEVICE_ALERTS rows that pass the filter, newest window first, within a window the most severe first."""
    columns = device_alerts.c
    order = (columns.window_end.desc(), SEVERITY_RANK.desc(), columns.anomaly_score.desc(), columns.alert_id)
    return _passing(sa.select(device_alerts), wanted).order_by(*order).limit(wanted.limit)


def _passing(query: sa.Select[Any], wanted: AlertFilter) -> sa.Select[Any]:
    """``query`` with the conditions of the filter."""
    columns = device_alerts.c
    if wanted.active_only:
        query = query.where(is_active)
    if not wanted.include_suppressed:
        query = query.where(columns.suppressed.is_(sa.false()))
    if wanted.min_severity != SEVERITIES[0]:
        query = query.where(columns.severity.in_(SEVERITIES[SEVERITIES.index(wanted.min_severity) :]))
    if wanted.device_id is not None:
        query = query.where(columns.device_id == wanted.device_id)
    if wanted.site_id is not None:
        query = query.where(columns.site_id == wanted.site_id)
    return query

"""What was kept for audit: alerts of which nobody was told, and why (SPEC 6)."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.stores.operations import alert_events, device_alerts

_SHOWN = (
    "alert_id",
    "device_id",
    "site_id",
    "severity",
    "source",
    "title",
    "window_end",
    "alert_created_at",
    "suppressed_because",
)


@dataclass(frozen=True)
class AuditFilter:
    """Which held alerts are looked at.

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


def held_counts(connection: Connection, wanted: AuditFilter) -> pd.DataFrame:
    """``suppressed_because``, ``alerts`` and ``devices`` of what was held, the most frequent reason first."""
    columns = device_alerts.c
    count = sa.func.count()
    query = (
        sa.select(columns.suppressed_because, count, sa.func.count(columns.device_id.distinct()))
        .where(_held(wanted))
        .group_by(columns.suppressed_because)
        .order_by(count.desc(), columns.suppressed_because)
    )
    rows = connection.execute(query).all()
    return pd.DataFrame(rows, columns=["suppressed_because", "alerts", "devices"])


def held_alerts(connection: Connection, wanted: AuditFilter) -> pd.DataFrame:
    """The newest held alerts: columns of DEVICE_ALERTS, and ``event_note``: who or what held it, and until when."""
    columns, events = device_alerts.c, alert_events.c
    said = (
        sa.select(events.note)
        .where(events.alert_id == columns.alert_id, events.action.in_(("suppress", "withdraw")))
        .order_by(events.revision.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        sa.select(*(columns[name] for name in _SHOWN), said)
        .where(_held(wanted))
        .order_by(columns.window_end.desc(), columns.alert_created_at.desc(), columns.alert_id)
        .limit(wanted.limit)
    )
    return pd.DataFrame(connection.execute(query).all(), columns=[*_SHOWN, "event_note"])


def _held(wanted: AuditFilter) -> sa.ColumnElement[bool]:
    columns = device_alerts.c
    conditions: list[sa.ColumnElement[bool]] = [columns.suppressed.is_(sa.true())]
    if wanted.since is not None:
        conditions.append(columns.window_end >= wanted.since)
    for column, value in (
        (columns.device_id, wanted.device_id),
        (columns.site_id, wanted.site_id),
        (columns.suppressed_because, wanted.because),
    ):
        if value is not None:
            conditions.append(column == value)
    return sa.and_(*conditions)

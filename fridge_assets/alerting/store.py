"""Alerts in the operations store: writing what was generated, and what operators ask (SPEC 1.7, 6)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.contracts.device_alerts import ACTIVE_STATUSES, SEVERITIES
from fridge_assets.stores.operations import alert_events, device_alerts, insert_missing

_RANK = sa.case({name: rank for rank, name in enumerate(SEVERITIES)}, value=device_alerts.c.severity)
_ACTIVE = device_alerts.c.status.in_(ACTIVE_STATUSES)
_OPEN_WORK = sa.and_(_ACTIVE, device_alerts.c.suppressed.is_(sa.false()))
_FIXED = ("alert_id", "device_id", "site_id", "source", "window_end", "alert_created_at")
"""Columns that never change; leaving them out spares their indexes."""
_UPDATED = [name for name in DEVICE_ALERTS.column_names if name not in _FIXED]


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts to list.

    Args:
        active_only: leave out resolved alerts and false positives.
        min_severity: leave out alerts below this severity.
        device_id: of this device only.
        site_id: of this site only.
        include_suppressed: with the repeats that are kept for audit.
        limit: at most this many, newest window first.
    """

    active_only: bool = True
    min_severity: str = SEVERITIES[0]
    device_id: str | None = None
    site_id: str | None = None
    include_suppressed: bool = False
    limit: int = 100


def apply(connection: Connection, generated: GeneratedAlerts) -> None:
    """Store ``generated`` in the transaction of ``connection``; a new row that is there is left alone."""
    insert_missing(connection, device_alerts, DEVICE_ALERTS.to_arrow(generated.new).to_pylist())
    updated = DEVICE_ALERTS.to_arrow(generated.updated).select(["alert_id", *_UPDATED]).to_pylist()
    if updated:
        statement = (
            sa.update(device_alerts)
            .where(device_alerts.c.alert_id == sa.bindparam("key"))
            .values({name: sa.bindparam(name) for name in _UPDATED})
        )
        connection.execute(statement, [{"key": row.pop("alert_id"), **row} for row in updated])
    insert_missing(connection, alert_events, ALERT_EVENTS.to_arrow(generated.events).to_pylist())


def known_alerts(connection: Connection, since: datetime, window_end: datetime) -> pd.DataFrame:
    """The alerts that generation must know, locked until the end of the transaction where the database can.

    Args:
        connection: of the transaction that the generated alerts will be applied in.
        since: start of the deduplication span.
        window_end: the window that alerts are about to be generated for.

    Returns:
        DEVICE_ALERTS rows that are active, were created at ``since`` or later, or are about ``window_end``.
    """
    columns = device_alerts.c
    relevant = sa.or_(_ACTIVE, columns.alert_created_at >= since, columns.window_end == window_end)
    return _alerts(connection, sa.select(device_alerts).where(relevant).with_for_update())


def list_alerts(connection: Connection, wanted: AlertFilter) -> pd.DataFrame:
    """DEVICE_ALERTS rows that pass the filter, newest window first, within a window the most severe first."""
    columns = device_alerts.c
    severities = SEVERITIES[SEVERITIES.index(wanted.min_severity) :]
    query = sa.select(device_alerts).where(columns.severity.in_(severities))
    if wanted.active_only:
        query = query.where(_ACTIVE)
    if not wanted.include_suppressed:
        query = query.where(columns.suppressed.is_(sa.false()))
    if wanted.device_id is not None:
        query = query.where(columns.device_id == wanted.device_id)
    if wanted.site_id is not None:
        query = query.where(columns.site_id == wanted.site_id)
    order = (columns.window_end.desc(), _RANK.desc(), columns.anomaly_score.desc(), columns.alert_id)
    return _alerts(connection, query.order_by(*order).limit(wanted.limit))


def alerts_by_id_prefix(connection: Connection, prefix: str) -> pd.DataFrame:
    """DEVICE_ALERTS rows whose id begins with ``prefix``."""
    return _alerts(
        connection,
        sa.select(device_alerts).where(device_alerts.c.alert_id.startswith(prefix, autoescape=True)),
    )


def events_of_alerts(connection: Connection, alert_ids: Collection[str]) -> pd.DataFrame:
    """ALERT_EVENTS rows of ``alert_ids``, those of each in their order."""
    columns = alert_events.c
    query = sa.select(alert_events).where(columns.alert_id.in_(alert_ids)).order_by(columns.alert_id, columns.revision)
    rows = connection.execute(query).all()
    return conform([pd.DataFrame(rows, columns=list(ALERT_EVENTS.column_names))], ALERT_EVENTS)


def open_alert_summary(connection: Connection) -> pd.DataFrame:
    """How much open work each device has.

    Returns:
        ``device_id``, ``open_alerts``, ``worst_severity``; one row per device with an active, told alert.
    """
    query = (
        sa.select(device_alerts.c.device_id, sa.func.count(), sa.func.max(_RANK))
        .where(_OPEN_WORK)
        .group_by(device_alerts.c.device_id)
        .order_by(device_alerts.c.device_id)
    )
    rows = [(device, count, SEVERITIES[rank]) for device, count, rank in connection.execute(query)]
    return pd.DataFrame(rows, columns=["device_id", "open_alerts", "worst_severity"])


def _alerts(connection: Connection, query: sa.Select[tuple[object, ...]]) -> pd.DataFrame:
    rows = connection.execute(query).all()
    return conform([pd.DataFrame(rows, columns=list(DEVICE_ALERTS.column_names))], DEVICE_ALERTS)

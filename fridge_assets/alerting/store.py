"""Alerts in the operations store: writing what was generated, and what operators ask (SPEC 1.7, 6)."""

from collections.abc import Collection
from datetime import datetime

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.alerting.listing import SEVERITY_RANK, AlertFilter, selection
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.stores.operations import alert_events, device_alerts, insert_missing, is_active, status_due
from fridge_assets.work_orders.store import follow

_OPEN_WORK = sa.and_(is_active, device_alerts.c.suppressed.is_(sa.false()))
_FIXED = ("alert_id", "device_id", "site_id", "source", "window_end", "alert_created_at")
"""Columns that never change; leaving them out spares their indexes."""
_UPDATED = [name for name in DEVICE_ALERTS.column_names if name not in _FIXED]


def apply(connection: Connection, generated: GeneratedAlerts) -> None:
    """Store ``generated`` with its work orders in the transaction of ``connection``; a new row that is there stays."""
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
    devices = {
        alert: device
        for frame in (generated.new, generated.updated)
        for alert, device in zip(frame["alert_id"], frame["device_id"], strict=True)
    }
    happened = zip(generated.events["event_id"], generated.events["alert_id"], strict=True)
    due = [{"event_id": event, "device_id": devices[alert]} for event, alert in happened]
    insert_missing(connection, status_due, due)
    follow(connection, pd.concat([generated.new, generated.updated]), generated.events)


def known_alerts(connection: Connection, since: datetime, window_end: datetime) -> pd.DataFrame:
    """The alerts that generation must know, locked until the end of the transaction where the database can.

    Args:
        connection: of the transaction that the generated alerts will be applied in.
        since: start of the deduplication span.
        window_end: the window that alerts are about to be generated for.

    Returns:
        DEVICE_ALERTS rows that are active, were created at ``since`` or later, or are about ``window_end``.
    """
    return _alerts(connection, sa.select(device_alerts).where(_relevant(since, window_end)).with_for_update())


def known_revisions(connection: Connection, since: datetime, window_end: datetime) -> dict[str, tuple[int, str]]:
    """Alert → revision and source of the rows that :func:`known_alerts` gives, locked as there."""
    columns = device_alerts.c
    query = sa.select(columns.alert_id, columns.revision, columns.source).where(_relevant(since, window_end))
    return {name: (revision, source) for name, revision, source in connection.execute(query.with_for_update())}


def _relevant(since: datetime, window_end: datetime) -> sa.ColumnElement[bool]:
    columns = device_alerts.c
    # One look at an index each: of conditions that are joined by OR, SQLite would take none of them from a partial one.
    conditions = (is_active, columns.alert_created_at >= since, columns.window_end == window_end)
    return columns.alert_id.in_(sa.union(*(sa.select(columns.alert_id).where(one) for one in conditions)))


def overdue_alerts(connection: Connection, now: datetime, most: int, alert_id: str | None = None) -> pd.DataFrame:
    """Up to ``most`` DEVICE_ALERTS rows with a step that was due before ``now``, locked; only one's if it is named."""
    # Only open alerts have a next step; with their status in the query SQLite would look through all that are open.
    due = device_alerts.c.next_escalation_at
    query = sa.select(device_alerts).where(due < now).order_by(due, device_alerts.c.alert_id).limit(most)
    if alert_id is not None:
        query = query.where(device_alerts.c.alert_id == alert_id)
    return _alerts(connection, query.with_for_update())


def told_alerts(connection: Connection, since: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """DEVICE_ALERTS rows that were created at ``since`` or later and told, and the ALERT_EVENTS rows of these."""
    columns = device_alerts.c
    told = sa.and_(columns.alert_created_at >= since, columns.suppressed.is_(sa.false()))
    events = sa.select(alert_events).join(device_alerts).where(told)
    return _alerts(connection, sa.select(device_alerts).where(told)), _events(connection, events)


def list_alerts(connection: Connection, wanted: AlertFilter) -> pd.DataFrame:
    """DEVICE_ALERTS rows that pass the filter, newest window first, within a window the most severe first."""
    return _alerts(connection, selection(wanted))


def alert_of(connection: Connection, alert_id: str) -> pd.DataFrame:
    """The DEVICE_ALERTS row with this id, or none."""
    return _alerts(connection, sa.select(device_alerts).where(device_alerts.c.alert_id == alert_id))


def events_of_alerts(connection: Connection, alert_ids: Collection[str]) -> pd.DataFrame:
    """ALERT_EVENTS rows of ``alert_ids``, those of each in their order."""
    columns = alert_events.c
    query = sa.select(alert_events).where(columns.alert_id.in_(alert_ids)).order_by(columns.alert_id, columns.revision)
    return _events(connection, query)


def open_alert_summary(connection: Connection) -> pd.DataFrame:
    """How much open work each device has.

    Returns:
        ``device_id``, ``open_alerts``, ``worst_severity``; one row per device with an active, told alert.
    """
    query = (
        sa.select(device_alerts.c.device_id, sa.func.count(), sa.func.max(SEVERITY_RANK))
        .where(_OPEN_WORK)
        .group_by(device_alerts.c.device_id)
        .order_by(device_alerts.c.device_id)
    )
    rows = [(device, count, SEVERITIES[rank]) for device, count, rank in connection.execute(query)]
    return pd.DataFrame(rows, columns=["device_id", "open_alerts", "worst_severity"])


def _alerts(connection: Connection, query: sa.Select[tuple[object, ...]]) -> pd.DataFrame:
    rows = connection.execute(query).all()
    return conform([pd.DataFrame(rows, columns=list(DEVICE_ALERTS.column_names))], DEVICE_ALERTS)


def _events(connection: Connection, query: sa.Select[tuple[object, ...]]) -> pd.DataFrame:
    rows = connection.execute(query).all()
    return conform([pd.DataFrame(rows, columns=list(ALERT_EVENTS.column_names))], ALERT_EVENTS)

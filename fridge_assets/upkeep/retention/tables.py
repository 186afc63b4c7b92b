"""Rows that are too old, removed a piece at a time, so that nobody waits long for a lock."""

from datetime import UTC, datetime, timedelta

import duckdb
import sqlalchemy as sa

from fridge_assets.contracts.device_alerts import ACTIVE_STATUSES
from fridge_assets.stores.operations import (
    alert_events,
    device_alerts,
    outbox,
    outbox_deliveries,
    outbox_subjects,
    silences,
    site_incidents,
    stream_onsets,
    stream_status,
    work_orders,
)
from fridge_assets.upkeep.retention.policies import WAREHOUSE_TABLES
from fridge_assets.upkeep.retention.report import Sweep, Swept

PIECE = timedelta(days=1)
"""Span of a warehouse table that one transaction removes; the nightly sweep finds about that much."""

ROWS = 1000
"""Rows of the operations store that one transaction removes."""


def sweep_table(sweep: Sweep, swept: Swept) -> None:
    """Remove the rows of a warehouse table by their age alone."""
    column, cutoff = WAREHOUSE_TABLES[swept.subject].age_column, sweep.data_now - swept.kept_for
    with sweep.warehouse.read() as connection:
        found = _old_rows(connection, swept.subject, column, cutoff)
    if sweep.dry:
        swept.rows = found
        return
    while found > swept.rows:
        with sweep.warehouse.transaction() as connection:
            removed = _remove_piece(connection, swept.subject, column, cutoff)
        if not removed:
            break
        swept.rows += removed


def _old_rows(connection: duckdb.DuckDBPyConnection, table: str, column: str, cutoff: datetime) -> int:
    # A family's own table is there from its first scores on.
    if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [table]).fetchall():
        return 0
    return int(connection.execute(f"SELECT count(*) FROM {table} WHERE {column} < ?", [cutoff]).fetchall()[0][0])


def _remove_piece(connection: duckdb.DuckDBPyConnection, table: str, column: str, cutoff: datetime) -> int:
    oldest = connection.execute(f"SELECT min({column}) FROM {table} WHERE {column} < ?", [cutoff]).fetchall()[0][0]
    if oldest is None:
        return 0
    until = min(oldest.astimezone(UTC) + PIECE, cutoff)
    return int(connection.execute(f"DELETE FROM {table} WHERE {column} < ?", [until]).fetchall()[0][0])


def sweep_alerts(sweep: Sweep, swept: Swept) -> None:
    """Remove alerts that were closed long ago, with events and work orders; an open alert, or order, stays."""
    columns = device_alerts.c
    closed = sa.func.coalesce(columns.resolved_at, columns.alert_created_at)
    ordered = sa.select(work_orders.c.alert_id).where(work_orders.c.status == "open")
    done = sa.and_(columns.status.not_in(ACTIVE_STATUSES), columns.alert_id.not_in(ordered))
    old = sa.and_(done, closed < sweep.data_now - swept.kept_for)
    if sweep.dry:
        swept.rows = _count(sweep, device_alerts, old)
        return
    while True:
        with sweep.operations.transaction() as connection:
            ids = connection.scalars(sa.select(columns.alert_id).where(old).limit(ROWS)).all()
            connection.execute(sa.delete(alert_events).where(alert_events.c.alert_id.in_(ids)))
            connection.execute(sa.delete(work_orders).where(work_orders.c.alert_id.in_(ids)))
            connection.execute(sa.delete(device_alerts).where(columns.alert_id.in_(ids)))
        swept.rows += len(ids)
        if len(ids) < ROWS:
            return


def sweep_messages(sweep: Sweep, swept: Swept) -> None:
    """Remove messages that wait for no destination, with what they are about and what became of them; others stay."""
    columns = outbox.c
    old = sa.and_(columns.status != "pending", columns.created_at < sweep.now - swept.kept_for)
    if sweep.dry:
        swept.rows = _count(sweep, outbox, old)
        return
    while True:
        with sweep.operations.transaction() as connection:
            ids = connection.scalars(sa.select(columns.message_id).where(old).limit(ROWS)).all()
            for table in (outbox_subjects, outbox_deliveries):
                connection.execute(sa.delete(table).where(table.c.message_id.in_(ids)))
            connection.execute(sa.delete(outbox).where(columns.message_id.in_(ids)))
        swept.rows += len(ids)
        if len(ids) < ROWS:
            return


def sweep_onsets(sweep: Sweep, swept: Swept) -> None:
    """Remove onsets of the stream whose alerts are gone."""
    gone = stream_onsets.c.alert_id.not_in(sa.select(device_alerts.c.alert_id))
    old = sa.and_(stream_onsets.c.onset < sweep.data_now - swept.kept_for, gone)
    _sweep_at_once(sweep, swept, stream_onsets, old)


def sweep_incidents(sweep: Sweep, swept: Swept) -> None:
    """Remove incidents of sites that are long over."""
    _sweep_at_once(sweep, swept, site_incidents, site_incidents.c.last_alert_at < sweep.data_now - swept.kept_for)


def sweep_silences(sweep: Sweep, swept: Swept) -> None:
    """Remove silences that are long over."""
    _sweep_at_once(sweep, swept, silences, silences.c.ends_at < sweep.data_now - swept.kept_for)


def sweep_streams(sweep: Sweep, swept: Swept) -> None:
    """Remove what is known of streaming processes that are long gone."""
    _sweep_at_once(sweep, swept, stream_status, stream_status.c.beaten_at < sweep.now - swept.kept_for)


def _sweep_at_once(sweep: Sweep, swept: Swept, table: sa.Table, old: sa.ColumnElement[bool]) -> None:
    """For tables with few rows a day."""
    if sweep.dry:
        swept.rows = _count(sweep, table, old)
        return
    with sweep.operations.transaction() as connection:
        swept.rows = connection.execute(sa.delete(table).where(old)).rowcount


def _count(sweep: Sweep, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    with sweep.operations.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition)) or 0

"""Rows that are too old, removed a piece at a time, so that nobody waits long for a lock."""

from datetime import UTC, datetime, timedelta

import duckdb
import sqlalchemy as sa

from fridge_assets.stores.operations import (
    alert_evidence,
    incident_events,
    incident_groups,
    incidents,
    outbox,
    outbox_deliveries,
    outbox_subjects,
    silences,
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


def sweep_incidents(sweep: Sweep, swept: Swept) -> None:
    """Remove incidents that were closed long ago, with evidence, events and orders; one that is open, or ordered,
    stays."""
    columns = incidents.c
    ordered = sa.select(work_orders.c.incident_id).where(work_orders.c.status == "open")
    old = sa.and_(columns.closed_at < sweep.data_now - swept.kept_for, columns.incident_id.not_in(ordered))
    if sweep.dry:
        swept.rows = _count(sweep, incidents, old)
        return
    while True:
        with sweep.operations.transaction() as connection:
            ids = connection.scalars(sa.select(columns.incident_id).where(old).limit(ROWS)).all()
            for table in (incident_events, alert_evidence, work_orders, incidents):
                connection.execute(sa.delete(table).where(table.c.incident_id.in_(ids)))
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


def sweep_groups(sweep: Sweep, swept: Swept) -> None:
    """Remove times in which many devices were told of as one that are long over."""
    _sweep_at_once(sweep, swept, incident_groups, incident_groups.c.ends_at < sweep.data_now - swept.kept_for)


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

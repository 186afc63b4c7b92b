"""The two databases: whether they open, whether they are whole, and of which release they are."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import sqlalchemy as sa

from fridge_assets.settings import Settings
from fridge_assets.stores.looking import ReadOnlyOperations, ReadOnlyWarehouse, StoreOutdated, damage_of
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.upkeep.doctor.check import FIX, Check, Remedy, State, broken, note, ok

_HEADERS = 3 * 4096
"""Bytes at the beginning of a DuckDB file, before its blocks."""


def store_checks(settings: Settings, warehouse: ReadOnlyWarehouse, operations: ReadOnlyOperations) -> list[Check]:
    """The warehouse, the operations store, the model registry's database, and the logs beside them."""
    to_write = Warehouse.from_settings(settings)
    registry = _file_of(settings.mlflow_database)

    def fold_warehouse() -> None:
        with to_write.get_connection() as connection:
            connection.execute("CHECKPOINT")

    checks = [
        Check("warehouse", lambda: _warehouse(warehouse, to_write)),
        _log_check(
            "warehouse log", "warehouse", settings.warehouse_file.with_name("warehouse.duckdb.wal"), fold_warehouse
        ),
        Check("operations store", lambda: _operations(operations, settings)),
    ]
    if operations.file is not None:
        file = operations.file
        log = file.with_name(f"{file.name}-wal")
        checks.append(_log_check("operations log", "operations store", log, lambda: _fold_sqlite(file)))
    if registry is not None:
        checks.append(Check("model registry", lambda: _registry(registry)))
    return checks


def _warehouse(warehouse: ReadOnlyWarehouse, to_write: Warehouse) -> State:
    file = Path(warehouse.database)
    if not file.exists():
        return ok("none yet; the first command creates it")
    try:
        with warehouse.read() as connection:
            rows = connection.execute("SELECT count(*) FROM device_features").fetchall()[0][0]
            lacking = _cut_off(connection, file)
    except StoreOutdated as error:
        return note(error.problem, Remedy("brings it up to date", lambda: _prepare(to_write)))
    if lacking:
        return broken(
            f"{file} is cut off: {lacking:,} bytes are missing at its end; restore it from a backup, or move it away: "
            f"then {FIX} lets the next run build a new one from the files in landing"
        )
    return ok(f"opens; {rows:,} feature rows")


def _cut_off(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    """Bytes that the tables need and the file has not: blocks are missed only when somebody reads them."""
    block_size = connection.execute("SELECT block_size FROM pragma_database_size()").fetchall()[0][0]
    tables = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    last = "SELECT coalesce(max(block_id), -1) FROM pragma_storage_info(?) WHERE persistent"
    blocks = 1 + max((connection.execute(last, [table]).fetchall()[0][0] for table in tables), default=-1)
    return max(0, _HEADERS + blocks * int(block_size) - file.stat().st_size)


def _prepare(warehouse: Warehouse) -> None:
    with warehouse.transaction():
        pass


def _operations(operations: ReadOnlyOperations, settings: Settings) -> State:
    if operations.file is not None:
        if not operations.file.exists():
            return ok("none yet; the first command creates it")
        damage = damage_of(operations.file)
        if damage:
            return _damaged(operations.file, damage)
    try:
        operations.migrate()
    except StoreOutdated as error:
        store = Operations(settings.operations_database, settings.operations.lock_wait)
        return note(error.problem, Remedy("brings it up to date", store.migrate))
    return ok("opens; its tables are those of this release")


def _registry(file: Path) -> State:
    if not file.exists():
        return ok("none yet; the first training creates it")
    damage = damage_of(file)
    return _damaged(file, damage) if damage else ok("opens")


def _damaged(file: Path, damage: str) -> State:
    return broken(f"{file} is damaged: {damage}; restore it from a backup, or move it away to start with an empty one")


def _log_check(what: str, store: str, log: Path, fold: Callable[[], None]) -> Check:
    """Look for a write-ahead log that a killed program left: the next one that opens the store reads it."""

    def look() -> State:
        if not log.exists():
            return ok("none: everything is in the file")
        size = f"{log.stat().st_size / 2**20:,.1f} MiB"
        return note(
            f"{log.name} ({size}) holds what was committed and is not in the file yet: a program works on it, or was "
            "killed; nothing is lost",
            Remedy("puts it into the file where no program works on it", fold),
        )

    return Check(what, look, needs=(store,))


def _fold_sqlite(file: Path) -> None:
    # The last connection that closes does it.
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _file_of(url: str) -> Path | None:
    parsed = sa.make_url(url) if "://" in url and not url.startswith("http") else None
    return Path(parsed.database) if parsed and parsed.get_backend_name() == "sqlite" and parsed.database else None

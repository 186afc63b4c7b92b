"""Connections to SQLite files: those of a program that writes, and those that leave nothing beside the file."""

import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from fridge_assets.stores.disk import full_disk

_WAL_PAUSE = 0.01
_FULL = "disk is full"
"""What a connection is marked with that can only read, since there is no space."""


def create_sqlite_engine(url: sa.URL, lock_wait: float) -> Engine:
    """An engine whose readers never wait for a writer (WAL), and whose option ``writes`` begins with the write lock.

    Where the disk is full, so that SQLite cannot make its files beside the database, what is stored can still be read.

    Args:
        url: of an SQLite database.
        lock_wait: seconds to wait for another process to finish writing.
    """

    def connect(_: Dialect, entry: ConnectionPoolEntry, words: Any, options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(*words, **options)
        # The driver would begin transactions on its own, and too late; _begin does it instead.
        connection.isolation_level = None
        try:
            _prepare(connection, lock_wait)
        except BaseException as error:
            connection.close()
            full = full_disk(error, Path(url.database)) if url.database else None
            if full is None:
                raise
            entry.info[_FULL] = full
            return connect_read_only(Path(str(url.database)))
        return connection

    engine = sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": lock_wait})
    sa.event.listen(engine, "do_connect", connect)
    sa.event.listen(engine, "begin", _begin)
    return engine


def connect_read_only(file: Path) -> sqlite3.Connection:
    """A connection to an SQLite file that leaves nothing beside it."""
    log = file.with_name(f"{file.name}-wal")
    # Without a log nobody writes, and a reader need not create one.
    way = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(file))}?{way}", uri=True, isolation_level=None)


def _prepare(connection: sqlite3.Connection, lock_wait: float) -> None:
    _switch_to_wal(connection, lock_wait)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: sqlite3.Connection, lock_wait: float) -> None:
    """Switch a new database to its write-ahead log; SQLite itself does not wait for another process that does so."""
    deadline = time.monotonic() + lock_wait
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_WAL_PAUSE)
        else:
            return


def _begin(connection: Connection) -> None:
    # Taking the write lock at once: a transaction that reads before it writes never fails on lock upgrade.
    writes = connection.get_execution_options().get("writes", False)
    if writes and _FULL in connection.info:
        raise connection.info[_FULL]
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

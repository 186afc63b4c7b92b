"""The operations store: incidents, deployments and the ingest ledger, small state that many programs share.

SQLite in WAL mode by default, where readers never wait for a writer; PostgreSQL by URL alone. Connections
live for one read or one transaction, so an :class:`Operations` may cross a fork or go to a spawned process.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import OperationsSettings
from fridge_assets.stores.disk import full_disk
from fridge_assets.stores.files import writable_folder
from fridge_assets.stores.migrations import FOLDER, HEAD
from fridge_assets.stores.operations_tables import (
    DUE,
    alert_evidence,
    deployment_decisions,
    device_alerts,
    incident_events,
    incident_groups,
    incidents,
    ingest_ledger,
    is_held,
    is_open,
    is_undelivered,
    label_events,
    metadata,
    outbox,
    outbox_deliveries,
    outbox_routes,
    outbox_subjects,
    pulse,
    score_ages,
    silences,
    status_due,
    stream_files,
    stream_positions,
    stream_status,
    threshold_history,
    watched_states,
    work_orders,
)
from fridge_assets.stores.sqlite import create_sqlite_engine

__all__ = [
    "DUE",
    "Operations",
    "alert_evidence",
    "deployment_decisions",
    "device_alerts",
    "incident_events",
    "incident_groups",
    "incidents",
    "ingest_ledger",
    "insert_missing",
    "is_held",
    "is_open",
    "is_undelivered",
    "label_events",
    "metadata",
    "outbox",
    "outbox_deliveries",
    "outbox_routes",
    "outbox_subjects",
    "pulse",
    "score_ages",
    "silences",
    "status_due",
    "stream_files",
    "stream_positions",
    "stream_status",
    "threshold_history",
    "watched_states",
    "work_orders",
]

_LOCK_WAIT = OperationsSettings().lock_wait

_MIGRATION_LOCK = 7_308_611_290
"""PostgreSQL advisory lock that lets one process migrate at a time."""

_COLLISIONS = ("DeadlockDetected", "SerializationFailure", "LockNotAvailable")
"""Errors of PostgreSQL's driver after which a second attempt helps."""

_SQLITE_PROBLEMS: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "is being written by another process for longer than {wait:g} s",
        "Try again when that process has ended, or raise FRIDGE_OPERATIONS__LOCK_WAIT.",
    ),
    sqlite3.SQLITE_READONLY: (
        "is read-only",
        "Give this user write access to it and its folder, or name another folder with --data-dir.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened or created",
        "Give this user write access to its folder, or name another folder with --data-dir.",
    ),
    sqlite3.SQLITE_FULL: (
        "cannot grow because the disk is full",
        "Free some space and run this again; nothing of this transaction was written.",
    ),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written because the disk reports an error",
        "Check the disk and its free space, then run this again.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "Restore it from a backup, or move it away to start with an empty one.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "is not a SQLite database",
        "Move that file away to start with an empty store, or set FRIDGE_OPERATIONS_URL to the right one.",
    ),
}

_OF_A_FULL_DISK = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What SQLite says when the files that it keeps beside the database cannot be made or grow."""


class Operations:
    """A database of small mutable state.

    Args:
        url: SQLAlchemy URL, ``sqlite:///`` with an absolute path or ``postgresql+psycopg://``.
        lock_wait: how long to wait for another process to finish writing (SQLite).
    """

    def __init__(self, url: str, lock_wait: timedelta = _LOCK_WAIT) -> None:
        self.url = url
        self._lock_wait = lock_wait.total_seconds()
        self._migrated = False

    def __reduce__(self) -> tuple[type["Operations"], tuple[str, timedelta]]:
        return Operations, (self.url, timedelta(seconds=self._lock_wait))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose changes are committed together when the block ends well, else not at all.

        On SQLite it holds the write lock from the start, so what it reads cannot change before it writes.

        Raises:
            FridgeError: the database cannot be reached, written or understood.
        """
        self.migrate()
        with self._clear_errors(), self._writing_engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent state and commits nothing.

        Raises:
            FridgeError: the database cannot be reached or understood.
        """
        self.migrate()
        with self._clear_errors(), self._engine.connect() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the tables up to date, creating them in an empty database.

        Happens by itself on first use. Costs one look at the version when there is nothing to do, and is safe
        when several processes start at once.

        Raises:
            FridgeError: the database cannot be reached or written, or was written by a newer release.
        """
        if self._migrated:
            return
        with self._clear_errors():
            if self._version() != HEAD:
                self._upgrade()
        self._migrated = True

    @cached_property
    def _engine(self) -> Engine:
        url = self._parsed_url
        if url.get_backend_name() != "sqlite":
            return sa.create_engine(url, poolclass=NullPool)
        if url.database and not url.database.startswith("file:"):
            writable_folder(Path(url.database).parent)
        return create_sqlite_engine(url, self._lock_wait)

    @property
    def _writing_engine(self) -> Engine:
        return self._engine.execution_options(writes=True)

    @property
    def _parsed_url(self) -> sa.URL:
        try:
            url = sa.make_url(self.url)
            url.get_dialect().import_dbapi()
        except (sa.exc.ArgumentError, ImportError) as error:
            raise FridgeError(
                f"The operations store cannot be opened from its URL: {error}",
                "Set FRIDGE_OPERATIONS_URL to sqlite:////absolute/path.db, or to postgresql+psycopg://… with "
                "psycopg installed.",
            ) from error
        return url

    def _version(self) -> str | None:
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return None if version is None else str(version)

    def _upgrade(self) -> None:
        # Imported here because it takes a quarter of a second that an up-to-date store does not need.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.util import CommandError  # noqa: PLC0415

        with self._writing_engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise FridgeError(
                    f"The operations store {self._name} was written by another release: {error}",
                    "Update fridge-assets to the release that wrote it.",
                ) from error

    @property
    def _name(self) -> str:
        url = sa.make_url(self.url)
        if url.get_backend_name() == "sqlite":
            return str(url.database)
        return url.render_as_string(hide_password=True)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            translated = self._explain(error.orig)
            if translated is None:
                raise
            raise translated from error
        except sa.exc.StatementError as error:
            # A value that a column type refused comes wrapped in the statement it was meant for.
            if isinstance(error.orig, FridgeError):
                raise error.orig from error
            raise

    def _explain(self, error: BaseException | None) -> FridgeError | None:
        if isinstance(error, sqlite3.Error):
            # The low byte is the kind of problem, the rest says where in SQLite it was met.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _OF_A_FULL_DISK and full_disk(error, Path(self._name)):
                code = sqlite3.SQLITE_FULL
            if code not in _SQLITE_PROBLEMS:
                return None
            problem, remedy = _SQLITE_PROBLEMS[code]
            problem = problem.format(wait=self._lock_wait)
            return FridgeError(f"The operations store {self._name} {problem}", remedy)
        if type(error).__name__ in _COLLISIONS:
            return FridgeError(
                f"Somebody else changed the same rows of the operations store {self._name} at the same time",
                "Nothing of this transaction was written; try again.",
            )
        if type(error).__name__ == "OperationalError":
            return FridgeError(
                f"The operations store {self._name} does not answer: {error}",
                "Check that the database server runs and that FRIDGE_OPERATIONS_URL names it.",
            )
        return None


def insert_missing(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert those of ``rows`` whose primary key is not in ``table`` yet and leave the others as they are."""
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).on_conflict_do_nothing(), rows)

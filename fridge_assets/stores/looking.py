"""The stores for somebody who only looks: nothing is created, migrated or repaired, and what is missing is empty."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool, StaticPool

from fridge_assets.core.errors import FridgeError
from fridge_assets.stores.migrations import HEAD
from fridge_assets.stores.operations import Operations, metadata
from fridge_assets.stores.sqlite import connect_read_only
from fridge_assets.stores.warehouse import Warehouse, is_up_to_date

_DAMAGES_SHOWN = 3


class StoreOutdated(FridgeError):
    """A store was written by another release and is brought up to date by the next command that writes."""


class ReadOnlyWarehouse(Warehouse):
    """The warehouse as it lies there; an empty one where there is no file."""

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that reads.

        Raises:
            StoreOutdated: the file lacks tables or columns of this release.
        """
        if not Path(self.database).exists():
            with super().read() as connection:
                yield connection
            return
        with self.get_connection(read_only=True) as connection:
            if not is_up_to_date(connection):
                raise _outdated(self.database)
            yield connection


class ReadOnlyOperations(Operations):
    """The operations store as it lies there; an empty one where there is no file."""

    def migrate(self) -> None:
        """Change nothing.

        Raises:
            StoreOutdated: the tables are those of another release.
        """
        with self._clear_errors():
            if self.file is not None and not self.file.exists():
                return
            version = self._version()
        if version != HEAD:
            raise _outdated(self._name, f" (its tables are at step {version or 'none'}, this release has {HEAD})")

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        url = self._parsed_url
        return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None

    @cached_property
    def _engine(self) -> Engine:
        if self.file is None:
            return sa.create_engine(self._parsed_url, poolclass=NullPool)
        if not self.file.exists():
            engine = sa.create_engine("sqlite://", poolclass=StaticPool)
            metadata.create_all(engine)
            return engine
        return sa.create_engine("sqlite://", poolclass=NullPool, creator=self._connect_to_file)

    def _connect_to_file(self) -> sqlite3.Connection:
        return connect_read_only(self.file) if self.file else sqlite3.connect(":memory:")


def damage_of(file: Path) -> str:
    """What SQLite finds wrong with its ``file``; empty for nothing."""
    try:
        with closing(connect_read_only(file)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({_DAMAGES_SHOWN})")]
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == ["ok"] else "; ".join(found)


def _outdated(name: str, more: str = "") -> StoreOutdated:
    return StoreOutdated(
        f"{name} was written by another release{more}",
        "The next command that writes brings it up to date, and so does `fridge-assets doctor --fix`.",
    )

"""The state of the stream on disk: one DuckDB file, replaced whole, so that a killed process finds the one before."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from fridge_assets.settings import StreamingSettings
from fridge_assets.stores.disk import FolderNotWritable, full_disk
from fridge_assets.stores.files import atomic_write
from fridge_assets.stores.frames import text_literal
from fridge_assets.streaming.engine import STATE, Engine
from fridge_assets.streaming.sources.base import Positions

_LOG = logging.getLogger(__name__)


class Checkpoint:
    """The file that holds a state and how far the source was taken with it.

    Args:
        path: where it is.
        settings: spans of the rules; a state that was made with others is of no use.
    """

    def __init__(self, path: Path, settings: StreamingSettings) -> None:
        self._path = path
        spans = (
            settings.allowed_lateness,
            settings.lookback,
            settings.coarse_lookback,
            settings.max_interval,
            settings.vibration_bucket,
            settings.vibration_span,
        )
        self._made_with = json.dumps(
            [*(str(span) for span in spans), settings.consecutive_readings, settings.running_vibration, STATE]
        )

    def save(self, engine: Engine, source: str, positions: Positions) -> None:
        """Replace the checkpoint by the state of ``engine``.

        Raises:
            FolderNotWritable: the folder cannot be written, or the disk is full; the checkpoint before stays.
        """
        try:
            with atomic_write(self._path) as temporary, _attached(engine.connection, temporary):
                for table in STATE:
                    engine.connection.execute(f"CREATE TABLE checkpoint.{table} AS FROM {table}")
                engine.connection.execute(
                    "CREATE TABLE checkpoint.about AS SELECT ? AS source, ? AS made_with, ? AS positions",
                    [source, self._made_with, json.dumps(dict(positions))],
                )
        except duckdb.Error as error:
            raise full_disk(error, self._path) or FolderNotWritable(
                f"{self._path} cannot be written: {str(error).splitlines()[0]}",
                "Free some space there; the checkpoint before is still good.",
            ) from error
        finally:
            for leftover in self._path.parent.glob(f".{self._path.name}.*"):
                leftover.unlink(missing_ok=True)

    def load(self, engine: Engine, source: str) -> Positions | None:
        """Put the saved state into the empty ``engine``; None when there is none that fits."""
        for leftover in self._path.parent.glob(f".{self._path.name}.*"):  # of a process that was killed while saving
            leftover.unlink()
        if not self._path.exists():
            return None
        try:
            with _attached(engine.connection, self._path, read_only=True), engine.atomically():
                about = engine.connection.execute("FROM checkpoint.about").fetchall()[0]
                if about[:2] != (source, self._made_with):
                    _LOG.warning("%s was made by another source or with other settings; starting without", self._path)
                    return None
                for table in STATE:
                    engine.connection.execute(f"INSERT INTO {table} FROM checkpoint.{table}")
        except duckdb.Error as error:
            _LOG.warning("%s cannot be read (%s); starting without it", self._path, str(error).splitlines()[0])
            return None
        positions: Positions = json.loads(about[2])
        return positions


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool = False) -> Iterator[None]:
    connection.execute(f"ATTACH {text_literal(str(path))} AS checkpoint" + (" (READ_ONLY)" if read_only else ""))
    try:
        yield
    finally:
        connection.execute("DETACH checkpoint")

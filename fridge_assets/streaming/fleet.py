"""What the stream knows of the fleet: which devices there are, where they stand, and their thresholds."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd

from fridge_assets.readings.ranges import RANGES_FILE, know_ranges, read_range_tables
from fridge_assets.readings.staging import know_devices
from fridge_assets.registry.devices import REGISTRY_FILES, read_registry, site_sizes
from fridge_assets.stores.operations import Operations
from fridge_assets.streaming.engine import Engine
from fridge_assets.streaming.thresholds import history_mark, note_registry, thresholds_in_force


class FleetKnowledge:
    """Registry, ranges of sensors and thresholds, followed as they change; the state of the stream is not touched.

    Args:
        root: the data folder with the registry.
        operations: the store with the history of thresholds.
    """

    def __init__(self, root: Path, operations: Operations) -> None:
        self.sites: dict[str, str] = {}
        self.site_sizes: dict[str, int] = {}
        self._root = root
        self._operations = operations
        self._seen: list[tuple[str, int, int]] | None = None
        self._candidate: list[tuple[str, int, int]] = []
        self._mark: object = None

    def follow(self, engine: Engine, now: datetime) -> None:
        """Bring ``engine`` up to date with the registry file and the history of thresholds; cheap when nothing changed.

        A registry that has changed counts from the second look at it on, since it may still be being written.

        Args:
            engine: what is to use the thresholds.
            now: when a change that is found now takes effect.

        Raises:
            FridgeError: the registry, the ranges or operations cannot be read; what was known before stays in force.
        """
        with self._operations.read() as connection:
            mark = history_mark(connection)
            if mark != self._mark:
                engine.know_thresholds(thresholds_in_force(connection))
                self._mark = mark
        seen = self._look()
        settled, self._candidate = seen == self._candidate or self._seen is None, seen
        if seen == self._seen or not settled:
            return  # unchanged; or just changed, and perhaps still being written
        registry, tables = read_registry(self._root), read_range_tables(self._root)
        note_registry(self._operations, registry, now)
        _know_again(engine.connection, registry)
        know_ranges(engine.connection, registry, tables)
        self.sites = {} if registry is None else dict(zip(registry["device_id"], registry["site_id"], strict=True))
        self.site_sizes = {} if registry is None else site_sizes(registry)
        self._seen = seen
        self.follow(engine, now)

    def _look(self) -> list[tuple[str, int, int]]:
        found = []
        for name in (*REGISTRY_FILES, RANGES_FILE):
            with suppress(FileNotFoundError):
                status = (self._root / name).stat()
                found.append((name, status.st_mtime_ns, status.st_size))
        return found


def _know_again(connection: duckdb.DuckDBPyConnection, registry: pd.DataFrame | None) -> None:
    connection.execute("DROP TABLE IF EXISTS known_devices")
    if registry is not None:
        know_devices(connection, registry)

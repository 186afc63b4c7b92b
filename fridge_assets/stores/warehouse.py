"""The warehouse: one DuckDB file for analytics, opened for one read or one transaction at a time."""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from fridge_assets.contracts import (
    ALERT_QUALITY,
    CANARY_REPORTS,
    CANARY_SCORES,
    CLEAN_SENSOR_READINGS,
    DEVICE_FEATURES,
    DEVICE_STATUS,
    MODEL_MONITORING,
    MODEL_SCORES,
    QUARANTINED_READINGS,
    RULES_BASED_FALLBACK,
    SITE_STATUS,
    WITHHELD_SCORES,
    Contract,
)
from fridge_assets.contracts.device_features import OPERATING_COLUMNS
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import Settings
from fridge_assets.stores.disk import full_disk
from fridge_assets.stores.files import writable_folder

_RETRY_PAUSE = 0.1
_LOCKED = "Could not set lock on file"
_OWN_LOCK = "already held in current process"
_LOCK_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")

FIRST_SEEN = (*(sensor.name for sensor in SENSORS), "defrost_signalled")
"""What is remembered of each device: when each sensor was first heard from, and when one first told of a defrost."""

SCHEMA: tuple[str, ...] = (
    *(
        contract.create_table_sql()
        for contract in (
            QUARANTINED_READINGS,
            DEVICE_FEATURES,
            MODEL_SCORES,
            CANARY_SCORES,
            CANARY_REPORTS,
            WITHHELD_SCORES,
            MODEL_MONITORING,
            ALERT_QUALITY,
            RULES_BASED_FALLBACK,
            DEVICE_STATUS,
            SITE_STATUS,
        )
    ),
    # Which Parquet files make up clean_sensor_readings: adding rows here is what commits them.
    "CREATE TABLE IF NOT EXISTS clean_reading_files (path VARCHAR NOT NULL, hour TIMESTAMPTZ NOT NULL, "
    "batch_id VARCHAR NOT NULL, rows BIGINT NOT NULL)",
    # Stored readings whose event was delivered again in a later batch.
    "CREATE TABLE IF NOT EXISTS repeated_events (event_id VARCHAR NOT NULL, timestamp_utc TIMESTAMPTZ NOT NULL)",
    # Where a reading stores no identity of its own, device and time lead to it.
    "ALTER TABLE repeated_events ADD COLUMN IF NOT EXISTS device_id VARCHAR",
    # Committed batches, so that a batch whose ledger entry was cut off is not ingested twice.
    "CREATE TABLE IF NOT EXISTS ingest_batches (batch_id VARCHAR NOT NULL, source_file VARCHAR NOT NULL, "
    "rows BIGINT NOT NULL, clean BIGINT NOT NULL, quarantined BIGINT NOT NULL, duplicates BIGINT NOT NULL, "
    "first_timestamp TIMESTAMPTZ, last_timestamp TIMESTAMPTZ)",
    # Windows to (re)compute from a moment on: for one device, or for all where the device is null.
    "CREATE TABLE IF NOT EXISTS due_windows (window_start TIMESTAMPTZ NOT NULL, device_id VARCHAR, "
    "due_at TIMESTAMPTZ NOT NULL)",
    # When each device, and each of its sensors, was last heard from.
    "CREATE TABLE IF NOT EXISTS device_last_seen (device_id VARCHAR NOT NULL, last_reading_at TIMESTAMPTZ NOT NULL, "
    + ", ".join(f"{sensor.name} TIMESTAMPTZ" for sensor in SENSORS)
    + ")",
    # When each sensor of a device was first heard from: which sensors the device had, at any time. Of a sensor that was
    # heard from before this was kept it is known only that it was: since long ago.
    "CREATE TABLE IF NOT EXISTS device_first_seen (device_id VARCHAR NOT NULL, "
    + ", ".join(f"{name} TIMESTAMPTZ" for name in FIRST_SEEN)
    + ")",
    "INSERT INTO device_first_seen BY NAME SELECT device_id, "
    + ", ".join(
        f"CASE WHEN {s.name} IS NOT NULL THEN TIMESTAMPTZ '1970-01-01 00:00:00+00' END AS {s.name}" for s in SENSORS
    )
    + " FROM device_last_seen ANTI JOIN device_first_seen USING (device_id)",
    # Earlier releases believed a sensor that has never told of a defrost.
    "ALTER TABLE device_first_seen ADD COLUMN IF NOT EXISTS defrost_signalled TIMESTAMPTZ",
    "UPDATE device_first_seen AS d SET defrost_signalled = f.first FROM (SELECT device_id, min(window_start) AS first "
    "FROM device_features WHERE defrost_active_fraction > 0 GROUP BY device_id) AS f "
    "WHERE d.device_id = f.device_id AND d.defrost_signalled IS NULL",
    # Windows of earlier releases do not have them.
    "ALTER TABLE device_features ADD COLUMN IF NOT EXISTS own_completeness DOUBLE",
    "ALTER TABLE device_features ADD COLUMN IF NOT EXISTS range_violation_count BIGINT",
    # One row per committed scoring of a window by a model: coverage, staleness and what is still to be published.
    "CREATE TABLE IF NOT EXISTS score_runs (score_run_id VARCHAR NOT NULL, family VARCHAR NOT NULL, "
    "model_id VARCHAR NOT NULL, model_version VARCHAR NOT NULL, window_end TIMESTAMPTZ NOT NULL, "
    "scored_at TIMESTAMPTZ NOT NULL, rows BIGINT NOT NULL, flagged BIGINT NOT NULL, active_devices BIGINT NOT NULL, "
    "left_out VARCHAR NOT NULL, run_id VARCHAR NOT NULL, published BOOLEAN NOT NULL)",
    # What was expected of the contributors of a flagged score and what was measured; ``spread`` and ``deviation`` as of
    # fridge_assets.models.base.Comparison.
    "CREATE TABLE IF NOT EXISTS score_comparisons (score_id VARCHAR NOT NULL, window_end TIMESTAMPTZ NOT NULL, "
    "feature VARCHAR NOT NULL, measured_from TIMESTAMPTZ NOT NULL, measured DOUBLE NOT NULL, "
    "expected DOUBLE NOT NULL, spread DOUBLE NOT NULL, deviation DOUBLE NOT NULL, basis VARCHAR NOT NULL)",
    # Whether the run was about every device: scores of a few do not make the fleet's fresh.
    "ALTER TABLE score_runs ADD COLUMN IF NOT EXISTS whole_fleet BOOLEAN DEFAULT true",
    # When it was committed by the actual time, whatever time the run was told that it is.
    "ALTER TABLE score_runs ADD COLUMN IF NOT EXISTS committed_at TIMESTAMPTZ",
    # How long the scoring took, for its throughput; data folders of earlier releases lack the column.
    "ALTER TABLE score_runs ADD COLUMN IF NOT EXISTS seconds DOUBLE",
    # What little the version has seen, where it is provisional.
    "ALTER TABLE score_runs ADD COLUMN IF NOT EXISTS provisional VARCHAR DEFAULT ''",
    # What the alerts of a site come to, which earlier releases left to the status of its devices.
    "ALTER TABLE site_status ADD COLUMN IF NOT EXISTS open_alerts BIGINT DEFAULT 0",
    "ALTER TABLE site_status ADD COLUMN IF NOT EXISTS worst_severity VARCHAR",
    # What the predicted alerts of a comparison are held against; reports of earlier releases lack it.
    "ALTER TABLE canary_reports ADD COLUMN IF NOT EXISTS alert_budget BIGINT",
    # What candidates were tried on beside the metrics, which earlier releases did not do.
    *(CANARY_REPORTS.add_column_sql(name) for name in ("battery_verdict", "battery")),
    # How a machine ran, which features of earlier releases do not say.
    *(DEVICE_FEATURES.add_column_sql(column.name) for column in OPERATING_COLUMNS),
)
"""Every table of the warehouse except the per-model score tables, which scoring creates from their contract."""

_SCHEMA_TABLE = "warehouse_schema"
_SCHEMA_DIGEST = hashlib.sha256("\n".join(SCHEMA).encode()).hexdigest()
"""What the file was last brought up to date with."""


class WarehouseBusy(FridgeError):
    """Another process holds the DuckDB file."""


class WarehouseUnavailable(FridgeError):
    """The DuckDB file cannot be opened or written."""


@dataclass(frozen=True)
class Warehouse:
    """The DuckDB file, with connections that always close and locks that are waited for briefly.

    Use :meth:`read` for one query, :meth:`transaction` for one replace and :meth:`engine` to compute. No connection
    to the file may live across a computation, since a writer shuts out every other process.

    Args:
        database: the DuckDB file.
        folder: folder of the Parquet files that belong to the warehouse.
        threads: DuckDB threads per connection.
        memory_limit: DuckDB memory per connection.
        lock_wait_seconds: how long to wait for another process to release the file.
    """

    database: str
    folder: str
    threads: int
    memory_limit: str
    lock_wait_seconds: float

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The warehouse of a data folder."""
        return cls(
            database=str(settings.warehouse_file),
            folder=str(settings.warehouse_dir),
            threads=settings.warehouse.threads,
            memory_limit=settings.warehouse.memory_limit,
            lock_wait_seconds=settings.warehouse.lock_wait.total_seconds(),
        )

    @contextmanager
    def get_connection(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the file that closes whatever happens.

        Raises:
            WarehouseBusy: another process held the file for longer than ``lock_wait_seconds``.
            WarehouseUnavailable: the file cannot be opened, or the disk refused a write.
            DiskFull: there is no space for what was written.
        """
        connection = self._connect(read_only=read_only)
        try:
            yield connection
        except (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException) as error:
            # A commit that the disk refuses is a TransactionException.
            raise _unavailable(self.database, error) from error
        finally:
            with suppress(duckdb.Error):
                connection.close()

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection; several processes may read at once. A missing file is read as empty tables."""
        if not Path(self.database).exists():
            # Nothing is created by looking: a mistyped folder would be a fleet from then on.
            with duckdb.connect(config=self._config()) as connection:
                _set_up(connection)
                _bring_up_to_date(connection)
                yield connection
            return
        with self.get_connection(read_only=True) as connection:
            if is_up_to_date(connection):
                yield connection
                return
        self._prepare()  # the file was written by an earlier release
        with self.get_connection(read_only=True) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction: committed at the end, rolled back on any exception."""
        with self.get_connection() as connection:
            _bring_up_to_date(connection)
            connection.begin()
            try:
                yield connection
            except BaseException:
                with suppress(duckdb.Error):
                    connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def engine(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An in-memory DuckDB to compute in, with the warehouse's limits and a spill folder; touches no table."""
        spill = writable_folder(Path(self.folder) / "spill")
        connection = duckdb.connect(config={**self._config(), "temp_directory": str(spill)})
        try:
            _set_up(connection)
            yield connection
        except duckdb.IOException as error:
            raise _unavailable(str(spill), error) from error
        except duckdb.OutOfMemoryException as error:
            full = full_disk(error, spill)  # what does not fit into memory did not fit onto the disk either
            if full is None:
                raise
            raise full from error
        finally:
            connection.close()

    def _prepare(self) -> None:
        with self.get_connection() as connection:
            _bring_up_to_date(connection)

    def clean_readings_folder(self) -> Path:
        """Folder of the hive-partitioned clean readings."""
        return Path(self.folder) / CLEAN_SENSOR_READINGS.name

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        return {"threads": str(self.threads), "memory_limit": self.memory_limit}

    def _make(self) -> None:
        """Make the file, whole or not at all: other processes may look at it, or make it too, at the same moment."""
        file = Path(self.database)
        parent = writable_folder(file.parent)
        try:
            with tempfile.TemporaryDirectory(dir=parent, prefix=".new-") as folder:
                made = Path(folder) / file.name
                with duckdb.connect(str(made), config=self._config()) as connection:
                    _set_up(connection)
                    _bring_up_to_date(connection)
                with suppress(FileExistsError):
                    _put(made, file)
        except (duckdb.IOException, OSError) as error:
            raise _unavailable(self.database, error) from error

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if not read_only and not Path(self.database).exists():
            self._make()
        deadline = time.monotonic() + self.lock_wait_seconds
        while True:
            try:
                connection = duckdb.connect(self.database, read_only=read_only, config=self._config())
            except duckdb.IOException as error:
                if not is_held(error):
                    raise _unavailable(self.database, error) from error
                if time.monotonic() >= deadline:
                    raise WarehouseBusy(
                        f"{self.database} is held by {_lock_holder(str(error))} "
                        f"for more than {self.lock_wait_seconds:g} s",
                        "Close that program or wait for it, then run this again; nothing was changed.",
                    ) from error
                time.sleep(_RETRY_PAUSE)
            else:
                _set_up(connection)
                return connection


def _put(made: Path, file: Path) -> None:
    """Give ``made`` the name ``file``; FileExistsError where there is one."""
    try:
        os.link(made, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if file.exists():
            raise FileExistsError(file) from None
        os.rename(made, file)


def is_held(error: duckdb.IOException) -> bool:
    """Whether DuckDB says that another process holds a file."""
    return _LOCKED in str(error) and _OWN_LOCK not in str(error)


def store_changed(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rows: pa.Table, *, whole: bool = True
) -> int:
    """Write those of ``rows`` that differ from what is stored, inside the open transaction.

    Args:
        connection: of the transaction.
        contract: the dataset.
        rows: rows of ``contract``, one for each key.
        whole: whether ``rows`` are all there are, so that others are removed.

    Returns:
        Number of rows that were written or removed.
    """
    columns, key = ", ".join(contract.column_names), ", ".join(contract.key)
    connection.register("given", rows)
    gone = 0
    if whole:
        deleted = connection.execute(f"DELETE FROM {contract.name} WHERE ({key}) NOT IN (SELECT ({key}) FROM given)")
        gone = deleted.fetchall()[0][0]
    connection.execute(
        f"CREATE TEMP TABLE changed AS SELECT {columns} FROM given EXCEPT SELECT {columns} FROM {contract.name}"
    )
    connection.execute(f"DELETE FROM {contract.name} WHERE ({key}) IN (SELECT ({key}) FROM changed)")
    written = connection.execute(f"INSERT INTO {contract.name} ({columns}) SELECT {columns} FROM changed").fetchall()
    connection.execute("DROP TABLE changed")
    connection.unregister("given")
    return int(gone + written[0][0])


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables and columns that the file lacks; one look when it lacks none."""
    if is_up_to_date(connection):
        return
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"CREATE OR REPLACE TABLE {_SCHEMA_TABLE} AS SELECT ? AS digest", [_SCHEMA_DIGEST])


def is_up_to_date(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file has all tables and columns of this release."""
    return _schema_of(connection) == _SCHEMA_DIGEST


def _schema_of(connection: duckdb.DuckDBPyConnection) -> str | None:
    try:
        return str(connection.execute(f"SELECT digest FROM {_SCHEMA_TABLE}").fetchall()[0][0])
    except duckdb.CatalogException:
        return None


def _set_up(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    # DuckDB prints it to standard output, where a command may be printing JSON.
    connection.execute("SET enable_progress_bar = false")


def _lock_holder(message: str) -> str:
    # DuckDB cannot name a holder that let go, or ended, before it looked.
    holder = _LOCK_HOLDER.search(message)
    if holder is None:
        return f"another process ({_first_line(message)})"
    return f"{holder['program']} (process {holder['pid']})"


def _unavailable(place: str, error: Exception) -> FridgeError:
    return full_disk(error, Path(place)) or WarehouseUnavailable(
        f"{place} cannot be used: {_first_line(str(error))}",
        "Check that the data folder is writable and the disk has space; the last committed state is intact.",
    )


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0].rstrip(".")

"""One batch between the engine and the warehouse: what is known before it, what it leaves behind, its one commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from fridge_assets.contracts import QUARANTINED_READINGS
from fridge_assets.contracts.validation import enforce
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import deterministic_id_sql
from fridge_assets.readings.repeats import HOUR_START_SQL
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query, query_arrow, registered
from fridge_assets.stores.reading_files import (
    CleanFile,
    clean_files_of,
    commit_clean_files,
    ingested_files,
    write_clean_files,
)
from fridge_assets.stores.warehouse import FIRST_SEEN, Warehouse, is_held

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class KnownState:
    """What the warehouse knew when a batch was cleaned.

    Args:
        stored_files: clean readings of the hours that the batch touches.
        ingested: landing files ingested so far; a commit beside another ingestion is refused by it.
    """

    stored_files: Sequence[Path]
    ingested: int


@dataclass(frozen=True)
class BatchOutcome:
    """What a cleaned batch leaves behind.

    Args:
        batch_id: identity of the batch.
        written: Parquet files of its clean readings, not committed yet.
        quarantined: QUARANTINED_READINGS rows.
        per_file: ``source_file``, ``rows``, ``clean``, ``quarantined``, ``duplicates``, first and last timestamp.
        due: windows to compute: ``window_start``, ``device_id`` (null: all), ``due_at``.
        seen: in the shape of ``device_last_seen``.
        first: in the shape of ``device_first_seen``, and ``arrived_at``.
        repeated: ``event_id``, ``device_id`` and ``timestamp_utc`` of stored readings whose event came again.
    """

    batch_id: str
    written: Sequence[CleanFile]
    quarantined: pd.DataFrame
    per_file: pd.DataFrame
    due: pa.Table
    seen: pa.Table
    first: pa.Table
    repeated: pa.Table


def read_known_state(engine: duckdb.DuckDBPyConnection, warehouse: Warehouse, file_names: Sequence[str]) -> KnownState:
    """Copy ``device_last_seen`` and ``computed_windows`` into the engine and look up what is stored.

    Args:
        engine: holds ``staged``.
        warehouse: the store.
        file_names: landing files of the batch.

    Raises:
        FridgeError: another ingestion took one of the files meanwhile.
    """
    found = engine.execute(f"SELECT DISTINCT {HOUR_START_SQL} FROM staged WHERE reason IS NULL").fetchall()
    hours = [hour for (hour,) in found]
    folder = warehouse.clean_readings_folder()
    with warehouse.read() as connection:
        ingested = ingested_files(connection)
        taken = "SELECT 1 FROM ingest_batches WHERE list_contains($names, source_file) LIMIT 1"
        if connection.execute(taken, {"names": list(file_names)}).fetchall():
            raise _beside_another_ingestion()
        seen = query_arrow(connection, "SELECT * FROM device_last_seen")
        computed = query_arrow(
            connection,
            "SELECT DISTINCT window_start FROM device_features WHERE window_start >= $since AND window_start < $until",
            {"since": min(hours, default=None), "until": max(hours) + _HOUR if hours else None},
        )
        stored = [path for paths in clean_files_of(connection, folder, hours).values() for path in paths]
    with registered(engine, seen=seen, computed=computed):
        engine.execute("CREATE OR REPLACE TABLE device_last_seen AS SELECT * FROM seen")
        engine.execute("CREATE OR REPLACE TABLE computed_windows AS SELECT * FROM computed")
    return KnownState(stored, ingested)


def gather_outcome(
    engine: duckdb.DuckDBPyConnection, folder: Path, batch_id: str, now: datetime, settings: Settings
) -> BatchOutcome:
    """Write the engine's clean readings as files and take everything else that is to be committed with them.

    Args:
        engine: holds the tables that :func:`fridge_assets.readings.clean.clean` leaves.
        folder: the warehouse's folder of clean readings.
        batch_id: identity of the batch.
        now: recorded as the time of quarantine.
        settings: window length and lateness.

    Raises:
        ContractViolation: a quarantined row breaks its contract.
        FridgeError: another ingestion is writing the same batch.
    """
    quarantined = query(engine, _QUARANTINED_SQL, {"now": now})
    enforce(QUARANTINED_READINGS, quarantined)
    spans = {
        "window": int(settings.features.window.total_seconds()),
        "lateness": int(settings.readings.allowed_lateness.total_seconds()),
    }
    try:
        written = write_clean_files(engine, folder, batch_id)
    except duckdb.IOException as error:
        if is_held(error):
            raise _beside_another_ingestion() from error
        raise
    return BatchOutcome(
        batch_id=batch_id,
        written=written,
        quarantined=quarantined,
        per_file=query(engine, _PER_FILE_SQL),
        due=query_arrow(engine, _DUE_SQL, spans),
        seen=query_arrow(engine, "SELECT * FROM seen_now"),
        first=query_arrow(engine, "SELECT * FROM first_now"),
        repeated=query_arrow(engine, "SELECT * FROM repeated_now"),
    )


def commit_outcome(warehouse: Warehouse, outcome: BatchOutcome, known: KnownState) -> None:
    """Store ``outcome`` in one transaction.

    Raises:
        FridgeError: another ingestion committed since ``known`` was read; nothing was written.
    """
    columns = ", ".join(QUARANTINED_READINGS.column_names)
    with (
        warehouse.transaction() as connection,
        registered(
            connection,
            quarantined=outcome.quarantined,
            per_file=outcome.per_file,
            due=outcome.due,
            seen=outcome.seen,
            first=outcome.first,
            repeated=outcome.repeated,
        ),
    ):
        if ingested_files(connection) != known.ingested:
            raise _beside_another_ingestion()
        commit_clean_files(connection, outcome.written)
        connection.execute(
            f"INSERT INTO quarantined_readings SELECT {columns} FROM quarantined "
            "ANTI JOIN quarantined_readings USING (quarantine_id)"
        )
        connection.execute(
            "INSERT INTO ingest_batches BY NAME SELECT $batch AS batch_id, * FROM per_file",
            {"batch": outcome.batch_id},
        )
        connection.execute("INSERT INTO due_windows BY NAME SELECT * FROM due")
        connection.execute(
            "INSERT INTO repeated_events BY NAME SELECT * FROM repeated ANTI JOIN repeated_events USING (event_id)"
        )
        _merge_last_seen(connection)
        _merge_first_seen(connection)


def _merge_last_seen(connection: duckdb.DuckDBPyConnection) -> None:
    columns = [row[0] for row in connection.execute("DESCRIBE device_last_seen").fetchall() if row[0] != "device_id"]
    merged = ", ".join(f"greatest(old.{c}, new.{c}) AS {c}" for c in columns)
    connection.execute(
        f"CREATE TEMP TABLE merged AS SELECT device_id, {merged} "
        "FROM device_last_seen AS old FULL JOIN seen AS new USING (device_id)"
    )
    connection.execute("DELETE FROM device_last_seen")
    connection.execute("INSERT INTO device_last_seen SELECT * FROM merged")
    connection.execute("DROP TABLE merged")


def _merge_first_seen(connection: duckdb.DuckDBPyConnection) -> None:
    """Note sensors that were heard from, or told of a defrost, for the first time or earlier than was known.

    Windows in between were computed as if the device did not have the sensor then, and are due again.
    """
    names = FIRST_SEEN
    earlier = " OR ".join(f"coalesce(new.{n} < coalesce(old.{n}, 'infinity'::TIMESTAMPTZ), false)" for n in names)
    merged = ", ".join(f"least(old.{n}, new.{n}) AS {n}" for n in names)
    since = ", ".join(f"CASE WHEN new.{n} < coalesce(old.{n}, 'infinity') THEN new.{n} END" for n in names)
    until = ", ".join(
        f"CASE WHEN new.{n} < coalesce(old.{n}, 'infinity') THEN coalesce(old.{n}, 'infinity') END" for n in names
    )
    connection.execute(
        f"CREATE TEMP TABLE moved AS SELECT device_id, arrived_at, {merged}, "
        f"least({since}) AS since, greatest({until}) AS until "
        f"FROM first AS new LEFT JOIN device_first_seen AS old USING (device_id) WHERE {earlier}"
    )
    connection.execute(
        "INSERT INTO due_windows BY NAME SELECT window_start, device_id, arrived_at AS due_at "
        "FROM device_features JOIN moved USING (device_id) WHERE window_end > since AND window_end <= until"
    )
    connection.execute("DELETE FROM device_first_seen WHERE device_id IN (SELECT device_id FROM moved)")
    connection.execute("INSERT INTO device_first_seen BY NAME SELECT * EXCLUDE (arrived_at, since, until) FROM moved")
    connection.execute("DROP TABLE moved")


def _beside_another_ingestion() -> FridgeError:
    return FridgeError(
        "Another ingestion stored readings while this one was reading", "Nothing was written; run this again."
    )


_QUARANTINED_SQL = f"""
SELECT {deterministic_id_sql("source_file || '|' || row_number::VARCHAR || '|' || reason")} AS quarantine_id,
  source_file, row_number, reason, detail, device_id, raw, $now::TIMESTAMPTZ AS quarantined_at
FROM staged WHERE reason IS NOT NULL ORDER BY source_file, row_number
"""

_PER_FILE_SQL = """
WITH removed AS (
  SELECT source_file, count(*) AS duplicates
  FROM usable JOIN repeats USING (row_id) WHERE NOT kept GROUP BY source_file
),
delivered AS (
  SELECT source_file, count(*) AS rows, count(reason) AS quarantined,
    min(timestamp_utc) FILTER (reason IS NULL) AS first_timestamp,
    max(timestamp_utc) FILTER (reason IS NULL) AS last_timestamp
  FROM staged GROUP BY source_file
)
SELECT source_file, rows, rows - quarantined - coalesce(duplicates, 0) AS clean, quarantined,
  coalesce(duplicates, 0) AS duplicates, first_timestamp, last_timestamp
FROM delivered LEFT JOIN removed USING (source_file) ORDER BY source_file
"""


def due_windows_sql(arrivals: str, computed: str = "SELECT NULL::TIMESTAMPTZ", devices: str = "SELECT 0") -> str:
    """SELECT of the windows that readings make due: ``window_start``, ``device_id`` (null: all) and ``due_at``.

    A window is due for every device once it has closed; readings that arrive later, or that are delivered when it has
    been computed, make it due again for their own device only, unless these are much of the fleet. Whole minutes keep
    the number of recomputations small.

    Args:
        arrivals: SELECT of ``device_id``, ``timestamp_utc`` and ``timestamp_ingested``. The parameters are ``window``
            and ``lateness``, in seconds.
        computed: SELECT of the starts of windows that have been computed; none of them by default.
        devices: SELECT of the number of devices of the fleet; a small one by default.
    """
    return f"""
WITH arrivals AS ({arrivals}),
timed AS (
  SELECT device_id,
    make_timestamptz(epoch_us(timestamp_utc) // ($window * 1000000) * $window * 1000000) AS window_start,
    make_timestamptz((epoch_us(timestamp_utc) // ($window * 1000000) * $window + $window + $lateness) * 1000000)
      AS closes_at,
    coalesce(  -- an infinite time has no microseconds
      make_timestamptz((epoch_us(timestamp_ingested) // 60000000 + 1) * 60000000), timestamp_ingested
    ) AS arrived_at
  FROM arrivals
),
due AS (
  SELECT DISTINCT window_start,
    CASE WHEN arrived_at > closes_at OR window_start IN ({computed}) THEN device_id END AS device_id,
    CASE WHEN arrived_at > closes_at THEN arrived_at ELSE closes_at END AS due_at
  FROM timed
)
-- A row for each device of a bulk delivery would be millions, and its windows no quicker to compute.
SELECT DISTINCT window_start,
  CASE WHEN count(*) OVER (PARTITION BY window_start, due_at) <= greatest({_MANY}, {_MUCH} * ({devices}))
    THEN device_id END AS device_id,
  due_at
FROM due
"""


_MANY, _MUCH = 1000, 0.25
"""More than so many devices, and than this share of the fleet, are worth computing a window whole."""

_DUE_SQL = due_windows_sql(
    """
  SELECT device_id, timestamp_utc, timestamp_ingested FROM cleaned
  UNION ALL
  SELECT repeated_now.device_id, repeated_now.timestamp_utc, usable.timestamp_ingested
  FROM repeated_now JOIN repeats USING (event_id) JOIN usable USING (row_id)
""",
    computed="SELECT window_start FROM computed_windows",
    devices="SELECT count(*) FROM device_last_seen",
)

"""Landing rows into typed columns, each row either usable or with the reason why not (SPEC 1.2, 1.3)."""

from collections.abc import Sequence
from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.contracts.sensor_readings import BOOLEAN_SENSORS, NUMERIC_SENSORS, SENSORS
from fridge_assets.readings.ranges import Bounds, known_bounds
from fridge_assets.settings import ReadingSettings
from fridge_assets.sources.file import SourceFile, damaged, rows_sql
from fridge_assets.sources.source import ISO, Source
from fridge_assets.sources.times import settle_doubled_hours
from fridge_assets.sources.values import landing_columns
from fridge_assets.stores.frames import registered

_EARLIEST = "TIMESTAMPTZ '2000-01-01 00:00:00+00'"


def create_staged(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the empty table ``staged`` that :func:`stage` fills."""
    sensors = ", ".join(f"{s.name} {'BOOLEAN' if s.is_boolean else 'DOUBLE'}" for s in SENSORS)
    connection.execute(
        "CREATE OR REPLACE TABLE staged (source_file VARCHAR, row_number BIGINT, event_id VARCHAR, device_id VARCHAR, "
        f"timestamp_utc TIMESTAMPTZ, timestamp_ingested TIMESTAMPTZ, {sensors}, sequence_number BIGINT, "
        "null_mask INTEGER, range_violation BOOLEAN, impossible BOOLEAN, clock_drift BOOLEAN, zoneless BOOLEAN, "
        "reason VARCHAR, detail VARCHAR, raw VARCHAR)"
    )


def know_devices(connection: duckdb.DuckDBPyConnection, registry: pd.DataFrame) -> None:
    """Create the table ``known_devices``: from now on readings of any other device are set aside."""
    with registered(connection, registry=registry):
        connection.execute("CREATE OR REPLACE TABLE known_devices AS SELECT device_id FROM registry")


def stage(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[SourceFile],
    received_at: datetime,
    settings: ReadingSettings,
) -> None:
    """Append the readings of ``files`` to ``staged``.

    Args:
        connection: an engine holding ``staged`` and, where a registry exists, ``known_devices``; it may have been told
            of the devices' ranges (:func:`fridge_assets.readings.ranges.know_ranges`).
        files: probed, with the same columns, folder and source; several where they are Parquet.
        received_at: when the newest of them arrived; no reading can be much younger than that.
        settings: cleaning rules.

    Raises:
        UnreadableFile: a page of a file is damaged; nothing of ``files`` was staged.
    """
    zone = files[0].source.timezone
    connection.execute(f"SET TimeZone = '{zone}'")
    try:
        has_registry = _has_registry(connection)
        first = connection.execute("SELECT count(*) FROM staged").fetchall()[0][0]
        statement = _stage_sql(files, settings, known_bounds(connection), has_registry=has_registry)
        connection.execute(statement, {"received_at": received_at})
        if files[0].format == "csv":
            _stage_rejected_lines(connection, files[0].name)
        if files[0].source.has_summer_time:
            settle_doubled_hours(connection, zone, first)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise damaged(files[0].path, error) from error
    finally:
        connection.execute("SET TimeZone = 'UTC'")


def _has_registry(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'known_devices'").fetchall()
    return bool(found)


def _stage_sql(files: Sequence[SourceFile], settings: ReadingSettings, bounds: Bounds, *, has_registry: bool) -> str:
    typed = ",\n    ".join(landing_columns(files[0]))
    # Null for a null, which is no violation; NaN is larger than any number.
    implausible = " OR ".join(f"NOT ({bounds.within(s.name, 'plausible')})" for s in NUMERIC_SENSORS)
    # What is plausible is possible: only rows with an implausible value need a second look.
    possible = ",\n    ".join(
        f"CASE WHEN range_violation THEN CASE WHEN {bounds.within(s.name, 'possible')} THEN {s.name} END "
        f"ELSE {s.name} END AS {s.name}_ok"
        for s in NUMERIC_SENSORS
    )
    null_mask = " + ".join(f"CASE WHEN {s.name} IS NULL THEN {1 << i} ELSE 0 END" for i, s in enumerate(SENSORS))
    impossible = " OR ".join(f"({s.name} IS NOT NULL AND {s.name}_ok IS NULL)" for s in NUMERIC_SENSORS)
    impossible = f"CASE WHEN range_violation THEN {impossible} ELSE false END"
    all_null = " AND ".join(
        [f"{s.name}_ok IS NULL" for s in NUMERIC_SENSORS] + [f"{s.name} IS NULL" for s in BOOLEAN_SENSORS]
    )
    values = {s.name: s.name if s.is_boolean else f"{s.name}_ok" for s in SENSORS}
    drift = f"INTERVAL '{int(settings.clock_drift.total_seconds())} seconds'"
    unknown = "device_id NOT IN (SELECT device_id FROM known_devices)" if has_registry else "false"
    return f"""
INSERT INTO staged
WITH typed AS (
  SELECT
    src AS raw_row, src.__source_file AS source_file, src.__row_number AS row_number,
    src.__malformed_line AS malformed_line,
    {typed}
  FROM ({rows_sql(*files)}) AS src
),
ranged AS (
  SELECT *, coalesce({implausible}, false) AS range_violation FROM typed {bounds.join}
),
checked AS (
  SELECT *,
    {possible},
    coalesce(timestamp_ingested, timestamp_device) AS ingested,
    abs(epoch(timestamp_device) - epoch(timestamp_ingested)) > {settings.clock_drift.total_seconds()} AS drifted
  FROM ranged
),
timed AS (
  SELECT *, CASE WHEN drifted THEN timestamp_ingested ELSE timestamp_device END AS timestamp_utc FROM checked
),
judged AS (
  SELECT *,
    CASE
      WHEN malformed_line IS NOT NULL THEN 'ROW_MALFORMED'
      WHEN device_id IS NULL THEN 'DEVICE_MISSING'
      WHEN timestamp_text IS NULL THEN 'TIMESTAMP_MISSING'
      WHEN timestamp_device IS NULL OR NOT isfinite(timestamp_device) THEN 'TIMESTAMP_UNREADABLE'
      WHEN unreadable IS NOT NULL THEN 'VALUE_UNREADABLE'
      WHEN timestamp_utc < {_EARLIEST} THEN 'TIMESTAMP_TOO_OLD'
      WHEN timestamp_utc > $received_at + {drift} THEN 'TIMESTAMP_IN_FUTURE'
      WHEN {unknown} THEN 'DEVICE_UNKNOWN'
      WHEN {all_null} THEN 'ALL_SENSORS_NULL'
    END AS reason
  FROM timed
)
SELECT
  source_file, row_number, event_id, device_id, timestamp_utc, ingested, {", ".join(values.values())}, sequence_number,
  {null_mask}, range_violation, {impossible}, coalesce(drifted, false), zoneless, reason,
  CASE reason
    WHEN 'ROW_MALFORMED' THEN 'the line is not a JSON object'
    WHEN 'DEVICE_MISSING' THEN 'device_id is empty; every reading needs one'
    WHEN 'TIMESTAMP_MISSING' THEN 'the timestamp is empty; every reading needs one'
    WHEN 'TIMESTAMP_UNREADABLE'
      THEN 'timestamp ''' || timestamp_text || ''' cannot be read{_readable_times(files[0].source)}'
    WHEN 'VALUE_UNREADABLE' THEN unreadable
    WHEN 'TIMESTAMP_TOO_OLD' THEN 'timestamp ' || timestamp_utc::VARCHAR || ' is before 2000; check the device clock'
    WHEN 'TIMESTAMP_IN_FUTURE'
      THEN 'timestamp ' || timestamp_utc::VARCHAR || ' lies in the future; check the device clock and --timezone'
    WHEN 'DEVICE_UNKNOWN' THEN device_id || ' is not in the device registry; add it there'
    WHEN 'ALL_SENSORS_NULL' THEN 'none of the 14 sensors has a value that it can read'
  END,
  CASE WHEN reason IS NOT NULL THEN coalesce(malformed_line, to_json(raw_row)::VARCHAR) END
FROM judged
"""


def _readable_times(source: Source) -> str:
    if source.time.format != ISO:
        return f" as {source.time.format}".replace("'", "''")
    return (
        "; use ISO 8601 such as 2026-01-31T13:45:00Z, "
        "or let `fridge-assets sources add NAME FILE` find out how it is written"
    )


def _stage_rejected_lines(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    connection.execute(
        "INSERT INTO staged BY NAME "
        "SELECT $name AS source_file, e.line AS row_number, 0 AS null_mask, "
        "false AS range_violation, false AS impossible, false AS clock_drift, false AS zoneless, "
        "'ROW_MALFORMED' AS reason, "
        "min(e.error_message) AS detail, min(e.csv_line) AS raw "
        "FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) GROUP BY e.scan_id, e.file_id, e.line",
        {"name": name},
    )
    connection.execute("DROP TABLE reject_errors")
    connection.execute("DROP TABLE reject_scans")

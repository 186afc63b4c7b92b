"""Landing rows into typed columns, each row either usable or with the reason why not (SPEC 1.2, 1.3)."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd

from fridge_assets.contracts.sensor_readings import BOOLEAN_SENSORS, NUMERIC_SENSORS, SENSORS, Sensor
from fridge_assets.readings.ranges import Bounds, known_bounds
from fridge_assets.readings.source import SourceFile, damaged, identifier, rows_sql
from fridge_assets.settings import ReadingSettings
from fridge_assets.stores.frames import registered

_NUMBER_TYPES = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN",
)  # fmt: skip
_ZONELESS_TYPES = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATE")
_NULL_WORDS = "(?i)(null|none|na|n/a|-)?"
_LONGEST_NULL_WORD = 4
_ZONE_PATTERN = r"(?i):\d{2}(\.\d+)?\s*(z|utc|[+-]\d{2}(:?\d{2})?)$"
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
    source: SourceFile,
    paths: Sequence[Path],
    received_at: datetime,
    settings: ReadingSettings,
) -> None:
    """Append the rows of ``paths`` to ``staged``.

    Args:
        connection: an engine holding ``staged`` and, where a registry exists, ``known_devices``; it may have been told
            of the devices' ranges (:func:`fridge_assets.readings.ranges.know_ranges`).
        source: one of ``paths``, probed; the others have the same columns and interpretation.
        paths: the files to read.
        received_at: when the newest of them arrived; no reading can be much younger than that.
        settings: cleaning rules.

    Raises:
        UnreadableFile: a page of a file is damaged; nothing of ``paths`` was staged.
    """
    connection.execute(f"SET TimeZone = '{source.interpretation.timezone}'")
    try:
        has_registry = _has_registry(connection)
        statement = _stage_sql(source, paths, settings, known_bounds(connection), has_registry=has_registry)
        connection.execute(statement, {"received_at": received_at})
        if source.format == "csv":
            _stage_rejected_lines(connection)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise damaged(paths[0], error) from error
    finally:
        connection.execute("SET TimeZone = 'UTC'")


def _has_registry(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'known_devices'").fetchall()
    return bool(found)


def _stage_sql(
    source: SourceFile, paths: Sequence[Path], settings: ReadingSettings, bounds: Bounds, *, has_registry: bool
) -> str:
    typed = ",\n    ".join(_typed_columns(source))
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
  FROM ({rows_sql(source, paths)}) AS src
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
      THEN 'timestamp ''' || timestamp_text || ''' cannot be read; use ISO 8601 such as 2026-01-31T13:45:00Z'
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


def _typed_columns(source: SourceFile) -> list[str]:
    columns = []
    problems = []
    for sensor in SENSORS:
        value, problem = _sensor_value(source, sensor)
        columns.append(f"{value} AS {sensor.name}")
        if problem:
            problems.append(problem)
    sequence, problem = _sequence_number(source)
    columns.append(f"{sequence} AS sequence_number")
    if problem:
        problems.append(problem)
    device_time, device_text, zoneless = _timestamp(source, "timestamp_device")
    ingested_time, _, _ = _timestamp(source, "timestamp_ingested")
    columns += [
        f"{_word(source, 'event_id')} AS event_id",
        f"{_word(source, 'device_id')} AS device_id",
        f"{device_time} AS timestamp_device",
        f"{device_text} AS timestamp_text",
        f"{zoneless} AS zoneless",
        f"{ingested_time} AS timestamp_ingested",
        f"coalesce({', '.join(problems)}, NULL::VARCHAR) AS unreadable" if problems else "NULL::VARCHAR AS unreadable",
    ]
    return columns


def _sensor_value(source: SourceFile, sensor: Sensor) -> tuple[str, str | None]:
    """(SQL of the value in our unit, SQL of the complaint or None when every value can be read)."""
    if sensor.name not in source.ours:
        return f"NULL::{'BOOLEAN' if sensor.is_boolean else 'DOUBLE'}", None
    theirs, type_ = source.ours[sensor.name]
    factor, offset = source.interpretation.conversion(sensor.name)
    number = f"TRY_CAST({_present(theirs, type_)} AS DOUBLE)"
    if sensor.is_boolean:
        zero_or_one = f"CASE {number} WHEN 0 THEN false WHEN 1 THEN true END"
        if type_ == "BOOLEAN":
            return f"src.{identifier(theirs)}", None
        if _is_number(type_):
            return zero_or_one, _complaint(theirs, type_, zero_or_one, "not true, false, 0 or 1")
        value = f"coalesce(TRY_CAST({_present(theirs, type_)} AS BOOLEAN), {zero_or_one})"
        return value, _complaint(theirs, type_, value, "not true, false, 0 or 1")
    value = number if (factor, offset) == (1.0, 0.0) else f"{number} * {factor!r} + {offset!r}"
    return value, None if _is_number(type_) else _complaint(theirs, type_, number, "not a number")


def _sequence_number(source: SourceFile) -> tuple[str, str | None]:
    if "sequence_number" not in source.ours:
        return "NULL::BIGINT", None
    theirs, type_ = source.ours["sequence_number"]
    value = f"TRY_CAST({_present(theirs, type_)} AS BIGINT)"
    return value, _complaint(theirs, type_, value, "not a whole number")


def _timestamp(source: SourceFile, ours: str) -> tuple[str, str, str]:
    """(SQL of the UTC time, SQL of its text, SQL of whether it came without a zone)."""
    if ours not in source.ours:
        return "NULL::TIMESTAMPTZ", "NULL::VARCHAR", "false"
    theirs, type_ = source.ours[ours]
    column = f"src.{identifier(theirs)}"
    text = f"{column}::VARCHAR" if _is_number(type_) else _present(theirs, type_)
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return column, f"CASE WHEN {column} IS NOT NULL THEN '' END", "false"
    if type_ in _ZONELESS_TYPES:
        zone = source.interpretation.timezone
        return (
            f"{column}::TIMESTAMP AT TIME ZONE '{zone}'",
            f"CASE WHEN {column} IS NOT NULL THEN '' END",
            "true",
        )
    zoneless = f"coalesce(NOT regexp_matches({text}, '{_ZONE_PATTERN}'), false)"
    return f"TRY_CAST({text} AS TIMESTAMPTZ)", text, zoneless


def _word(source: SourceFile, ours: str) -> str:
    if ours not in source.ours:
        return "NULL::VARCHAR"
    theirs, _ = source.ours[ours]
    return f"nullif(trim(src.{identifier(theirs)}::VARCHAR), '')"


def _present(theirs: str, type_: str) -> str:
    """SQL of a delivered value, null for the usual words for nothing."""
    column = f"src.{identifier(theirs)}"
    if _is_number(type_):
        return column
    text = f"trim({column}::VARCHAR)"
    # Not NOT IN: it costs DuckDB half a second of planning per file, and most values are longer than these words.
    is_word = f"length({text}) <= {_LONGEST_NULL_WORD} AND regexp_full_match({text}, '{_NULL_WORDS}')"
    return f"CASE WHEN NOT ({is_word}) THEN {text} END"


def _complaint(theirs: str, type_: str, value: str, problem: str) -> str:
    present = _present(theirs, type_)
    name = theirs.replace("'", "''")
    finite = f" AND NOT isnan({present}::DOUBLE)" if type_ in ("FLOAT", "DOUBLE") else ""
    return (
        f"CASE WHEN {present} IS NOT NULL{finite} AND ({value}) IS NULL "
        f"THEN '{name} is ''' || {present}::VARCHAR || ''', {problem}' END"
    )


def _is_number(type_: str) -> bool:
    return type_.split("(", maxsplit=1)[0] in _NUMBER_TYPES


def _stage_rejected_lines(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "INSERT INTO staged BY NAME "
        "SELECT parse_filename(min(s.file_path)) AS source_file, e.line AS row_number, 0 AS null_mask, "
        "false AS range_violation, false AS impossible, false AS clock_drift, false AS zoneless, "
        "'ROW_MALFORMED' AS reason, "
        "min(e.error_message) AS detail, min(e.csv_line) AS raw "
        "FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) GROUP BY e.scan_id, e.file_id, e.line"
    )
    connection.execute("DROP TABLE reject_errors")
    connection.execute("DROP TABLE reject_scans")

"""The cleaning rules, from ``staged`` to ``cleaned``: duplicates, flags, gaps (SPEC 1.3)."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from fridge_assets.contracts.clean_sensor_readings import QUALITY_FLAGS
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.identity import deterministic_id_sql
from fridge_assets.settings import ReadingSettings

_CHECKSUM_PRIME = 4_294_967_291


def clean(
    connection: duckdb.DuckDBPyConnection, stored_files: Sequence[Path], settings: ReadingSettings
) -> None:
    """Turn ``staged`` into ``cleaned``, ``repeated_now`` and ``seen_now``.

    Args:
        connection: an engine holding ``staged`` and ``device_last_seen``.
        stored_files: Parquet files of clean readings in the hours that ``staged`` touches.
        settings: cleaning rules.

    Leaves in the engine:
        ``cleaned``: the rows to store, in contract columns.
        ``repeated_now(event_id, timestamp_utc)``: events delivered now that an earlier batch had stored.
        ``seen_now``: when each device and sensor was last heard from, in the shape of ``device_last_seen``.
    """
    connection.execute(_usable_sql())
    connection.execute(_repeats_sql(stored_files))
    connection.execute(_hours_sql())
    connection.execute(_gaps_sql(connection, settings))
    connection.execute(_cleaned_sql())
    connection.execute(_seen_sql())


def _usable_sql() -> str:
    # The checksum of the values is exact integer arithmetic, so an event keeps its identity across DuckDB versions.
    checksum = " + ".join(
        f"coalesce(TRY_CAST({s.name}::DOUBLE * 1e6 AS BIGINT), -1)::HUGEINT * {_CHECKSUM_PRIME - 7919 * i}"
        for i, s in enumerate(SENSORS)
    )
    identity = deterministic_id_sql(
        f"device_id || '|' || epoch_us(timestamp_utc)::VARCHAR || '|' || ({checksum})::VARCHAR"
    )
    return (
        f"CREATE OR REPLACE TABLE usable AS SELECT * REPLACE (coalesce(event_id, {identity}) AS event_id), "
        "date_trunc('hour', timestamp_utc) AS hour_start FROM staged WHERE reason IS NULL"
    )


def _repeats_sql(stored_files: Sequence[Path]) -> str:
    stored = "SELECT NULL::VARCHAR AS event_id WHERE false"
    if stored_files:
        files = ", ".join(f"'{path}'" for path in stored_files)
        stored = f"SELECT event_id FROM read_parquet([{files}]) SEMI JOIN usable USING (event_id)"
    return f"""
CREATE OR REPLACE TABLE stored_events AS {stored};
CREATE OR REPLACE TABLE repeats AS
WITH doubled AS (SELECT event_id FROM usable GROUP BY event_id HAVING count(*) > 1),
ranked AS (
  SELECT rowid AS row_id, event_id, row_number() OVER (
    PARTITION BY event_id ORDER BY sequence_number NULLS LAST, timestamp_ingested, source_file, usable.row_number
  ) AS place
  FROM usable SEMI JOIN doubled USING (event_id)
)
SELECT row_id, event_id, place = 1 AS kept FROM ranked ANTI JOIN stored_events USING (event_id)
UNION ALL
SELECT rowid, event_id, false FROM usable SEMI JOIN stored_events USING (event_id);
CREATE OR REPLACE TABLE repeated_now AS
SELECT DISTINCT event_id, timestamp_utc FROM usable SEMI JOIN stored_events USING (event_id)
"""


def _hours_sql() -> str:
    first = ", ".join(f"min(timestamp_utc) FILTER ({s.name} IS NOT NULL) AS {s.name}_first" for s in SENSORS)
    last = ", ".join(f"max(timestamp_utc) FILTER ({s.name} IS NOT NULL) AS {s.name}_last" for s in SENSORS)
    return (
        "CREATE OR REPLACE TABLE hours AS "
        f"SELECT device_id, hour_start, max(timestamp_utc) AS reading_last, {first}, {last} "
        "FROM usable GROUP BY device_id, hour_start"
    )


def _gaps_sql(connection: duckdb.DuckDBPyConnection, settings: ReadingSettings) -> str:
    """A sensor is a gap when it is null now and was heard from earlier in this hour, or within the memory before."""
    memory = f"INTERVAL '{int(settings.sensor_gap_memory.total_seconds())} seconds'"
    nulls = connection.execute("SELECT bit_or(null_mask) FROM usable").fetchall()[0][0] or 0
    sensors = [(1 << i, s.name) for i, s in enumerate(SENSORS) if nulls & (1 << i)]
    if not sensors:
        return "CREATE OR REPLACE TABLE gaps AS SELECT 0::BIGINT AS row_id WHERE false"
    heard = ", ".join(
        f"{name}_first, greatest(seen.{name}, max({name}_last) OVER before) AS {name}_before"
        for _, name in sensors
    )
    is_gap = " OR ".join(
        f"(null_mask & {bit} <> 0 AND ({name}_first < timestamp_utc OR {name}_before >= timestamp_utc - {memory}))"
        for bit, name in sensors
    )
    return f"""
CREATE OR REPLACE TABLE gaps AS
WITH heard AS (
  SELECT hours.device_id, hour_start, {heard}
  FROM hours LEFT JOIN device_last_seen AS seen USING (device_id)
  WINDOW before AS (
    PARTITION BY hours.device_id ORDER BY hour_start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
),
with_nulls AS (SELECT rowid AS row_id, device_id, hour_start, timestamp_utc, null_mask FROM usable WHERE null_mask <> 0)
SELECT row_id FROM with_nulls JOIN heard USING (device_id, hour_start) WHERE {is_gap}
"""


def _cleaned_sql() -> str:
    sensors = ", ".join(s.name for s in SENSORS)
    null_count = " + ".join(f"({s.name} IS NULL)::BIGINT" for s in SENSORS)
    flags = " ".join(f"WHEN {mask} THEN {_flags_literal(mask)}" for mask in range(1, 1 << len(QUALITY_FLAGS)))
    return f"""
CREATE OR REPLACE TABLE cleaned AS
WITH flagged AS (
  SELECT usable.*,
    range_violation::INTEGER + 2 * clock_drift::INTEGER
      + 4 * (repeats.row_id IS NOT NULL)::INTEGER + 8 * (gaps.row_id IS NOT NULL)::INTEGER AS flag_mask
  FROM usable
  LEFT JOIN repeats ON usable.rowid = repeats.row_id
  LEFT JOIN gaps ON usable.rowid = gaps.row_id
  WHERE coalesce(repeats.kept, true)
)
SELECT event_id, device_id, timestamp_utc, timestamp_ingested, {sensors},
  CASE flag_mask {flags} ELSE []::VARCHAR[] END AS quality_flags,
  {null_count} AS sensor_null_count, hour_start
FROM flagged
"""


def _seen_sql() -> str:
    sensors = ", ".join(f"max({s.name}_last) AS {s.name}" for s in SENSORS)
    return (
        "CREATE OR REPLACE TABLE seen_now AS "
        f"SELECT device_id, max(reading_last) AS last_reading_at, {sensors} FROM hours GROUP BY device_id"
    )


def _flags_literal(mask: int) -> str:
    names = (f"'{flag}'" for i, flag in enumerate(QUALITY_FLAGS) if mask & (1 << i))
    return f"[{', '.join(names)}]"

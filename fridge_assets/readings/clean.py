"""The cleaning rules, from ``staged`` to ``cleaned``: duplicates, flags, gaps (SPEC 1.3)."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from fridge_assets.contracts.clean_sensor_readings import QUALITY_FLAGS
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.settings import ReadingSettings
from fridge_assets.stores.frames import text_literal

HOUR_START_SQL = "make_timestamptz(epoch_us(timestamp_utc) // 3600000000 * 3600000000)"
"""The hour of ``timestamp_utc``; date_trunc gives the same by way of a calendar, which takes thirty times as long."""


def clean(connection: duckdb.DuckDBPyConnection, stored_files: Sequence[Path], settings: ReadingSettings) -> None:
    """Turn ``staged`` into ``cleaned``, ``repeated_now`` and ``seen_now``.

    Args:
        connection: an engine holding ``staged`` and ``device_last_seen``.
        stored_files: Parquet files of clean readings in the hours that ``staged`` touches.
        settings: cleaning rules.

    Leaves in the engine:
        ``usable``: the rows that are not quarantined, with ``row_id`` and ``hour_start``.
        ``cleaned``: the rows to store, in contract columns, with ``row_id`` and ``hour_start``.
        ``repeated_now(event_id, timestamp_utc)``: events delivered now that an earlier batch had stored.
        ``seen_now``: when each device and sensor was last heard from, in the shape of ``device_last_seen``.
    """
    connection.execute("ALTER TABLE staged ADD COLUMN repeat_kept BOOLEAN")
    connection.execute("ALTER TABLE staged ADD COLUMN sensor_gap BOOLEAN")
    connection.execute(_usable_sql())
    connection.execute(_repeats_sql(stored_files))
    connection.execute(_hours_sql())
    connection.execute(_gaps_sql(connection, settings))
    connection.execute(_MARK_SQL)
    connection.execute(_cleaned_sql())
    connection.execute(_seen_sql())


# Marks instead of joins in ``cleaned``: a join may hand on its rows in any order, and the order in which the readings
# are stored decides the last bit of the sums that features are made of.
_MARK_SQL = """
UPDATE staged SET repeat_kept = repeats.kept FROM repeats WHERE staged.rowid = repeats.row_id;
UPDATE staged SET sensor_gap = true FROM gaps WHERE staged.rowid = gaps.row_id
"""


def _usable_sql() -> str:
    # Views, because millions of wide rows are dearer to copy than to derive again.
    return (
        f"CREATE OR REPLACE VIEW usable AS SELECT rowid AS row_id, *, {HOUR_START_SQL} AS hour_start "
        "FROM staged WHERE reason IS NULL"
    )


def _repeats_sql(stored_files: Sequence[Path]) -> str:
    stored = "SELECT NULL::VARCHAR AS event_id WHERE false"
    if stored_files:
        files = ", ".join(text_literal(str(path)) for path in stored_files)
        # A derived identity contains the time, so it can only be stored among readings of its own hour.
        stored = f"""
WITH stored AS (SELECT event_id, timestamp_utc FROM read_parquet([{files}])),
candidates AS (
  SELECT event_id FROM usable
  WHERE NOT event_id_derived OR hour_start IN (SELECT DISTINCT {HOUR_START_SQL} FROM stored)
)
SELECT event_id FROM stored SEMI JOIN candidates USING (event_id)"""
    return f"""
CREATE OR REPLACE TABLE stored_events AS {stored};
CREATE OR REPLACE TABLE repeats AS
WITH alike AS (SELECT hash(event_id) AS mark FROM usable GROUP BY mark HAVING count(*) > 1),
suspects AS (SELECT * FROM usable WHERE hash(event_id) IN (SELECT mark FROM alike)),
doubled AS (SELECT event_id FROM suspects GROUP BY event_id HAVING count(*) > 1),
ranked AS (
  SELECT row_id, event_id, row_number() OVER (
    PARTITION BY event_id ORDER BY sequence_number NULLS LAST, timestamp_ingested, source_file, suspects.row_number
  ) AS place
  FROM suspects SEMI JOIN doubled USING (event_id)
)
SELECT row_id, event_id, place = 1 AS kept FROM ranked ANTI JOIN stored_events USING (event_id)
UNION ALL
SELECT row_id, event_id, false FROM usable SEMI JOIN stored_events USING (event_id);
CREATE OR REPLACE TABLE repeated_now AS
SELECT DISTINCT event_id, timestamp_utc FROM usable SEMI JOIN stored_events USING (event_id)
"""


def _hours_sql() -> str:
    # Nearly all readings are complete, and of these the first and last are the same for every sensor.
    complete = "null_mask = 0 AND NOT range_violation"
    parts = ", ".join(
        f"min(timestamp_utc) FILTER ({s.name} IS NOT NULL) AS {s.name}_first, "
        f"max(timestamp_utc) FILTER ({s.name} IS NOT NULL) AS {s.name}_last"
        for s in SENSORS
    )
    merged = ", ".join(
        f"least(complete.first, {s.name}_first) AS {s.name}_first, "
        f"greatest(complete.last, {s.name}_last) AS {s.name}_last"
        for s in SENSORS
    )
    return f"""
CREATE OR REPLACE TABLE hours AS
WITH complete AS (
  SELECT device_id, hour_start, min(timestamp_utc) AS first, max(timestamp_utc) AS last
  FROM usable WHERE {complete} GROUP BY device_id, hour_start
),
partial AS (
  SELECT device_id, hour_start, max(timestamp_utc) AS last, {parts}
  FROM usable WHERE NOT ({complete}) GROUP BY device_id, hour_start
)
SELECT device_id, hour_start, greatest(complete.last, partial.last) AS reading_last, {merged}
FROM complete FULL JOIN partial USING (device_id, hour_start)
"""


def _gaps_sql(connection: duckdb.DuckDBPyConnection, settings: ReadingSettings) -> str:
    """A sensor is a gap when it is null now and was heard from earlier in this hour, or within the memory before."""
    memory = f"INTERVAL '{int(settings.sensor_gap_memory.total_seconds())} seconds'"
    nulls = connection.execute("SELECT bit_or(null_mask) FROM usable").fetchall()[0][0] or 0
    sensors = [(1 << i, s.name) for i, s in enumerate(SENSORS) if nulls & (1 << i)]
    if not sensors:
        return "CREATE OR REPLACE TABLE gaps AS SELECT 0::BIGINT AS row_id WHERE false"
    heard = ", ".join(
        f"{name}_first, greatest(seen.{name}, max({name}_last) OVER before) AS {name}_before" for _, name in sensors
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
with_nulls AS (SELECT row_id, device_id, hour_start, timestamp_utc, null_mask FROM usable WHERE null_mask <> 0)
SELECT row_id FROM with_nulls JOIN heard USING (device_id, hour_start) WHERE {is_gap}
"""


def _cleaned_sql() -> str:
    sensors = ", ".join(s.name for s in SENSORS)
    null_count = " + ".join(f"({s.name} IS NULL)::BIGINT" for s in SENSORS)
    flags = " ".join(f"WHEN {mask} THEN {_flags_literal(mask)}" for mask in range(1, 1 << len(QUALITY_FLAGS)))
    return f"""
CREATE OR REPLACE VIEW cleaned AS
WITH flagged AS (
  SELECT *,
    range_violation::INTEGER + 2 * clock_drift::INTEGER
      + 4 * (repeat_kept IS NOT NULL)::INTEGER + 8 * coalesce(sensor_gap, false)::INTEGER AS flag_mask
  FROM usable WHERE coalesce(repeat_kept, true)
)
SELECT event_id, device_id, timestamp_utc, timestamp_ingested, {sensors},
  CASE flag_mask {flags} ELSE []::VARCHAR[] END AS quality_flags,
  {null_count} AS sensor_null_count, row_id, hour_start
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

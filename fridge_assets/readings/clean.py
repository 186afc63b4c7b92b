"""The cleaning rules, from ``staged`` to ``cleaned``: duplicates, flags, gaps (SPEC 1.3)."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import duckdb

from fridge_assets.contracts.clean_sensor_readings import QUALITY_FLAGS
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.readings.repeats import HOUR_START_SQL, find_repeats
from fridge_assets.settings import ReadingSettings


def clean(connection: duckdb.DuckDBPyConnection, stored_files: Sequence[Path], settings: ReadingSettings) -> None:
    """Turn ``staged`` into ``cleaned``, ``repeated_now`` and ``seen_now``.

    Args:
        connection: an engine holding ``staged`` and ``device_last_seen``.
        stored_files: Parquet files of clean readings in the hours that ``staged`` touches.
        settings: cleaning rules.

    Leaves in the engine, beside what :func:`fridge_assets.readings.repeats.find_repeats` leaves:
        ``usable``: the rows that are not quarantined, with ``row_id`` and ``hour_start``.
        ``cleaned``: the rows to store, in contract columns, with ``row_id`` and ``hour_start``; ``event_id`` is null
        where the reading brought none.
        ``seen_now``: when each device and sensor was last heard from, in the shape of ``device_last_seen``.
        ``first_now``: when each device's sensors were first heard from in this batch, in the shape of
        ``device_first_seen``, and ``arrived_at``, when the device's latest arrival was.
    """
    connection.execute(_USABLE_SQL)
    find_repeats(connection, stored_files)
    connection.execute(_hours_sql())
    connection.execute(_gaps_sql(connection, settings))
    connection.execute(_MARKED_SQL)
    connection.execute(_FLAGGED_SQL)
    connection.execute(_cleaned_sql())
    connection.execute(_seen_sql())
    connection.execute(_first_sql())


def count_flags(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many rows of ``cleaned`` carry each quality flag, without those that none carries."""
    counts: dict[str, int] = defaultdict(int)
    for mask, rows in connection.execute("SELECT flag_mask, count(*) FROM flagged GROUP BY flag_mask").fetchall():
        for flag in _flags_of(mask):
            counts[flag] += rows
    return counts


# Views, because millions of wide rows are dearer to copy than to derive again.
_USABLE_SQL = f"""
CREATE OR REPLACE VIEW usable AS
SELECT rowid AS row_id, *, {HOUR_START_SQL} AS hour_start FROM staged WHERE reason IS NULL
"""

# The few rows that are not ordinary, so that every other row is looked up once.
_MARKED_SQL = """
CREATE OR REPLACE TABLE marked AS
SELECT row_id, kept, gaps.row_id IS NOT NULL AS sensor_gap FROM repeats FULL JOIN gaps USING (row_id)
"""


def _hours_sql() -> str:
    # Nearly all readings are complete, and of these the first and last are the same for every sensor.
    signalled = "min(timestamp_utc) FILTER (defrost_cycle) AS signalled"
    complete = "null_mask = 0 AND NOT impossible"
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
  SELECT device_id, hour_start, min(timestamp_utc) AS first, max(timestamp_utc) AS last,
    max(timestamp_ingested) AS arrived, {signalled}
  FROM usable WHERE {complete} GROUP BY device_id, hour_start
),
partial AS (
  SELECT device_id, hour_start, max(timestamp_utc) AS last, max(timestamp_ingested) AS arrived, {signalled}, {parts}
  FROM usable WHERE NOT ({complete}) GROUP BY device_id, hour_start
)
SELECT device_id, hour_start, greatest(complete.last, partial.last) AS reading_last,
  greatest(complete.arrived, partial.arrived) AS arrived_last,
  least(complete.signalled, partial.signalled) AS signalled, {merged}
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


_FLAGGED_SQL = """
CREATE OR REPLACE VIEW flagged AS
SELECT *,
  range_violation::INTEGER + 2 * clock_drift::INTEGER
    + 4 * (kept IS NOT NULL)::INTEGER + 8 * coalesce(sensor_gap, false)::INTEGER AS flag_mask
FROM usable LEFT JOIN marked USING (row_id) WHERE coalesce(kept, true)
"""


def _cleaned_sql() -> str:
    sensors = ", ".join(s.name for s in SENSORS)
    null_count = " + ".join(f"({s.name} IS NULL)::BIGINT" for s in SENSORS)
    flags = " ".join(f"WHEN {mask} THEN {_flags_literal(mask)}" for mask in range(1, 1 << len(QUALITY_FLAGS)))
    return f"""
CREATE OR REPLACE VIEW cleaned AS
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


def _first_sql() -> str:
    sensors = ", ".join(f"min({s.name}_first) AS {s.name}" for s in SENSORS)
    return (
        "CREATE OR REPLACE TABLE first_now AS "
        f"SELECT device_id, max(arrived_last) AS arrived_at, {sensors}, min(signalled) AS defrost_signalled "
        "FROM hours GROUP BY device_id"
    )


def _flags_literal(mask: int) -> str:
    names = (f"'{flag}'" for flag in _flags_of(mask))
    return f"[{', '.join(names)}]"


def _flags_of(mask: int) -> list[str]:
    return [flag for i, flag in enumerate(QUALITY_FLAGS) if mask & (1 << i)]

"""What is usual of a device: its vibration as it runs, its bands of pressure and cooling, how often it sends (SPEC 5).

Kept in buckets of time instead of readings, so that a day of 100,000 devices fits into memory. A bucket is summed up
once the watermark of its device has passed it, from values whose sum, least or greatest does not depend on any order.

A compressor at rest hardly vibrates: its readings are left out of what is usual, so that a machine is held against
itself as it runs, however seldom it does.

A *band* is what a sensor has held for some readings in a row: one odd reading neither widens nor narrows it. That of
the pressure matters downwards, so its floor is kept; that of the evaporator upwards, so its ceiling is, without
defrosts and the time after them, which the rule does not look at either.
"""

from datetime import timedelta

from fridge_assets.core.exact_sums import FEATURE_PARTS, parts_sql
from fridge_assets.settings import StreamingSettings
from fridge_assets.streaming.rules import MILLISECOND, microseconds

HISTORY_COLUMNS = (
    "device_no INTEGER, bucket BIGINT, vibration BIGINT, vibration_readings INTEGER, pressure_floor FLOAT, "
    "evaporator_ceiling FLOAT, spanned INTEGER, steps INTEGER"
)
"""Of the table ``history``; ``spanned`` is the time from the first to the last reading in ms, ``steps`` how many
intervals that is."""

USUAL_COLUMNS = (
    "vibration_usual DOUBLE, pressure_floor FLOAT, pressure_new BOOLEAN, evaporator_ceiling FLOAT, "
    "evaporator_new BOOLEAN, interval_ms INTEGER"
)
"""What is usual of a device at some time: null where it has too little history."""

USUAL = tuple(column.split()[0] for column in USUAL_COLUMNS.split(", "))
"""Names of these columns."""

_SHORTEST_INTERVAL = timedelta(seconds=10)


def looked_back(settings: StreamingSettings) -> timedelta:
    """How far before a bucket lie readings that decide what was held in it."""
    return max(settings.defrost_recovery, _held_span(settings))


def buckets_sql(settings: StreamingSettings) -> str:
    """SELECT of the rows of ``history`` that readings give.

    Reads:
        ``passed``: ``device_no``, ``ts``, the sensors and ``defrost`` of the readings, whole from :func:`looked_back`
            before ``since`` on.
        ``moved``: ``device_no``, ``since``, ``until``: which of them are to be summed up; borders of buckets.
    """
    bucket = microseconds(settings.vibration_bucket)
    recovery = microseconds(settings.defrost_recovery)
    running = f"vibration_compressor >= {settings.running_vibration!r}"
    return f"""
WITH undefrosted AS (
  SELECT *, CASE WHEN coalesce(ts - max(CASE WHEN defrost THEN ts END) OVER in_time > {recovery}, true)
    THEN temperature_evaporator END AS evaporator
  FROM passed JOIN moved USING (device_no) WHERE ts < until
  WINDOW in_time AS (PARTITION BY device_no ORDER BY ts)
),
held AS (
  SELECT *, {_held("pressure_low_side", "greatest", settings)} AS pressure_held,
    {_held("evaporator", "least", settings)} AS evaporator_held
  FROM undefrosted WINDOW in_time AS (PARTITION BY device_no ORDER BY ts)
)
SELECT device_no, ts // {bucket} * {bucket} AS bucket,
  coalesce(sum({parts_sql("vibration_compressor", FEATURE_PARTS)}) FILTER ({running}), 0)::BIGINT,
  (count(*) FILTER ({running}))::INTEGER,
  min(pressure_held)::FLOAT, max(evaporator_held)::FLOAT, ((max(ts) - min(ts)) // 1000)::INTEGER,
  greatest(count(pressure_low_side), count(temperature_evaporator), count(current_compressor),
    count(vibration_compressor), 1)::INTEGER - 1
FROM held WHERE ts >= since GROUP BY ALL"""


def usual_sql(settings: StreamingSettings) -> str:
    """SELECT of ``device_no``, ``until`` and ``USUAL_COLUMNS`` for some devices and ends of history.

    Reads:
        ``wanted``: ``device_no``, ``until`` (exclusive, the border of a bucket).
        ``history``
    """
    first = settings.min_vibration_buckets
    enough = -(-settings.cold_start // settings.vibration_bucket)
    return f"""
SELECT w.device_no, w.until,
  CASE WHEN count(*) FILTER (h.vibration_readings > 0) >= {first}
    THEN nullif(sum(h.vibration), 0)::DOUBLE / (sum(h.vibration_readings) * {FEATURE_PARTS}) END,
  CASE WHEN count(h.pressure_floor) >= {first} THEN min(h.pressure_floor) END, count(h.pressure_floor) < {enough},
  CASE WHEN count(h.evaporator_ceiling) >= {first} THEN max(h.evaporator_ceiling) END,
  count(h.evaporator_ceiling) < {enough},
  CASE WHEN sum(h.steps) > 0
    THEN greatest(sum(h.spanned) // sum(h.steps), {_SHORTEST_INTERVAL // MILLISECOND})::INTEGER END
FROM wanted w LEFT JOIN history h
  ON h.device_no = w.device_no AND h.bucket < w.until
    AND h.bucket >= w.until - {microseconds(settings.vibration_span)}
GROUP BY w.device_no, w.until"""


def _held(sensor: str, of: str, settings: StreamingSettings) -> str:
    """What ``sensor`` has held up to a reading: the ``greatest`` or ``least`` of the last ones; null for a pause."""
    before = settings.consecutive_readings - 1
    if not before:
        return sensor
    earlier = ", ".join(f"lag({sensor}, {n} IGNORE NULLS) OVER in_time" for n in range(1, before + 1))
    first = f"lag(CASE WHEN {sensor} IS NOT NULL THEN ts END, {before} IGNORE NULLS) OVER in_time"
    span = microseconds(_held_span(settings))
    return f"CASE WHEN {sensor} IS NOT NULL AND ts - {first} <= {span} THEN {of}({sensor}, {earlier}) END"


def _held_span(settings: StreamingSettings) -> timedelta:
    return (settings.consecutive_readings - 1) * settings.max_interval

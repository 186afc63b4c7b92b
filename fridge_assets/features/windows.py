"""All aggregates of all devices and windows in one query (SPEC 1.4)."""

from collections.abc import Callable

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.device_features import OPERATING_COLUMNS, SENSOR_FEATURES, Aggregation, SensorFeature
from fridge_assets.contracts.sensor_readings import BOOLEAN_SENSORS, NUMERIC_SENSORS, SENSORS
from fridge_assets.core.exact_sums import mean_sql, p95_sql, parts_sql, slope_sql, std_sql, value_sql
from fridge_assets.features.slots import Slots, milliseconds_sql, start_sql

_AGGREGATES: dict[Aggregation, Callable[[str], str]] = {
    "mean": mean_sql,
    "std": std_sql,
    "min": lambda parts: value_sql(f"min({parts})"),
    "max": lambda parts: value_sql(f"max({parts})"),
    "p95": p95_sql,
    "slope": lambda parts: slope_sql(parts, "milliseconds"),
}


AGGREGATED = tuple(
    name for name in DEVICE_FEATURES.column_names if name not in {column.name for column in OPERATING_COLUMNS}
)
"""Columns of DEVICE_FEATURES that are aggregates of the window's readings."""

FOR_OPERATION = ("observed", "current_least", "current_readings", "signals_defrost")
"""What else the operation is told by: the slots with readings, the smallest current in parts, how many have one, and
whether the device's sensor of its defrosts has told of one by now; one that never has is wired to nothing."""


def windows_sql(readings: str, window_seconds: int) -> str:
    """SELECT of AGGREGATED and FOR_OPERATION, one row per device and window, over the relation ``readings``.

    Args:
        readings: SQL of a relation with the columns of CLEAN_SENSOR_READINGS plus ``repeated`` (boolean: the event
            was delivered again in a later batch). The engine holds ``device_first_seen`` beside it.
        window_seconds: length of a window.
    """
    aggregates = ",\n    ".join(f"{_aggregate(feature)} AS {feature.name}" for feature in SENSOR_FEATURES)
    parts = ", ".join(f"{parts_sql(sensor.name)} AS {sensor.name}" for sensor in NUMERIC_SENSORS)
    answers = ", ".join(sensor.name for sensor in BOOLEAN_SENSORS)
    own_sensors = " + ".join(f"coalesce(first_seen.{s.name} < window_end, false)::BIGINT" for s in SENSORS)
    columns = ", ".join((*AGGREGATED, *FOR_OPERATION))
    return f"""
WITH readings AS (
  SELECT device_id, {parts}, {answers}, quality_flags, sensor_null_count, repeated,
    {start_sql("timestamp_utc", window_seconds)} AS window_start,
    {milliseconds_sql("timestamp_utc", window_seconds)} AS milliseconds
  FROM {readings}
),
aggregated AS (
  SELECT
    device_id,
    window_start,
    window_start + to_seconds({window_seconds}) AS window_end,
    {window_seconds // 60}::BIGINT AS window_duration_minutes,
    count(*) AS reading_count,
    {aggregates},
    avg(door_open_close::INTEGER) AS door_open_fraction,
    avg(defrost_cycle::INTEGER) AS defrost_active_fraction,
    1 - sum(sensor_null_count) / ({len(SENSORS)} * count(*)) AS sensor_completeness,
    {len(SENSORS)} * count(*) - sum(sensor_null_count) AS values_there,
    -- Without gaps: whether a null is one is judged by what was delivered before, completeness by the readings alone.
    (sum(len(quality_flags)) - {_having_sql("SENSOR_GAP")}
      + count(*) FILTER (CASE WHEN repeated THEN NOT list_contains(quality_flags, 'DUPLICATE_REMOVED') END)
    )::BIGINT AS quality_flag_count,
    {_having_sql("RANGE_VIOLATION")} AS range_violation_count,
    bit_or({Slots(window_seconds).bit_sql("milliseconds")}) AS observed,
    min(current_compressor) AS current_least,
    count(current_compressor) AS current_readings
  FROM readings
  GROUP BY device_id, window_start
),
derived AS (
  SELECT *,
    pressure_high_mean / nullif(pressure_low_mean, 0) AS pressure_ratio,
    temp_condenser_mean - temp_evaporator_mean AS temp_spread_evap_cond,
    temp_discharge_mean - temp_suction_mean AS temp_spread_discharge_suction,
    current_compressor_mean / nullif(temp_condenser_mean - temp_evaporator_mean, 0) AS current_per_temp_spread,
    coalesce(first_seen.defrost_signalled < window_end, false) AS signals_defrost,
    values_there / nullif(reading_count * ({own_sensors}), 0) AS own_completeness
  FROM aggregated LEFT JOIN device_first_seen AS first_seen USING (device_id)
)
SELECT {columns} FROM derived ORDER BY window_start, device_id
"""


def _having_sql(flag: str) -> str:
    """How many readings have a quality flag; nearly all have none at all."""
    return f"count(*) FILTER (CASE WHEN len(quality_flags) > 0 THEN list_contains(quality_flags, '{flag}') END)"


def _aggregate(feature: SensorFeature) -> str:
    return _AGGREGATES[feature.aggregation](feature.sensor.name)

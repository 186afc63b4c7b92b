"""The identity of readings: what they came with, else a UUIDv5 of device, time and values (SPEC 1.2).

What a reading did not bring is not stored but derived where it is asked for, since for nearly all readings nobody asks.
"""

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.identity import deterministic_id_sql

_CHECKSUM_PRIME = 4_294_967_291


def event_id_sql() -> str:
    """DuckDB expression for the ``event_id`` of a clean reading, in columns of CLEAN_SENSOR_READINGS.

    The checksum of the values is exact integer arithmetic, so an event keeps its identity across DuckDB versions.
    """
    checksum = " + ".join(
        f"coalesce(TRY_CAST({sensor.name}::DOUBLE * 1e6 AS BIGINT), -1)::HUGEINT * {_CHECKSUM_PRIME - 7919 * i}"
        for i, sensor in enumerate(SENSORS)
    )
    text = f"device_id || '|' || epoch_us(timestamp_utc)::VARCHAR || '|' || ({checksum})::VARCHAR"
    return f"CASE WHEN event_id IS NOT NULL THEN event_id ELSE {deterministic_id_sql(text)} END"

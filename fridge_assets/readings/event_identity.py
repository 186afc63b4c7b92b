"""The identity of readings that come without one: a UUIDv5 of device, time and values (SPEC 1.2)."""

from collections.abc import Mapping

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.identity import digest_sql

_CHECKSUM_PRIME = 4_294_967_291


def event_digest_sql(values: Mapping[str, str]) -> str:
    """DuckDB expression for what a derived ``event_id`` is made of, for ``identity.id_of_digest_sql``.

    The checksum of the values is exact integer arithmetic, so an event keeps its identity across DuckDB versions.

    Args:
        values: SQL of each sensor's value as it is stored, by sensor name.
    """
    checksum = " + ".join(
        f"coalesce(TRY_CAST({values[s.name]}::DOUBLE * 1e6 AS BIGINT), -1)::HUGEINT * {_CHECKSUM_PRIME - 7919 * i}"
        for i, s in enumerate(SENSORS)
    )
    return digest_sql(f"device_id || '|' || epoch_us(timestamp_utc)::VARCHAR || '|' || ({checksum})::VARCHAR")

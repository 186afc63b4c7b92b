"""The time of a reading in SQL: how it is written, in which zone, and the hour that a year has twice."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from fridge_assets.core.moments import parse_moment
from fridge_assets.sources.source import EPOCHS, ISO, TimeFormat
from fridge_assets.stores.frames import text_literal

_ZONE_PATTERN = r"(?i):\d{2}(\.\d+)?\s*(z|utc|[+-]\d{2}(:?\d{2})?)$"
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def moment_sql(text: str, time: TimeFormat, zone: str) -> tuple[str, str]:
    """(SQL of the moment, SQL of whether it came without a zone) of a time written as ``text`` (SQL).

    A time that cannot be read is null. One in the hour that clocks skip in spring is read with the offset before it,
    one in the hour that they repeat in autumn as its second pass, which :func:`settle_doubled_hours` looks at again.
    """
    if time.format == ISO:
        zoneless = f"coalesce(NOT regexp_matches({text}, '{_ZONE_PATTERN}'), false)"
        return f"TRY_CAST({text} AS TIMESTAMPTZ)", zoneless
    if time.format in EPOCHS:
        return f"make_timestamptz({_microseconds(text, time)})", "false"
    parsed = f"try_strptime({text}, {text_literal(time.format)})"
    if "%z" in time.format.lower():
        return f"({parsed})::TIMESTAMPTZ", "false"
    return f"{parsed} AT TIME ZONE {text_literal(zone)}", f"{text} IS NOT NULL"


def _microseconds(number: str, time: TimeFormat) -> str:
    if time.format == "epoch_ns":
        return f"TRY_CAST({number} AS BIGINT) // 1000"
    since = int(parse_moment(time.start, "start").timestamp()) * 1_000_000 if time.start else 0
    # Decimals, because a double has no exact microseconds.
    counted = f"TRY_CAST(TRY_CAST({number} AS DECIMAL(30, 6)) * {EPOCHS[time.format]} AS BIGINT)"
    return f"{counted} + {since}" if since else counted


def passes_sql(rows: str, keys: str, text: str, time: TimeFormat, zone: str) -> str:
    """SELECT of ``rows`` with ``__second``: whether a time is of the second pass of the hour that clocks repeat.

    Two values of one sensor at such a time are then two readings. Which pass of the hour a reading is of is settled
    once readings are put together, by :func:`settle_doubled_hours`.

    Args:
        rows: SQL with ``__row_number``, called ``src``.
        keys: SQL of what has times of its own, a sensor of a device.
        text: SQL of the time.
        time: how it is written.
        zone: the zone that times without one are in.
    """
    moment, zoneless = moment_sql(text, time, zone)
    named = text_literal(zone)
    doubled = f"{zoneless} AND ({moment} - INTERVAL 1 HOUR) AT TIME ZONE {named} = {moment} AT TIME ZONE {named}"
    order = f"PARTITION BY {keys}, date_trunc('day', src.__moment) ORDER BY src.__row_number"
    before = f"{order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    # Only the few rows of that hour are put in order.
    return f"""
WITH timed AS MATERIALIZED (
  SELECT src.*, {moment} AS __moment, coalesce({doubled}, false) AS __doubled FROM ({rows}) AS src
)
SELECT *, false AS __second FROM timed WHERE NOT __doubled
UNION ALL
SELECT * EXCLUDE (__back), bool_or(__back) OVER ({order}) AS __second FROM (
  SELECT src.*, coalesce(max(src.__moment) OVER ({before}) >= src.__moment, false) AS __back
  FROM timed AS src WHERE __doubled
) AS src"""


def settle_doubled_hours(connection: duckdb.DuckDBPyConnection, zone: str, first_row: int) -> None:
    """Give the hour that clocks repeat in autumn its two passes, by the order of the rows of a device in its file.

    The times of a device in that hour belong to the first pass until one of them is not later than one before it: from
    there on they belong to the second.

    Args:
        connection: an engine holding ``staged``, whose zoneless times in that hour are all of the second pass.
        zone: the zone that they are in.
        first_row: rowid of the first row that has to be looked at.
    """
    span = connection.execute(
        "SELECT min(timestamp_utc), max(timestamp_utc) FROM staged "
        "WHERE zoneless AND isfinite(timestamp_utc) AND rowid >= $first",
        {"first": first_row},
    ).fetchall()[0]
    if span[0] is None:
        return
    for start in doubled_hours(zone, span[0].astimezone(UTC), span[1].astimezone(UTC)):
        connection.execute(_FIRST_PASS_SQL, {"first": first_row, "start": start})


_FIRST_PASS_SQL = """
UPDATE staged SET timestamp_utc = timestamp_utc - INTERVAL 1 HOUR,
  timestamp_ingested = CASE WHEN timestamp_ingested = timestamp_utc THEN timestamp_utc - INTERVAL 1 HOUR
    ELSE timestamp_ingested END
WHERE rowid IN (
  WITH doubled AS (
    SELECT rowid AS row_id, source_file, device_id, row_number,
      coalesce(max(timestamp_utc) OVER before >= timestamp_utc, false) AS is_back
    FROM staged
    WHERE zoneless AND rowid >= $first AND timestamp_utc >= $start AND timestamp_utc < $start + INTERVAL 1 HOUR
    WINDOW before AS (
      PARTITION BY source_file, device_id ORDER BY row_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
  ),
  passes AS (
    SELECT row_id, bool_or(is_back) OVER (
      PARTITION BY source_file, device_id ORDER BY row_number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS is_second
    FROM doubled
  )
  SELECT row_id FROM passes WHERE NOT is_second
)
"""


def doubled_hours(zone: str, first: datetime, last: datetime) -> list[datetime]:
    """Starts in UTC of the second passes of the doubled hours of ``zone`` between two moments."""
    clock = ZoneInfo(zone)
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    while day <= last:
        if _offset(day, clock) > _offset(day + _DAY, clock):
            hours = [day + hour * _HOUR for hour in range(25)]
            found += [hour for hour in hours if _offset(hour - _HOUR, clock) == _offset(hour, clock) + _HOUR]
        day += _DAY
    return found


def _offset(moment: datetime, clock: ZoneInfo) -> timedelta:
    return moment.astimezone(clock).utcoffset() or timedelta(0)

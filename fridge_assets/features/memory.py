"""What a window takes from the device's windows before it, and which later windows a change of it makes due again.

A window's operation depends on its own readings and on MEMORY of the device's window before. So whoever changes a
window whose memory comes out differently makes the device's later windows due, until nothing changes any more: what is
stored then depends on the readings alone, however they were cut into runs.
"""

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from fridge_assets.features.due import Batch
from fridge_assets.features.operating import MEMORY, MEMORY_DAYS
from fridge_assets.stores.frames import query_arrow, registered

_COLUMNS = ("window_start", "window_end", *MEMORY)
_NEAR = timedelta(hours=1)
_DAY = timedelta(days=1)


def earlier_windows(connection: duckdb.DuckDBPyConnection, computed: pa.Table, batch: Batch) -> pa.Table:
    """``device_id``, ``window_start``, ``window_end`` and MEMORY of the stored windows that come before computed ones.

    Args:
        connection: an open warehouse connection.
        computed: ``device_id`` and ``window_start`` of the windows that are computed.
        batch: all that are computed.
    """
    first, last = batch.first, batch.last
    beginning = _day_of(first) - (MEMORY_DAYS - 1) * _DAY
    near = max(first - _NEAR, beginning)
    replaced = (
        "list_contains($windows, window_start)" if batch.whole else "(device_id, window_start) IN (FROM computed_keys)"
    )
    keys = computed.select(["device_id", "window_start"])
    with registered(connection, computed_keys=keys):
        between = query_arrow(
            connection,
            f"SELECT device_id, {', '.join(_COLUMNS)} FROM device_features "
            f"SEMI JOIN computed_keys USING (device_id) WHERE window_start > $first AND window_start < $last "
            f"AND NOT {replaced}",
            {"first": first, "last": last} | ({"windows": list(batch.windows)} if batch.whole else {}),
        )
        recent = _newest(connection, "computed_keys", near, first)
        # Nearly all devices have a window in the last hour: only for the others is a day looked through.
        with registered(connection, recent=recent):
            silent = query_arrow(
                connection, "SELECT DISTINCT device_id FROM computed_keys ANTI JOIN recent USING (device_id)"
            )
        if not silent.num_rows or near == beginning:
            return pa.concat_tables([between, recent])
        with registered(connection, silent_devices=silent):
            return pa.concat_tables([between, recent, _newest(connection, "silent_devices", beginning, near)])


def make_later_due(
    connection: duckdb.DuckDBPyConnection, replaced: str, computed: str, batch: Batch, now: datetime
) -> int:
    """Make the windows due that depend on what changed, inside the transaction that changes it.

    Args:
        connection: of the transaction; ``computed`` is stored already.
        replaced: table with the rows as they were: the key and MEMORY.
        computed: relation with the rows as they are, of the same shape at least.
        batch: the windows that they are of.
        now: from when on they are due.

    Returns:
        How many became due.
    """
    later = "FROM device_features WHERE window_start > $first AND NOT list_contains($windows, window_start) LIMIT 1"
    if batch.whole and not connection.execute(later, {"first": batch.first, "windows": list(batch.windows)}).fetchall():
        return 0  # as in every hour: nothing comes after what is new
    row = ", ".join(("device_id", "window_start", *MEMORY))
    inserted = connection.execute(
        f"""
INSERT INTO due_windows
WITH changed AS (
  SELECT device_id, window_start AS since FROM (
    SELECT {row} FROM {computed}
    EXCEPT SELECT {row} FROM {replaced}
  )
),
later AS (
  FROM device_features SEMI JOIN changed USING (device_id) WHERE window_start > $first AND window_start < $until
)
SELECT f.window_start, f.device_id, $now
-- The change nearest before a window, as earlier ones may be too long ago to have to do with it.
FROM later AS f ASOF JOIN changed ON f.device_id = changed.device_id AND f.window_start > since
WHERE f.window_start < date_trunc('day', since) + INTERVAL {MEMORY_DAYS} DAY
  -- A window without readings cannot be computed any more.
  AND date_trunc('hour', f.window_start) IN (SELECT hour FROM clean_reading_files)
  AND (f.device_id, f.window_start) NOT IN (SELECT device_id, window_start FROM {computed})
""",
        {"now": now, "first": batch.first, "until": _day_of(batch.last) + MEMORY_DAYS * _DAY},
    ).fetchall()
    return int(inserted[0][0])


def _day_of(moment: datetime) -> datetime:
    """Beginning of the UTC day of ``moment``."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _newest(connection: duckdb.DuckDBPyConnection, devices: str, since: datetime, until: datetime) -> pa.Table:
    packed = ", ".join(f"{name} := {name}" for name in _COLUMNS)
    return query_arrow(
        connection,
        f"SELECT device_id, {', '.join(f'newest.{name} AS {name}' for name in _COLUMNS)} FROM ("
        f"SELECT device_id, arg_max(struct_pack({packed}), window_start) AS newest FROM device_features "
        f"SEMI JOIN {devices} USING (device_id) WHERE window_start >= $since AND window_start < $until "
        "GROUP BY device_id)",
        {"since": since, "until": until},
    )

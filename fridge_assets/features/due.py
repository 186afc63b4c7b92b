"""Which windows are due, and how many of them are computed together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from fridge_assets.settings import FeatureSettings
from fridge_assets.stores.frames import query_arrow


@dataclass(frozen=True)
class Batch:
    """Windows to compute together.

    Args:
        windows: their starts, in order, at least one.
        whole: for every device, not only for those of which something arrived late.
    """

    windows: tuple[datetime, ...]
    whole: bool

    @property
    def first(self) -> datetime:
        """Start of the oldest window."""
        return self.windows[0]

    @property
    def last(self) -> datetime:
        """Start of the newest window."""
        return self.windows[-1]


def due_batches(connection: duckdb.DuckDBPyConnection, now: datetime, settings: FeatureSettings) -> list[Batch]:
    """What is due at ``now``, from the oldest on, as windows depend on those before them.

    Args:
        connection: an open warehouse connection.
        now: what becomes due later does not count.
        settings: window length and batch size.
    """
    # A late device is computed in its later windows of a batch too: these count from its first one on.
    due = connection.execute(
        "WITH due AS (SELECT window_start, device_id FROM due_windows WHERE due_at <= $now), "
        "firsts AS (SELECT device_id, min(window_start) AS window_start FROM due "
        "WHERE device_id IS NOT NULL GROUP BY device_id) "
        "SELECT window_start, bool_or(due.device_id IS NULL), "
        "sum(count(DISTINCT firsts.device_id)) OVER (ORDER BY window_start)::BIGINT "
        "FROM due LEFT JOIN firsts USING (window_start, device_id) GROUP BY window_start ORDER BY window_start",
        {"now": now},
    ).fetchall()
    if not due:
        return []
    readings = _readings_of(connection, [start for start, _, _ in due], settings.window)
    devices = connection.execute("SELECT count(*) FROM device_last_seen").fetchall()[0][0]
    # A window computed whole already includes its late readings.
    whole = {start: readings[start] for start, is_whole, _ in due if is_whole}
    late = {start: readings[start] * few // max(1, devices) for start, is_whole, few in due if not is_whole}
    batches = [
        *(Batch(windows, whole=False) for windows in _cut(late, settings.readings_per_batch)),
        *(Batch(windows, whole=True) for windows in _cut(whole, settings.readings_per_batch)),
    ]
    return sorted(batches, key=lambda batch: batch.first)


def due_devices(connection: duckdb.DuckDBPyConnection, batch: Batch, now: datetime) -> pa.Table:
    """``window_start`` and ``device_id`` of what is computed of ``batch``, which is not whole.

    Beside the windows for which something arrived late these are the device's later windows of the batch: most of them
    would become due by it, and their readings would be read once more.
    """
    return query_arrow(
        connection,
        "WITH late AS (SELECT window_start, device_id FROM due_windows "
        "WHERE due_at <= $now AND device_id IS NOT NULL AND list_contains($windows, window_start)), "
        "oldest AS (SELECT device_id, min(window_start) AS since FROM late GROUP BY device_id) "
        "FROM late UNION SELECT window_start, device_id FROM device_features JOIN oldest USING (device_id) "
        "WHERE window_start > since AND window_start BETWEEN $first AND $last "
        "AND list_contains($windows, window_start)",
        {"now": now, "windows": list(batch.windows), "first": batch.first, "last": batch.last},
    )


def no_longer_due(connection: duckdb.DuckDBPyConnection, batch: Batch, now: datetime) -> None:
    """Strike out what was due of ``batch`` at ``now``, inside the open transaction."""
    connection.execute(
        "DELETE FROM due_windows WHERE due_at <= $now AND list_contains($windows, window_start) "
        f"AND {'true' if batch.whole else 'device_id IS NOT NULL'}",
        {"now": now, "windows": list(batch.windows)},
    )


def _readings_of(
    connection: duckdb.DuckDBPyConnection, windows: Sequence[datetime], window: timedelta
) -> dict[datetime, int]:
    """How many readings each of ``windows`` holds, about: its share of those of its hour."""
    counted = connection.execute("SELECT hour, sum(rows)::BIGINT FROM clean_reading_files GROUP BY hour").fetchall()
    of_hours = dict(counted)
    windows_per_hour = max(1, int(timedelta(hours=1) / window))
    return {start: of_hours.get(start.replace(minute=0), 0) // windows_per_hour for start in windows}


def _cut(readings: Mapping[datetime, int], most: int) -> Iterator[tuple[datetime, ...]]:
    """The windows of ``readings`` cut where their readings together exceed ``most``."""
    windows: list[datetime] = []
    size = 0
    for start, count in readings.items():
        if windows and size + count > most:
            yield tuple(windows)
            windows, size = [], 0
        windows.append(start)
        size += count
    if windows:
        yield tuple(windows)

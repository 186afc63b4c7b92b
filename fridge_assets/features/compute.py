"""Due windows into ``device_features``: the newest, every one missed in an outage, and those with late readings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.validation import enforce
from fridge_assets.features.memory import earlier_windows, make_later_due
from fridge_assets.features.operating import MEMORY, operating_sql
from fridge_assets.features.windows import readings_sql, windows_sql
from fridge_assets.settings import FeatureSettings
from fridge_assets.stores.frames import query_arrow, registered, text_literal
from fridge_assets.stores.reading_files import clean_files, ingested_files
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class FeatureReport:
    """What one computation of features did."""

    windows: int
    rows: int
    late_rows: int
    newest_window_end: datetime | None


@dataclass(frozen=True)
class _Due:
    """Windows to compute together: whole windows, and single devices of windows."""

    windows: tuple[datetime, ...]
    whole: bool


@dataclass(frozen=True)
class _Computed:
    """Rows that were computed, and later windows of the same devices that became due by what changed."""

    rows: int
    made_due: int


def compute_features(warehouse: Warehouse, now: datetime, settings: FeatureSettings) -> FeatureReport:
    """Compute every window that is due at ``now`` and replace its rows.

    Args:
        warehouse: holds clean readings and gets the features.
        now: windows that close later, and readings that arrive later, do not exist yet.
        settings: window length and batch size.

    Returns:
        Counts; all zero when nothing was due.

    Raises:
        ContractViolation: computed rows break their contract; the windows of that batch keep their rows.
    """
    whole_windows, late_windows = _due(warehouse, now)
    readings = _readings_of(warehouse, whole_windows, settings.window)
    fresh = [
        _compute(warehouse, _Due(chunk, whole=True), now, settings)
        for chunk in _chunks(whole_windows, readings, settings.readings_per_batch)
    ]
    rows, late_rows = sum(part.rows for part in fresh), 0
    if any(part.made_due for part in fresh):
        late_windows = _due(warehouse, now)[1]
    while late_windows:
        readings = _readings_of_late(warehouse, late_windows, now, settings.window)
        late = [
            _compute(warehouse, _Due(chunk, whole=False), now, settings)
            for chunk in _chunks(late_windows, readings, settings.readings_per_batch)
        ]
        late_rows += sum(part.rows for part in late)
        # What they made due is later than they are, so that this ends.
        late_windows = _due(warehouse, now)[1] if any(part.made_due for part in late) else []
    newest = max(whole_windows) + settings.window if whole_windows else None
    return FeatureReport(len(whole_windows), rows, late_rows, newest)


def newest_window_end(connection: duckdb.DuckDBPyConnection, now: datetime) -> datetime | None:
    """End of the newest window with features at ``now``, None when there is none."""
    row = connection.execute("SELECT max(window_end) FROM device_features WHERE window_end <= ?", [now]).fetchall()
    newest = row[0][0]
    return None if newest is None else newest.astimezone(UTC)


def _due(warehouse: Warehouse, now: datetime) -> tuple[list[datetime], list[datetime]]:
    with warehouse.read() as connection:
        whole = connection.execute(
            "SELECT DISTINCT window_start FROM due_windows WHERE due_at <= $now AND device_id IS NULL ORDER BY 1",
            {"now": now},
        ).fetchall()
        late = connection.execute(
            "SELECT DISTINCT window_start FROM due_windows WHERE due_at <= $now AND device_id IS NOT NULL ORDER BY 1",
            {"now": now},
        ).fetchall()
    whole_windows = [row[0] for row in whole]
    # A window computed whole already includes its late readings.
    return whole_windows, [row[0] for row in late if row[0] not in set(whole_windows)]


def _readings_of(warehouse: Warehouse, windows: Sequence[datetime], window: timedelta) -> dict[datetime, int]:
    """How many readings each of ``windows`` holds, about: its share of those of its hour."""
    with warehouse.read() as connection:
        counted = connection.execute("SELECT hour, sum(rows)::BIGINT FROM clean_reading_files GROUP BY hour").fetchall()
    of_hours = dict(counted)
    windows_per_hour = max(1, int(timedelta(hours=1) / window))
    return {start: of_hours.get(start.replace(minute=0), 0) // windows_per_hour for start in windows}


def _readings_of_late(
    warehouse: Warehouse, windows: Sequence[datetime], now: datetime, window: timedelta
) -> dict[datetime, int]:
    """How many readings the devices have, about, of which something arrived late for ``windows``."""
    with warehouse.read() as connection:
        late = connection.execute(
            "SELECT window_start, count(DISTINCT device_id) FROM due_windows "
            "WHERE due_at <= $now AND device_id IS NOT NULL GROUP BY window_start",
            {"now": now},
        ).fetchall()
        devices = connection.execute("SELECT count(*) FROM device_last_seen").fetchall()[0][0]
    late_devices = dict(late)
    readings = _readings_of(warehouse, windows, window)
    return {start: readings[start] * late_devices[start] // max(1, devices) for start in windows}


def _chunks(windows: Sequence[datetime], readings: Mapping[datetime, int], most: int) -> Iterator[tuple[datetime, ...]]:
    """``windows`` cut where their readings together exceed ``most``."""
    chunk: list[datetime] = []
    size = 0
    for start in windows:
        if chunk and size + readings[start] > most:
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(start)
        size += readings[start]
    if chunk:
        yield tuple(chunk)


def _compute(warehouse: Warehouse, due: _Due, now: datetime, settings: FeatureSettings) -> _Computed:
    window = settings.window
    with warehouse.read() as connection:
        ingested = ingested_files(connection)
        folder = warehouse.clean_readings_folder()
        files = sorted({path for start in due.windows for path in clean_files(connection, folder, start, start)})
        repeated = query_arrow(
            connection,
            "SELECT DISTINCT event_id, device_id, timestamp_utc FROM repeated_events "
            "WHERE timestamp_utc BETWEEN $first AND $last",
            {"first": min(due.windows), "last": max(due.windows) + window},
        )
        devices = query_arrow(
            connection,
            "SELECT DISTINCT window_start, device_id FROM due_windows "
            "WHERE due_at <= $now AND device_id IS NOT NULL AND list_contains($windows, window_start)",
            {"now": now, "windows": list(due.windows)},
        )
        first_seen = query_arrow(connection, "FROM device_first_seen")
    given = {"repeated_events": repeated, "due_devices": devices, "device_first_seen": first_seen}
    features = _features(warehouse, [str(path) for path in files], due, given, now, settings)
    enforce(DEVICE_FEATURES, features.to_pandas())
    return _Computed(features.num_rows, _replace(warehouse, features, due, now, ingested))


def _features(
    warehouse: Warehouse,
    files: list[str],
    due: _Due,
    given: Mapping[str, pa.Table],
    now: datetime,
    settings: FeatureSettings,
) -> pa.Table:
    window = settings.window
    seconds = int(window.total_seconds())
    start = f"to_timestamp(epoch_us(r.timestamp_utc) // ({seconds} * 1000000) * {seconds})"
    chosen = (
        f"list_contains($windows, {start})"
        if due.whole
        else f"(r.device_id, {start}) IN (SELECT device_id, window_start FROM due_devices)"
    )
    where = f"{chosen} AND r.timestamp_ingested <= $now AND r.timestamp_utc >= $first AND r.timestamp_utc < $last"
    parameters: dict[str, object] = {"now": now, "first": min(due.windows), "last": max(due.windows) + window}
    if due.whole:
        parameters["windows"] = list(due.windows)
    with warehouse.engine() as engine, registered(engine, **given):
        chosen_files = f"[{', '.join(map(text_literal, files))}]"
        base = query_arrow(engine, windows_sql(readings_sql(chosen_files, where), seconds), parameters)
        with warehouse.read() as connection:
            earlier = earlier_windows(connection, base, due.windows, whole=due.whole)
        readings = f"(SELECT r.* FROM read_parquet({chosen_files}, hive_partitioning = false) AS r WHERE {where})"
        with registered(engine, base=base, earlier=earlier):
            return query_arrow(engine, operating_sql(readings, seconds, settings.operating), parameters)


def _replace(warehouse: Warehouse, features: pa.Table, due: _Due, now: datetime, ingested: int) -> int:
    """Put ``features`` in place of what is stored; returns how many later windows became due by it."""
    windows = list(due.windows)
    with warehouse.transaction() as connection, registered(connection, new_features=features):
        gone, parameters = (
            ("list_contains($windows, window_start)", {"windows": windows})
            if due.whole
            else ("(device_id, window_start) IN (SELECT device_id, window_start FROM new_features)", {})
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE replaced AS SELECT device_id, window_start, {', '.join(MEMORY)} "
            f"FROM device_features WHERE {gone}",
            parameters,
        )
        connection.execute(f"DELETE FROM device_features WHERE {gone}", parameters)
        connection.execute("INSERT INTO device_features BY NAME FROM new_features")
        # Readings that were ingested meanwhile are not in these features: their windows stay due.
        if ingested_files(connection) == ingested:
            connection.execute(
                "DELETE FROM due_windows WHERE due_at <= $now AND list_contains($windows, window_start) "
                f"AND {'true' if due.whole else 'device_id IS NOT NULL'}",
                {"now": now, "windows": windows},
            )
        later = "FROM device_features WHERE window_start > $first AND NOT list_contains($windows, window_start) LIMIT 1"
        if due.whole and not connection.execute(later, {"first": min(windows), "windows": windows}).fetchall():
            return 0  # as in every hour: nothing comes after what is new
        return make_later_due(connection, "replaced", "new_features", min(windows), now)

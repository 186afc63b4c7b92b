"""Due windows into ``device_features``: the newest, every one missed in an outage, and those with late readings."""

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.validation import enforce
from fridge_assets.features.due import Batch, due_batches, due_devices, no_longer_due
from fridge_assets.features.levels import judged_sql
from fridge_assets.features.memory import earlier_windows, make_later_due
from fridge_assets.features.operating import MEMORY, operating_sql
from fridge_assets.features.readings import DUE_READINGS, files_of, marked_readings_sql, provide_readings
from fridge_assets.features.windows import windows_sql
from fridge_assets.settings import FeatureSettings
from fridge_assets.stores.frames import query_arrow, registered
from fridge_assets.stores.reading_files import ingested_files
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class FeatureReport:
    """What one computation of features did."""

    windows: int
    rows: int
    late_rows: int
    newest_window_end: datetime | None


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
    windows: list[datetime] = []
    rows = late_rows = 0
    batches = _due_batches(warehouse, now, settings)
    while batches:
        made_due = 0
        for batch in batches:
            computed = _compute(warehouse, batch, now, settings)
            made_due += computed.made_due
            if batch.whole:
                windows.extend(batch.windows)
                rows += computed.rows
            else:
                late_rows += computed.rows
        # What became due is of single devices, and later than what it depends on, so that this ends.
        batches = [batch for batch in _due_batches(warehouse, now, settings) if not batch.whole] if made_due else []
    newest = max(windows) + settings.window if windows else None
    return FeatureReport(len(windows), rows, late_rows, newest)


def newest_window_end(connection: duckdb.DuckDBPyConnection, now: datetime) -> datetime | None:
    """End of the newest window with features at ``now``, None when there is none."""
    row = connection.execute("SELECT max(window_end) FROM device_features WHERE window_end <= ?", [now]).fetchall()
    newest = row[0][0]
    return None if newest is None else newest.astimezone(UTC)


def _due_batches(warehouse: Warehouse, now: datetime, settings: FeatureSettings) -> list[Batch]:
    with warehouse.read() as connection:
        return due_batches(connection, now, settings)


def _compute(warehouse: Warehouse, batch: Batch, now: datetime, settings: FeatureSettings) -> _Computed:
    with warehouse.read() as connection:
        ingested = ingested_files(connection)
        files = files_of(connection, warehouse.clean_readings_folder(), batch, settings.window)
        devices = None if batch.whole else due_devices(connection, batch, now)
        repeated = query_arrow(
            connection,
            "SELECT DISTINCT event_id, device_id, timestamp_utc FROM repeated_events "
            "WHERE timestamp_utc BETWEEN $first AND $last",
            {"first": batch.first, "last": batch.last + settings.window},
        )
        first_seen = query_arrow(connection, "FROM device_first_seen")
    with warehouse.engine() as engine, registered(engine, repeated_events=repeated, device_first_seen=first_seen):
        provide_readings(engine, files, devices, now, settings.window)
        features = _features(engine, warehouse, batch, settings)
    enforce(DEVICE_FEATURES, features.to_pandas())
    return _Computed(features.num_rows, _replace(warehouse, features, batch, now, ingested))


def _features(
    engine: duckdb.DuckDBPyConnection, warehouse: Warehouse, batch: Batch, settings: FeatureSettings
) -> pa.Table:
    seconds = int(settings.window.total_seconds())
    # Tables, as the engine knows nothing about a registered one: how many rows it has, or which values.
    engine.execute(f"CREATE TABLE base AS {windows_sql(marked_readings_sql(), seconds)}")
    computed = query_arrow(engine, "SELECT device_id, window_start FROM base")
    with warehouse.read() as connection:
        earlier = earlier_windows(connection, computed, batch)
    with registered(engine, found=earlier):
        engine.execute("CREATE TABLE earlier AS FROM found")
    engine.execute(f"CREATE TABLE judged AS {judged_sql(settings.operating)}")
    return query_arrow(engine, operating_sql(DUE_READINGS, seconds, settings.operating))


def _replace(warehouse: Warehouse, features: pa.Table, batch: Batch, now: datetime, ingested: int) -> int:
    """Put ``features`` in place of what is stored; returns how many later windows became due by it."""
    # The span is what lets the engine skip nearly all that is stored.
    replaced = "FROM device_features WHERE window_start BETWEEN $first AND $last AND " + (
        "list_contains($windows, window_start)"
        if batch.whole
        else "(device_id, window_start) IN (SELECT device_id, window_start FROM new_features)"
    )
    parameters: dict[str, object] = {"first": batch.first, "last": batch.last}
    if batch.whole:
        parameters["windows"] = list(batch.windows)
    with warehouse.transaction() as connection, registered(connection, new_features=features):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE replaced AS SELECT device_id, window_start, {', '.join(MEMORY)} {replaced}",
            parameters,
        )
        connection.execute(f"DELETE {replaced}", parameters)
        connection.execute("INSERT INTO device_features BY NAME FROM new_features")
        # Readings that were ingested meanwhile are not in these features: their windows stay due.
        if ingested_files(connection) == ingested:
            no_longer_due(connection, batch, now)
        return make_later_due(connection, "replaced", "new_features", batch, now)

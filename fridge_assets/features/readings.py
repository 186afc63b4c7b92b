"""The clean readings of due windows, in the engine that computes them.

A file of readings holds an hour of all devices, sorted by the minute for the most part. So what is read of it is chosen
by time first, which skips most of a file; the late windows of a few devices are read hour by hour and kept, since they
are looked at twice.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from fridge_assets.contracts import CLEAN_SENSOR_READINGS
from fridge_assets.features.due import Batch
from fridge_assets.features.slots import start_sql
from fridge_assets.stores.event_identity import event_id_sql
from fridge_assets.stores.frames import registered, text_literal
from fridge_assets.stores.reading_files import clean_files_of

_HOUR = timedelta(hours=1)

DUE_READINGS = "due_readings"
"""The relation with the columns of CLEAN_SENSOR_READINGS that :func:`provide_readings` makes."""


def files_of(
    connection: duckdb.DuckDBPyConnection, folder: Path, batch: Batch, window: timedelta
) -> dict[datetime, list[Path]]:
    """Files that may hold readings of each window of ``batch``."""
    hours = {start: _hours_of(start, window) for start in batch.windows}
    files = clean_files_of(connection, folder, {hour for within in hours.values() for hour in within})
    return {start: [path for hour in within for path in files.get(hour, ())] for start, within in hours.items()}


def provide_readings(
    engine: duckdb.DuckDBPyConnection,
    files: Mapping[datetime, Sequence[Path]],
    devices: pa.Table | None,
    now: datetime,
    window: timedelta,
) -> None:
    """Make DUE_READINGS in ``engine``: what had arrived by ``now`` of each window of ``files``.

    Args:
        engine: gets the relation.
        files: of each window, those that may hold its readings.
        devices: ``window_start`` and ``device_id`` to read; None for every device.
        now: readings that arrive later do not exist yet.
        window: length of a window.
    """
    if devices is None:
        _show_all(engine, files, now, window)
    else:
        _take_late(engine, files, devices, now, window)


def marked_readings_sql() -> str:
    """SQL of DUE_READINGS with ``repeated``, beside a table ``repeated_events`` of the same engine."""
    # The identity is worked out for the few readings that may be a repeated event, not for millions.
    return f"""(
  SELECT *, coalesce(identity IN (SELECT event_id FROM repeated_events), false) AS repeated
  FROM (
    SELECT *, CASE WHEN event_id IS NOT NULL
        OR (device_id, timestamp_utc) IN (SELECT (device_id, timestamp_utc) FROM repeated_events)
      THEN {event_id_sql()} END AS identity
    FROM {DUE_READINGS}
  )
)"""


def _hours_of(start: datetime, window: timedelta) -> list[datetime]:
    """The hours that a window has a part of."""
    first = start.replace(minute=0, second=0, microsecond=0)
    return [first + n * _HOUR for n in range(-((first - start - window) // _HOUR))]


def _show_all(
    engine: duckdb.DuckDBPyConnection, files: Mapping[datetime, Sequence[Path]], now: datetime, window: timedelta
) -> None:
    every = list(dict.fromkeys(path for paths in files.values() for path in paths))
    engine.execute(f"CREATE TEMP VIEW {DUE_READINGS} AS {_readings_sql(every, sorted(files), now, window)}")


def _take_late(
    engine: duckdb.DuckDBPyConnection,
    files: Mapping[datetime, Sequence[Path]],
    devices: pa.Table,
    now: datetime,
    window: timedelta,
) -> None:
    windows_of: dict[tuple[Path, ...], list[datetime]] = defaultdict(list)
    for start, paths in files.items():
        windows_of[tuple(paths)].append(start)
    start_of = start_sql("timestamp_utc", int(window.total_seconds()))
    with registered(engine, none=CLEAN_SENSOR_READINGS.arrow_schema.empty_table(), late=devices):
        engine.execute(f"CREATE TEMP TABLE {DUE_READINGS} AS FROM none")
        for paths, windows in windows_of.items():
            if not paths:
                continue
            # A table, as the engine looks for the few in what is read only where it knows how few they are.
            engine.execute(
                "CREATE OR REPLACE TEMP TABLE late_here AS SELECT device_id, window_start FROM late "
                "WHERE list_contains($windows, window_start)",
                {"windows": windows},
            )
            engine.execute(
                f"INSERT INTO {DUE_READINGS} {_readings_sql(paths, windows, now, window)} "
                f"AND (device_id, {start_of}) IN (FROM late_here)"
            )


def _readings_sql(files: Sequence[Path], windows: Sequence[datetime], now: datetime, window: timedelta) -> str:
    names = ", ".join(text_literal(str(path)) for path in files)
    spans = " OR ".join(
        f"(timestamp_utc >= {_moment_sql(first)} AND timestamp_utc < {_moment_sql(last + window)})"
        for first, last in _spans(windows, window)
    )
    return (
        f"SELECT {', '.join(CLEAN_SENSOR_READINGS.column_names)} FROM read_parquet([{names}], "
        f"hive_partitioning = false) WHERE timestamp_ingested <= {_moment_sql(now)} AND ({spans})"
    )


def _spans(windows: Sequence[datetime], window: timedelta) -> list[tuple[datetime, datetime]]:
    """First and last of each unbroken run of ``windows``."""
    spans: list[tuple[datetime, datetime]] = []
    for start in windows:
        if spans and spans[-1][1] + window == start:
            spans[-1] = (spans[-1][0], start)
        else:
            spans.append((start, start))
    return spans


def _moment_sql(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.isoformat()}'"

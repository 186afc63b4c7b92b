"""Clean readings as hive-partitioned Parquet files; the warehouse's manifest decides which of them count."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from fridge_assets.contracts import CLEAN_SENSOR_READINGS


class CleanFile(NamedTuple):
    """One Parquet file of clean readings of one hour: a row of the manifest."""

    path: str
    hour: datetime
    batch_id: str
    rows: int


def clean_files(
    connection: duckdb.DuckDBPyConnection, folder: Path, since: datetime, until: datetime
) -> list[Path]:
    """Committed files holding readings of the hours between ``since`` and ``until``, in a fixed order.

    Args:
        connection: an open warehouse connection.
        folder: the warehouse's folder of clean readings.
        since: first moment, inclusive.
        until: last moment, inclusive.
    """
    rows = connection.execute(
        "SELECT path FROM clean_reading_files "
        "WHERE hour BETWEEN date_trunc('hour', $since::TIMESTAMPTZ) AND $until ORDER BY hour, path",
        {"since": since, "until": until},
    ).fetchall()
    return [folder / row[0] for row in rows]


def write_clean_files(engine: duckdb.DuckDBPyConnection, folder: Path, batch_id: str) -> list[CleanFile]:
    """Write the engine's ``cleaned`` into ``folder`` as ``date=…/hour=…/<batch>-<n>.parquet``.

    Nothing counts before :func:`commit_clean_files`; a batch written again replaces its own files.

    Args:
        engine: holds ``cleaned``: contract columns and ``hour_start``.
        folder: the warehouse's folder of clean readings.
        batch_id: names the files.

    Returns:
        What was written.
    """
    columns = ", ".join(CLEAN_SENSOR_READINGS.column_names)
    written = engine.execute(
        f"COPY (SELECT {columns}, strftime(hour_start, '%Y-%m-%d') AS date, strftime(hour_start, '%H') AS hour "
        f"FROM cleaned) TO '{folder}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date, hour), "
        f"FILENAME_PATTERN '{batch_id}-{{i}}', OVERWRITE_OR_IGNORE, RETURN_STATS)"
    ).fetchall()
    files = []
    for path, rows, _, _, _, keys, _ in written:
        hour = datetime.fromisoformat(f"{keys['date']}T{keys['hour']}:00:00+00:00")
        files.append(CleanFile(str(Path(path).relative_to(folder)), hour, batch_id, rows))
    return files


def commit_clean_files(warehouse: duckdb.DuckDBPyConnection, files: Sequence[CleanFile]) -> None:
    """Add ``files`` to the manifest, inside the open transaction."""
    if files:
        warehouse.executemany(
            "INSERT INTO clean_reading_files VALUES (?, ?, ?, ?)", [tuple(file) for file in files]
        )

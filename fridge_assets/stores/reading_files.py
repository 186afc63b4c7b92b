"""Clean readings as hive-partitioned Parquet files; the warehouse's manifest decides which of them count."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from fridge_assets.contracts import CLEAN_SENSOR_READINGS
from fridge_assets.stores.event_identity import event_id_sql
from fridge_assets.stores.files import writable_folder
from fridge_assets.stores.frames import text_literal

FORGOTTEN = "forgotten"
"""In place of a batch's id: the row of ``ingest_batches`` that counts the files that retention removed from it."""


class CleanFile(NamedTuple):
    """One Parquet file of clean readings of one hour: a row of the manifest."""

    path: str
    hour: datetime
    batch_id: str
    rows: int


def clean_files(connection: duckdb.DuckDBPyConnection, folder: Path, since: datetime, until: datetime) -> list[Path]:
    """Committed files holding readings of the hours between ``since`` and ``until``, in a fixed order, largest first.

    An engine that reads several takes all to be as long as the first; where that is one of late readings, it plans its
    joins as if there were next to none.

    Args:
        connection: an open warehouse connection.
        folder: the warehouse's folder of clean readings.
        since: first moment, inclusive.
        until: last moment, inclusive.
    """
    rows = connection.execute(
        "SELECT path FROM clean_reading_files "
        "WHERE hour BETWEEN date_trunc('hour', $since::TIMESTAMPTZ) AND $until ORDER BY rows DESC, hour, path",
        {"since": since, "until": until},
    ).fetchall()
    return [folder / row[0] for row in rows]


def clean_files_of(
    connection: duckdb.DuckDBPyConnection, folder: Path, hours: Collection[datetime]
) -> dict[datetime, list[Path]]:
    """Hour → its files in the order of :func:`clean_files`, for those of ``hours`` that have any, oldest first."""
    rows = connection.execute(
        "SELECT hour, list(path ORDER BY rows DESC, path) FROM clean_reading_files "
        "WHERE list_contains($hours::TIMESTAMPTZ[], hour) GROUP BY hour ORDER BY hour",
        {"hours": list(hours)},
    ).fetchall()
    return {hour: [folder / path for path in paths] for hour, paths in rows}


def clean_readings_sql(files: Sequence[Path]) -> str:
    """SQL of the relation of CLEAN_SENSOR_READINGS in ``files``, every reading with its ``event_id``."""
    names = ", ".join(text_literal(str(path)) for path in files)
    return f"(SELECT * REPLACE ({event_id_sql()} AS event_id) FROM read_parquet([{names}], hive_partitioning = false))"


def ingested_files(connection: duckdb.DuckDBPyConnection) -> int:
    """How many landing files were ever ingested: while it stays the same, no other ingestion has committed."""
    counted = f"SELECT coalesce(sum(CASE batch_id WHEN '{FORGOTTEN}' THEN rows ELSE 1 END), 0) FROM ingest_batches"
    return int(connection.execute(counted).fetchall()[0][0])


def forget_files(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> int:
    """Remove landing files from ``ingest_batches`` and keep only how many they were, inside the open transaction.

    An ingestion recognises another one by the number of files ever ingested, which must not shrink meanwhile.

    Returns:
        How many were removed.
    """
    gone = "batch_id <> $marker AND list_contains($names, source_file)"
    known = {"marker": FORGOTTEN, "names": list(names)}
    removed = int(connection.execute(f"SELECT count(*) FROM ingest_batches WHERE {gone}", known).fetchall()[0][0])
    if removed:
        total = "SELECT coalesce(sum(rows), 0)::BIGINT FROM ingest_batches WHERE batch_id = ?"
        before = connection.execute(total, [FORGOTTEN]).fetchall()[0][0]
        connection.execute(f"DELETE FROM ingest_batches WHERE batch_id = $marker OR ({gone})", known)
        connection.execute(
            "INSERT INTO ingest_batches (batch_id, source_file, rows, clean, quarantined, duplicates) "
            "VALUES (?, '', ?, 0, 0, 0)",
            [FORGOTTEN, before + removed],
        )
    return removed


def write_clean_files(engine: duckdb.DuckDBPyConnection, folder: Path, batch_id: str) -> list[CleanFile]:
    """Write the engine's ``cleaned`` into ``folder`` as ``date=…/hour=…/<batch>-<n>.parquet``.

    Nothing counts before :func:`commit_clean_files`; a batch written again replaces its own files.

    Args:
        engine: holds ``cleaned``: contract columns and ``hour_start``; ``event_id`` may be null (see event_identity).
        folder: the warehouse's folder of clean readings.
        batch_id: names the files.

    Returns:
        What was written.
    """
    columns = ", ".join(CLEAN_SENSOR_READINGS.column_names)
    hours = engine.execute("SELECT DISTINCT hour_start FROM cleaned ORDER BY hour_start").fetchall()
    files = []
    for (hour,) in hours:
        utc = hour.astimezone(UTC)
        path = Path(f"date={utc:%Y-%m-%d}", f"hour={utc:%H}", f"{batch_id}-0.parquet")
        writable_folder(folder / path.parent)
        # An hour at a time: DuckDB's own partitioning first copies every row, and takes twice as long.
        rows = engine.execute(
            f"COPY (SELECT {columns} FROM cleaned "
            "WHERE timestamp_utc >= $hour AND timestamp_utc < $hour + INTERVAL 1 HOUR) "
            f"TO {text_literal(str(folder / path))} (FORMAT parquet, PARQUET_VERSION v2, "
            "COMPRESSION zstd, COMPRESSION_LEVEL 1)",
            {"hour": utc},
        ).fetchall()[0][0]
        files.append(CleanFile(str(path), utc, batch_id, rows))
    return files


def commit_clean_files(warehouse: duckdb.DuckDBPyConnection, files: Sequence[CleanFile]) -> None:
    """Add ``files`` to the manifest, inside the open transaction."""
    if files:
        warehouse.executemany("INSERT INTO clean_reading_files VALUES (?, ?, ?, ?)", [tuple(file) for file in files])

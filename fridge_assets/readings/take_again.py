"""Clean readings whose files were lost, taken again from the landing files that brought them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fridge_assets.stores.landing import Landing
from fridge_assets.stores.reading_files import forget_files
from fridge_assets.stores.warehouse import Warehouse


class LostFile(NamedTuple):
    """A committed file of clean readings that cannot be read.

    Args:
        path: below the folder of clean readings.
        hour: of its readings.
        batch_id: the ingestion that wrote it.
        rows: readings in it.
        damage: what is wrong with it: a word that follows "is".
    """

    path: str
    hour: datetime
    batch_id: str
    rows: int
    damage: str


def lost_files(warehouse: Warehouse) -> list[LostFile]:
    """Committed files of clean readings that are missing, cut off, or hold another number of readings."""
    with warehouse.read() as connection:
        sql = "SELECT path, hour, batch_id, rows FROM clean_reading_files ORDER BY path"
        committed = connection.execute(sql).fetchall()
    # The files without a connection: there may be many, and a reader shuts out whoever writes.
    folder = warehouse.clean_readings_folder()
    looked_at = ((row, _damage(folder / row[0], row[3])) for row in committed)
    return [LostFile(path, hour, batch, rows, damage) for (path, hour, batch, rows), damage in looked_at if damage]


def came_with(connection: duckdb.DuckDBPyConnection, lost: Sequence[LostFile]) -> set[str]:
    """Names of all landing files of the ingestions that wrote the ``lost`` files."""
    batches = sorted({file.batch_id for file in lost})
    sql = "SELECT source_file FROM ingest_batches WHERE list_contains($batches, batch_id)"
    return {str(name) for (name,) in connection.execute(sql, {"batches": batches}).fetchall()}


def take_again(lost: Sequence[LostFile], landing: Landing, warehouse: Warehouse) -> None:
    """Undo the ingestions that wrote the ``lost`` files, so that the next one takes their landing files again.

    All of such an ingestion and not only what was lost: taking a file again beside its own readings would count these
    as repeated.
    """
    batches = sorted({file.batch_id for file in lost})
    with warehouse.read() as connection:
        names = sorted(came_with(connection, lost))
        written = "SELECT path FROM clean_reading_files WHERE list_contains(?, batch_id)"
        paths = [
            warehouse.clean_readings_folder() / path for (path,) in connection.execute(written, [batches]).fetchall()
        ]
    # The ledger first: killed in between, the loss can still be seen, and this be done again.
    landing.forget(names)
    with warehouse.transaction() as connection:
        connection.execute("DELETE FROM clean_reading_files WHERE list_contains(?, batch_id)", [batches])
        forget_files(connection, names)
    for path in paths:
        path.unlink(missing_ok=True)


def _damage(path: Path, rows: int) -> str:
    try:
        return "" if pq.read_metadata(path).num_rows == rows else "changed"
    except FileNotFoundError:
        return "missing"
    except (OSError, pa.ArrowException):
        return "cut off or damaged"

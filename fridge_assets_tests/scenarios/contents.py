"""What a data folder holds, as hashes: equal hashes mean that not one row or published byte differs."""

import hashlib
from collections.abc import Collection

import duckdb
import sqlalchemy as sa

from fridge_assets_tests.scenarios.small_fleet import Place

WALL_TIME = (
    "run_id", "score_run_id", "recorded_at", "quarantined_at", "created_at", "committed_at", "seconds",
)  # fmt: skip
"""Columns about the run itself, which two runs over the same data cannot share."""


def contents(place: Place, without: Collection[str] = ()) -> dict[str, str]:
    """Hash of every warehouse table, operations table, clean readings and published file.

    Args:
        place: the data folder.
        without: columns to leave out.
    """
    return _warehouse(place, without) | _operations(place, without) | _published(place)


def warehouse_tables(place: Place) -> list[str]:
    """Names of the tables in the DuckDB file."""
    return [str(name) for (name,) in place.query("SELECT table_name FROM duckdb_tables() ORDER BY 1")]


def _hash(connection: duckdb.DuckDBPyConnection, relation: str, columns: str = "*") -> str:
    """Number of rows and a sum of their hashes, whatever their order."""
    sql = f"SELECT count(*) || ' rows ' || coalesce(sum(hash(r)), 0) FROM (SELECT {columns} FROM {relation}) AS r"
    return str(connection.execute(sql).fetchall()[0][0])


def _warehouse(place: Place, without: Collection[str]) -> dict[str, str]:
    folder = place.warehouse.clean_readings_folder()
    tables = warehouse_tables(place)
    with place.warehouse.read() as connection:
        files = [
            str(folder / path) for (path,) in connection.execute("SELECT path FROM clean_reading_files").fetchall()
        ]
        found = {"clean_sensor_readings": _hash(connection, f"read_parquet({files}, hive_partitioning = false)")}
        for table in tables:
            columns = [str(row[0]) for row in connection.execute(f"DESCRIBE {table}").fetchall()]
            chosen = ", ".join(name for name in columns if name not in without)
            found[table] = _hash(connection, table, chosen)
    return found


def _operations(place: Place, without: Collection[str]) -> dict[str, str]:
    found = {}
    with place.operations.read() as connection:
        for name in sa.inspect(connection).get_table_names():
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            columns = [column for column in table.columns if column.name not in without]
            rows = connection.execute(sa.select(*columns)).all()
            found[f"operations.{name}"] = hashlib.sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()
    return found


def _published(place: Place) -> dict[str, str]:
    # Not the temporary file of a program that was killed while it wrote: readers ignore it and retention removes it.
    files = sorted(place.settings.published_dir.glob("[!.]*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

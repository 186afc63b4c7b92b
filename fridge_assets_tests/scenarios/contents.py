"""What a data folder holds, as hashes: equal hashes mean that not one row or published byte differs."""

import hashlib
from collections.abc import Collection

import pandas as pd
import sqlalchemy as sa

from fridge_assets_tests.scenarios.small_fleet import Place

WALL_TIME = ("run_id", "score_run_id", "recorded_at", "quarantined_at")
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


def clean_readings(place: Place) -> pd.DataFrame:
    """The committed clean readings, sorted."""
    folder = place.warehouse.clean_readings_folder()
    files = [folder / str(path) for (path,) in place.query("SELECT path FROM clean_reading_files")]
    frames = [pd.read_parquet(file, partitioning=None) for file in files]
    return pd.concat(frames).sort_values("event_id", ignore_index=True)


def hashed(rows: object) -> str:
    """SHA-256 of a repr, which shows floating-point numbers to the last bit."""
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _warehouse(place: Place, without: Collection[str]) -> dict[str, str]:
    found = {"clean_sensor_readings": hashed(clean_readings(place).to_csv())}
    for table in warehouse_tables(place):
        columns = [str(row[0]) for row in place.query(f"DESCRIBE {table}")]
        chosen = ", ".join(name for name in columns if name not in without)
        found[table] = hashed(place.query(f"SELECT {chosen} FROM {table} ORDER BY ALL"))
    return found


def _operations(place: Place, without: Collection[str]) -> dict[str, str]:
    found = {}
    with place.operations.read() as connection:
        for name in sa.inspect(connection).get_table_names():
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            columns = [column for column in table.columns if column.name not in without]
            rows = connection.execute(sa.select(*columns)).all()
            found[f"operations.{name}"] = hashed(sorted(map(repr, rows)))
    return found


def _published(place: Place) -> dict[str, str]:
    files = sorted(place.settings.published_dir.glob("*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

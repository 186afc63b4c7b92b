"""Readings as devices deliver them, the files they come in, and a look at what cleaning makes of them."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fridge_assets.contracts import CLEAN_SENSOR_READINGS, SENSOR_READINGS
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.readings.clean import clean
from fridge_assets.readings.ranges import BUILT_IN_TABLES, RangeTables, know_ranges
from fridge_assets.readings.staging import create_staged, know_devices, stage
from fridge_assets.registry.devices import complete_registry
from fridge_assets.settings import ReadingSettings
from fridge_assets.sources.file import probe
from fridge_assets.sources.source import Source
from fridge_assets.stores.event_identity import event_id_sql
from fridge_assets.stores.frames import query
from fridge_assets.stores.reading_files import clean_readings_sql
from fridge_assets.stores.warehouse import SCHEMA, Warehouse

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLAIN = Source()

HEALTHY: Mapping[str, float | bool] = {
    "temperature_evaporator": -25.0, "temperature_condenser": 40.0, "temperature_ambient": 22.0,
    "temperature_discharge": 70.0, "temperature_suction": -10.0, "pressure_high_side": 1500.0,
    "pressure_low_side": 200.0, "current_compressor": 12.0, "vibration_compressor": 3.0, "humidity": 45.0,
    "door_open_close": False, "defrost_cycle": False, "superheat": 8.0, "subcooling": 5.0,
}  # fmt: skip
"""A reading of a healthy freezer (SPEC 10)."""

NO_SENSOR = dict.fromkeys(HEALTHY)

Row = dict[str, object]


def reading(minute: float = 0, device: str = "d1", **changes: object) -> Row:
    """A healthy reading ``minute`` minutes after noon, with ``changes``."""
    return {"device_id": device, "timestamp": at(minute), **HEALTHY, **changes}


def at(minute: float) -> str:
    """ISO 8601 of ``minute`` minutes after noon."""
    return moment(minute).isoformat()


def moment(minute: float) -> datetime:
    """``minute`` minutes after noon."""
    return NOON + timedelta(minutes=minute)


def write(path: Path, rows: Sequence[Row]) -> Path:
    """``rows`` as a file of the format that the name of ``path`` promises; all rows have the columns of the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pq.write_table(typed_table(rows), path)
        return path
    text = io.StringIO(newline="")
    if name.endswith(".csv"):
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    else:
        text.writelines(json.dumps(row) + "\n" for row in rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def typed_table(rows: Sequence[Row]) -> pa.Table:
    """``rows`` as an Arrow table with timestamps and the types of the landing contract."""
    columns = {}
    for name in rows[0]:
        ours = "timestamp_device" if name == "timestamp" else name
        values = [row.get(name) for row in rows]
        if ours in SENSOR_READINGS.column_names:
            type_ = SENSOR_READINGS.arrow_schema.field(ours).type
            if pa.types.is_timestamp(type_):
                values = [datetime.fromisoformat(v) if isinstance(v, str) else v for v in values]
            columns[name] = pa.array(values, type_)
        else:
            columns[name] = pa.array(values)
    return pa.table(columns)


def registry_of(*devices: str) -> pd.DataFrame:
    """A registry of ``devices`` at one site."""
    return complete_registry(pd.DataFrame({"device_id": devices, "site_id": "site-1"}), "registry.csv")


@dataclass(frozen=True)
class Cleaned:
    """What the cleaning rules made of some files.

    Args:
        rows: clean rows in contract columns, by time and device.
        refused: quarantined rows with reason and detail.
        duplicates: number of rows removed as repeats.
        delivered: number of rows in the files.
    """

    rows: pd.DataFrame
    refused: pd.DataFrame
    duplicates: int
    delivered: int

    def flags(self) -> list[list[str]]:
        """Quality flags of each clean row."""
        return [list(flags) for flags in self.rows["quality_flags"]]

    def reasons(self) -> list[str]:
        """Reason of each quarantined row."""
        return list(self.refused["reason"])


def cleaned(
    files: Path | Iterable[Path],
    source: Source = PLAIN,
    registry: pd.DataFrame | None = None,
    received_at: datetime = NOON + timedelta(hours=1),
    tables: RangeTables = BUILT_IN_TABLES,
) -> Cleaned:
    """The readings of ``files`` by the rules of SPEC 1.3, in memory, as one batch on an empty warehouse."""
    settings = ReadingSettings()
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        engine.execute(next(statement for statement in SCHEMA if "device_last_seen" in statement))
        if registry is not None:
            know_devices(engine, registry)
        know_ranges(engine, registry, tables)
        create_staged(engine)
        for file in [files] if isinstance(files, Path) else files:
            stage(engine, [probe(engine, file, source)], received_at, settings)
        clean(engine, [], settings)
        columns = ", ".join(CLEAN_SENSOR_READINGS.column_names)
        identified = f"(SELECT * REPLACE ({event_id_sql()} AS event_id) FROM cleaned)"
        return Cleaned(
            query(engine, f"SELECT {columns} FROM {identified} ORDER BY timestamp_utc, device_id, event_id"),
            query(engine, "SELECT * FROM staged WHERE reason IS NOT NULL ORDER BY source_file, row_number"),
            _number(engine, "SELECT count(*) FROM repeats WHERE NOT kept"),
            _number(engine, "SELECT count(*) FROM staged"),
        )


def stored_readings(warehouse: Warehouse) -> pd.DataFrame:
    """All committed clean readings, by time, device and event; flags as one text."""
    with warehouse.read() as connection:
        paths = [row[0] for row in connection.execute("SELECT path FROM clean_reading_files").fetchall()]
    flags = {"quality_flags": "array_to_string(quality_flags, ' ') AS quality_flags"}
    columns = ", ".join(flags.get(name, name) for name in CLEAN_SENSOR_READINGS.column_names)
    if not paths:
        return CLEAN_SENSOR_READINGS.empty()
    with warehouse.engine() as engine:
        stored = clean_readings_sql([warehouse.clean_readings_folder() / path for path in paths])
        return query(engine, f"SELECT {columns} FROM {stored} ORDER BY timestamp_utc, device_id, event_id")


def rows_of(warehouse: Warehouse, sql: str, **parameters: object) -> list[tuple[object, ...]]:
    """Rows of ``sql`` over the warehouse."""
    with warehouse.read() as connection:
        return connection.execute(sql, parameters).fetchall()


def table_hash(warehouse: Warehouse, table: str) -> tuple[object, ...]:
    """Row count and order-independent hash of everything in ``table``."""
    return rows_of(warehouse, f"SELECT count(*), bit_xor(hash(t)), sum(hash(t)) FROM {table} AS t")[0]


def state_hash(warehouse: Warehouse) -> dict[str, object]:
    """Hashes of everything that ingestion and features write."""
    tables = ("quarantined_readings", "clean_reading_files", "repeated_events", "ingest_batches", "due_windows",
              "device_last_seen", "device_first_seen", "device_features")  # fmt: skip
    hashes: dict[str, object] = {table: table_hash(warehouse, table) for table in tables}
    return hashes | {"clean_sensor_readings": stored_readings(warehouse).to_csv()}


def _number(engine: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(engine.execute(sql).fetchall()[0][0])


SENSOR_NAMES = tuple(sensor.name for sensor in SENSORS)

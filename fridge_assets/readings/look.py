"""What a readings file holds, read the way ingestion will, before anything is delivered (SPEC 9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.fits import fits_of
from fridge_assets.readings.ranges import (
    BUILT_IN_TABLES,
    RANGES_FILE,
    RangeTables,
    know_ranges,
    spread_out_of_range,
)
from fridge_assets.readings.staging import create_staged, know_devices, stage
from fridge_assets.settings import ReadingSettings
from fridge_assets.sources.file import SourceFile, probe
from fridge_assets.sources.judgement import Misfit, misfits
from fridge_assets.sources.shapes import unknown_tags_sql
from fridge_assets.sources.source import Source
from fridge_assets.stores.frames import query
from fridge_assets.stores.warehouse import Warehouse

_EXAMPLES = 5
_FIRST_ROWS = 10


@dataclass(frozen=True)
class Look:
    """What a file holds.

    Args:
        file: its name as given.
        rows: rows in it.
        devices: distinct devices with a usable row.
        sensors: sensors with at least one usable value.
        first_timestamp: of the usable rows; None without any.
        last_timestamp: of the usable rows; None without any.
        interval: from one usable row of a device to the next, as most devices have it; None where none has two.
        history: from the first to the last usable row of a device, as most devices have it.
        unusable: rows that will be quarantined.
        unusable_examples: some of them with reason and detail.
        out_of_range: per sensor with a value outside of its plausible range ``sensor``, ``unusual`` and ``impossible``
            (numbers of values), and the ``least``, ``median`` and ``largest`` of its possible values.
        misfits: sensors whose values fit another unit than the given one.
        first_rows: the first rows as they will be stored, without columns that are empty.
        warnings: sentences about columns, time zone and values out of range.
    """

    file: str
    rows: int
    devices: int
    sensors: tuple[str, ...]
    first_timestamp: datetime | None
    last_timestamp: datetime | None
    interval: timedelta | None
    history: timedelta | None
    unusable: int
    unusable_examples: pd.DataFrame
    out_of_range: pd.DataFrame
    misfits: tuple[Misfit, ...]
    first_rows: pd.DataFrame
    warnings: tuple[str, ...]


def look_at(
    file: Path,
    source: Source,
    warehouse: Warehouse,
    registry: pd.DataFrame | None,
    settings: ReadingSettings,
    *,
    tables: RangeTables = BUILT_IN_TABLES,
) -> Look:
    """What ``file`` holds when it is read by ``source``.

    Args:
        file: in a format that the source or its name says.
        source: how it is to be read.
        warehouse: gives the engine to read with.
        registry: DEVICE_REGISTRY rows; None when every device counts as known.
        settings: cleaning rules.
        tables: ranges of the sensors.

    Raises:
        FridgeError: the file does not exist, cannot be read, is encoded otherwise, or holds not one usable row.
    """
    if not file.is_file():
        raise FridgeError(f"{file} is not a file", "Give the path of a readings file.")
    with warehouse.engine() as engine:
        if registry is not None:
            know_devices(engine, registry)
        know_ranges(engine, registry, tables)
        opened = probe(engine, file, source, whole=True)
        create_staged(engine)
        stage(engine, [opened], datetime.now(UTC), settings)
        summary = _summary(engine)
        out_of_range = spread_out_of_range(engine)
        examples = query(
            engine,
            "SELECT row_number, reason, detail FROM staged WHERE reason IS NOT NULL "
            "QUALIFY row_number() OVER (PARTITION BY reason ORDER BY row_number) = 1 "
            f"ORDER BY row_number LIMIT {_EXAMPLES}",
        )
        sensors = tuple(sensor.name for sensor in SENSORS if summary[sensor.name])
        shown = ", ".join(("device_id", "timestamp_utc", *sensors))
        first_rows = query(
            engine,
            f"SELECT {shown} FROM staged WHERE reason IS NULL ORDER BY row_number, device_id LIMIT {_FIRST_ROWS}",
        )
        fits = fits_of(engine, opened)
        unknown = _unknown_tags(engine, opened)
        engine.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    usable = int(summary["usable"])
    if not usable:
        detail = examples["detail"].iloc[0] if len(examples) else "it has a header but no rows"
        raise FridgeError(
            f"{file.name} has no usable row among {int(summary['rows']):,}: {detail}", "Nothing was delivered."
        )
    return Look(
        file=str(file),
        rows=int(summary["rows"]),
        devices=int(summary["devices"]),
        sensors=sensors,
        first_timestamp=summary["first_timestamp"].to_pydatetime(),
        last_timestamp=summary["last_timestamp"].to_pydatetime(),
        interval=_span(summary["interval"]),
        history=_span(summary["history"]),
        unusable=int(summary["rows"]) - usable,
        unusable_examples=examples,
        out_of_range=out_of_range,
        misfits=() if source.as_is else misfits(fits),
        first_rows=first_rows,
        warnings=(*unknown, *_warnings(opened, summary, out_of_range)),
    )


def _unknown_tags(engine: duckdb.DuckDBPyConnection, file: SourceFile) -> tuple[str, ...]:
    if file.source.shape != "long":
        return ()
    unknown = engine.execute(unknown_tags_sql(file.their_rows_sql, file.source)).fetchall()
    if not unknown:
        return ()
    some = ", ".join(tag for tag, _ in unknown[:_EXAMPLES]) + (" and others" if len(unknown) > _EXAMPLES else "")
    return (f"{sum(count for _, count in unknown):,} values of tags that are unknown are ignored: {some}",)


def _span(seconds: Any) -> timedelta | None:
    return None if pd.isna(seconds) else timedelta(seconds=float(seconds))


def _summary(engine: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    sensors = ", ".join(f"count({s.name}) FILTER (reason IS NULL) AS {s.name}" for s in SENSORS)
    per_device = (
        "SELECT count(*) AS readings, epoch(max(timestamp_utc)) - epoch(min(timestamp_utc)) AS span "
        "FROM staged WHERE reason IS NULL GROUP BY device_id"
    )
    summary = query(
        engine,
        "SELECT count(*) AS rows, count(*) FILTER (reason IS NULL) AS usable, "
        "count(DISTINCT device_id) FILTER (reason IS NULL) AS devices, "
        "min(timestamp_utc) FILTER (reason IS NULL) AS first_timestamp, "
        "max(timestamp_utc) FILTER (reason IS NULL) AS last_timestamp, "
        f"count(*) FILTER (zoneless) AS zoneless, {sensors}, "
        f"(SELECT median(span / (readings - 1)) FROM ({per_device}) WHERE readings > 1) AS interval, "
        f"(SELECT median(span) FROM ({per_device})) AS history "
        "FROM staged",
    )
    return {str(name): value for name, value in summary.iloc[0].items()}


def _warnings(file: SourceFile, summary: Mapping[str, Any], out_of_range: pd.DataFrame) -> tuple[str, ...]:
    warnings = []
    if file.unknown_columns:
        warnings.append(f"columns {', '.join(file.unknown_columns)} are unknown and ignored; --map names them")
    # Whoever saved a source has been asked for its zone.
    if summary["zoneless"] and file.source.format is None:
        warnings.append(
            f"{int(summary['zoneless']):,} timestamps name no time zone and are read as "
            f"{file.source.timezone}; --timezone sets another"
        )
    unusual, impossible = int(out_of_range["unusual"].sum()), int(out_of_range["impossible"].sum())
    if unusual:
        warnings.append(
            f"{unusual:,} values are unusual for their sensor; they stay and are flagged RANGE_VIOLATION. "
            f"Where they are right, say the refrigerant in the device registry or the ranges in {RANGES_FILE}"
        )
    if impossible:
        warnings.append(
            f"{impossible:,} values are none that their sensor can read; they become null and are flagged "
            "RANGE_VIOLATION. Check the unit of the column; --unit converts it"
        )
    return tuple(warnings)

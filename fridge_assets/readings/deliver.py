"""Foreign files into landing, after a look at what they hold (SPEC 9, `ingest`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas as pd

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.encoding import as_utf8, require_utf8
from fridge_assets.readings.interpretation import Interpretation
from fridge_assets.readings.source import SourceFile, format_of, probe
from fridge_assets.readings.staging import create_staged, know_devices, stage
from fridge_assets.settings import ReadingSettings
from fridge_assets.stores.disk import require_space
from fridge_assets.stores.frames import query
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.warehouse import Warehouse

_EXAMPLES = 5


@dataclass(frozen=True)
class DeliveryReport:
    """What a delivered file holds.

    Args:
        file: its name as given.
        delivered_as: where it lies in landing.
        again: it lay there already, from an earlier delivery, and nothing was changed.
        rows: rows in it.
        devices: distinct devices with a usable row.
        sensors: sensors with at least one usable value.
        first_timestamp: of the usable rows; None without any.
        last_timestamp: of the usable rows; None without any.
        unusable: rows that will be quarantined.
        unusable_examples: some of them with reason and detail.
        warnings: sentences about columns and time zone.
    """

    file: str
    delivered_as: Path
    again: bool
    rows: int
    devices: int
    sensors: tuple[str, ...]
    first_timestamp: datetime | None
    last_timestamp: datetime | None
    unusable: int
    unusable_examples: pd.DataFrame
    warnings: tuple[str, ...]


def deliver(
    file: Path,
    interpretation: Interpretation,
    landing: Landing,
    warehouse: Warehouse,
    registry: pd.DataFrame | None,
    settings: ReadingSettings,
    *,
    encoding: str = "",
) -> DeliveryReport:
    """Copy ``file`` into landing with its interpretation, after reading it the way ingestion will.

    A file is known by what is in it and how that is to be read: delivered again, also after a delivery that was killed
    and under another name, it stays the file that it is.

    Args:
        file: Parquet, CSV or JSON lines.
        interpretation: how its columns are to be read.
        landing: where it goes.
        warehouse: gives the engine to read with.
        registry: DEVICE_REGISTRY rows; None when every device counts as known.
        settings: cleaning rules.
        encoding: how a text file is encoded that is not UTF-8; it is delivered as UTF-8. Empty for UTF-8.

    Raises:
        FridgeError: the file does not exist, cannot be read, is encoded otherwise, or holds not one usable row; landing
            stays as it was.
    """
    if not file.is_file():
        raise FridgeError(f"{file} is not a file", "Give the path of a readings file.")
    is_text = format_of(file) in ("csv", "jsonl")
    if encoding and is_text:
        with TemporaryDirectory(prefix="fridge-utf8-") as folder:
            copy = as_utf8(file, encoding, Path(folder))
            return replace(deliver(copy, interpretation, landing, warehouse, registry, settings), file=str(file))
    if is_text:
        require_utf8(file, whole=True)
    with warehouse.engine() as engine:
        if registry is not None:
            know_devices(engine, registry)
        source = probe(engine, file, interpretation)
        create_staged(engine)
        stage(engine, source, [file], datetime.now(UTC), settings)
        summary = _summary(engine)
        examples = query(
            engine,
            "SELECT row_number, reason, detail FROM staged WHERE reason IS NOT NULL "
            "QUALIFY row_number() OVER (PARTITION BY reason ORDER BY row_number) = 1 "
            f"ORDER BY row_number LIMIT {_EXAMPLES}",
        )
    usable = int(summary["usable"])
    if not usable:
        detail = examples["detail"].iloc[0] if len(examples) else "it has a header but no rows"
        raise FridgeError(
            f"{file.name} has no usable row among {int(summary['rows']):,}: {detail}", "Nothing was delivered."
        )
    sidecar = None if interpretation.is_plain else interpretation.to_json()
    before = landing.find(file, sidecar)
    if before is None:
        require_space(landing.folder, file.stat().st_size, f"a delivery of {file.name}")
    return DeliveryReport(
        file=str(file),
        delivered_as=before or landing.deliver(file, sidecar),
        again=before is not None,
        rows=int(summary["rows"]),
        devices=int(summary["devices"]),
        sensors=tuple(sensor.name for sensor in SENSORS if summary[sensor.name]),
        first_timestamp=summary["first_timestamp"].to_pydatetime(),
        last_timestamp=summary["last_timestamp"].to_pydatetime(),
        unusable=int(summary["rows"]) - usable,
        unusable_examples=examples,
        warnings=_warnings(source, summary),
    )


def _summary(engine: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    sensors = ", ".join(f"count({s.name}) FILTER (reason IS NULL) AS {s.name}" for s in SENSORS)
    summary = query(
        engine,
        "SELECT count(*) AS rows, count(*) FILTER (reason IS NULL) AS usable, "
        "count(DISTINCT device_id) FILTER (reason IS NULL) AS devices, "
        "min(timestamp_utc) FILTER (reason IS NULL) AS first_timestamp, "
        "max(timestamp_utc) FILTER (reason IS NULL) AS last_timestamp, "
        f"count(*) FILTER (zoneless) AS zoneless, count(*) FILTER (range_violation) AS out_of_range, {sensors} "
        "FROM staged",
    )
    return {str(name): value for name, value in summary.iloc[0].items()}


def _warnings(source: SourceFile, summary: Mapping[str, Any]) -> tuple[str, ...]:
    warnings = []
    if source.unknown_columns:
        warnings.append(f"columns {', '.join(source.unknown_columns)} are unknown and ignored; --map names them")
    if summary["zoneless"]:
        warnings.append(
            f"{int(summary['zoneless']):,} timestamps name no time zone and are read as "
            f"{source.interpretation.timezone}; --timezone sets another"
        )
    if summary["out_of_range"]:
        warnings.append(
            f"{int(summary['out_of_range']):,} rows have values outside the physical range; "
            "these values become null and the rows are flagged RANGE_VIOLATION"
        )
    return tuple(warnings)

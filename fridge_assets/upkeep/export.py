"""Any dataset as a file for other programs (SPEC 9, `export`)."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from fridge_assets.core.errors import FridgeError
from fridge_assets.registry.devices import effective_registry
from fridge_assets.settings import Settings
from fridge_assets.stores.files import atomic_write
from fridge_assets.stores.frames import query
from fridge_assets.stores.operations import Operations, device_alerts, incident_events, incidents
from fridge_assets.stores.reading_files import clean_files, clean_readings_sql
from fridge_assets.stores.warehouse import Warehouse

_TIME_COLUMNS = {
    "clean_sensor_readings": "timestamp_utc",
    "quarantined_readings": "quarantined_at",
    "device_features": "window_end",
    "model_scores": "window_end",
    "withheld_scores": "window_end",
    "model_monitoring": "window_end",
    "alert_quality": "computed_at",
    "canary_scores": "window_end",
    "canary_reports": "window_end",
    "rules_based_fallback": "window_end",
    "device_alerts": "alert_created_at",
    "incidents": "opened_at",
    "incident_events": "occurred_at",
}
_OF_OPERATIONS = {table.name: table for table in (device_alerts, incidents, incident_events)}
_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")
_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_END = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


def export_dataset(
    dataset: str,
    to: Path,
    since: datetime | None,
    warehouse: Warehouse,
    operations: Operations,
    settings: Settings,
) -> int:
    """Write the rows of ``dataset`` to ``to``; the file appears whole or not at all.

    Args:
        dataset: name of a dataset of SPEC 1.
        to: a path ending in .parquet or .csv, in which no text is a formula.
        since: only rows from this moment on; refused for datasets that have no time.
        warehouse: holds readings, features, scores and status.
        operations: holds alerts and incidents.
        settings: where the registry is.

    Returns:
        Number of rows written.

    Raises:
        FridgeError: another file ending, or ``since`` for a dataset without time.
    """
    writers: dict[str, Callable[[pd.DataFrame, Path], None]] = {
        ".parquet": lambda rows, path: rows.to_parquet(path, index=False),
        # Lines end as RFC 4180 has it: the writer puts quotes only around the line breaks that it knows of.
        ".csv": lambda rows, path: _without_formulas(rows).to_csv(path, index=False, lineterminator="\r\n"),
    }
    if to.suffix not in writers:
        raise FridgeError(f"{to} ends in {to.suffix or 'nothing'}", "Name a file that ends in .parquet or .csv.")
    if since is not None and dataset not in _TIME_COLUMNS:
        raise FridgeError(f"{dataset} shows the present and has no time to filter by", "Leave --since away.")
    rows = _rows(dataset, since or _BEGINNING, warehouse, operations, settings)
    with atomic_write(to) as temporary:
        writers[to.suffix](rows, temporary)
    return len(rows)


def _without_formulas(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` with an apostrophe before every text that a spreadsheet would run as a formula.

    Devices, files and people may have said anything. Spreadsheets show such a cell as text, without the apostrophe.
    """
    texts = rows.select_dtypes(["object", "str"])
    return rows.assign(**{str(name): texts[name].map(_no_formula, na_action="ignore") for name in texts})


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_BEGINS) else value


def _rows(
    dataset: str, since: datetime, warehouse: Warehouse, operations: Operations, settings: Settings
) -> pd.DataFrame:
    if dataset == "device_registry":
        return effective_registry(settings.root, warehouse)
    if dataset in _OF_OPERATIONS:
        table, time = _OF_OPERATIONS[dataset], _OF_OPERATIONS[dataset].c[_TIME_COLUMNS[dataset]]
        with operations.read() as connection:
            rows = connection.execute(sa.select(table).where(time >= since).order_by(time)).all()
        return pd.DataFrame(rows, columns=list(table.c.keys()))
    if dataset == "clean_sensor_readings":
        return _clean_readings(since, warehouse)
    with warehouse.read() as connection:
        column = _TIME_COLUMNS.get(dataset)
        where = f"WHERE {column} >= $since ORDER BY {column}" if column else ""
        return query(connection, f"SELECT * FROM {dataset} {where}", {"since": since} if column else {})


def _clean_readings(since: datetime, warehouse: Warehouse) -> pd.DataFrame:
    with warehouse.read() as connection:
        files = clean_files(connection, warehouse.clean_readings_folder(), since, _END)
    if not files:
        raise FridgeError("there are no clean readings to export", "Ingest some, or choose an earlier --since.")
    with warehouse.engine() as engine:
        return query(
            engine,
            f"SELECT * FROM {clean_readings_sql(files)} WHERE timestamp_utc >= $since "
            "ORDER BY timestamp_utc, device_id, event_id",
            {"since": since},
        )

"""Rows of readings as landing files."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fridge_assets.settings import Settings
from fridge_assets_tests.streaming.reading_rows import Row, table_of


def land(settings: Settings, rows: Sequence[Row], name: str) -> Path:
    """Deliver ``rows`` as the landing file ``name``, whole or not at all."""
    table = table_of(rows).drop_columns(["part", "delivery", "arrival"])
    table = table.rename_columns({"timestamp_utc": "timestamp"})
    path = settings.landing_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{name}")
    pq.write_table(table, temporary)
    return temporary.replace(path)


def empty_parquet(path: Path) -> None:
    """A Parquet file that was cut off."""
    pq.write_table(pa.table({"device_id": ["d1"]}), path)
    path.write_bytes(path.read_bytes()[:-10])

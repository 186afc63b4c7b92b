"""What the features know of each device's vibration, as a file for the stream, which must not open the warehouse."""

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fridge_assets.core.exact_sums import FEATURE_PARTS, parts_sql, weighted_mean_sql
from fridge_assets.stores.files import atomic_write
from fridge_assets.stores.frames import text_literal
from fridge_assets.stores.warehouse import Warehouse

FILE = "usual_vibration.parquet"

_SPAN = timedelta(hours=24)
_PARTS = parts_sql("vibration_compressor_mean", FEATURE_PARTS)


def publish_usual_vibration(warehouse: Warehouse, folder: Path, newest_window: datetime) -> Path:
    """Publish ``device_id``, ``window_start`` (an hour), ``mean`` (mm/s) and ``readings`` of the last day.

    Args:
        warehouse: holds the features.
        folder: of published files.
        newest_window: end of the newest window with features.
    """
    path = folder / FILE
    with atomic_write(path) as temporary, warehouse.read() as connection:
        connection.execute(
            "COPY (SELECT device_id, date_trunc('hour', window_start) AS window_start, "
            f"{weighted_mean_sql(_PARTS, 'reading_count', FEATURE_PARTS)} AS mean, "
            "sum(reading_count)::BIGINT AS readings FROM device_features "
            "WHERE window_end > $since AND window_end <= $newest AND vibration_compressor_mean IS NOT NULL "
            f"GROUP BY ALL) TO {text_literal(str(temporary))} (FORMAT parquet, COMPRESSION zstd)",
            {"since": newest_window - _SPAN, "newest": newest_window},
        )
    return path


def read_usual_vibration(folder: Path) -> pa.Table | None:
    """What was published last; None before the first time."""
    try:
        with (folder / FILE).open("rb") as file:
            return pq.read_table(file)
    except FileNotFoundError:
        return None

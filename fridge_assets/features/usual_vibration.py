"""What the features know to be usual of each device, as a file for the stream, which must not open the warehouse.

Its vibration while it runs, and the bands of its low-side pressure and its evaporator as far as windows show them: a
window's least or greatest value may be a single odd reading, so that two deviations from the mean bound it.
"""

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fridge_assets.core.exact_sums import FEATURE_PARTS, parts_sql
from fridge_assets.features.slots import start_sql
from fridge_assets.stores.files import atomic_write
from fridge_assets.stores.frames import text_literal
from fridge_assets.stores.warehouse import Warehouse

FILE = "usual_vibration.parquet"

_SPAN = timedelta(hours=24)
_PARTS = parts_sql("vibration_compressor_mean", FEATURE_PARTS)
_RAN = "round(reading_count * coalesce(compressor_run_share, 1))::BIGINT"
"""Readings in which the compressor ran; the others add next to nothing to a window's sum."""
_FLOOR = "greatest(pressure_low_min, pressure_low_mean - 2 * coalesce(pressure_low_std, 0))"
_CEILING = "least(temp_evaporator_max, temp_evaporator_mean + 2 * coalesce(temp_evaporator_std, 0))"


def publish_usual_vibration(
    warehouse: Warehouse, folder: Path, newest_window: datetime, running_vibration: float
) -> Path:
    """Publish what was usual of every device in each hour of the last day.

    Gives ``device_id``, ``window_start`` (an hour), ``mean`` of the vibration while it ran (mm/s; null where it did
    not), ``readings``, ``pressure_floor`` (kPa), ``evaporator_ceiling`` (°C, without defrosts and the quarter of an
    hour after them) and ``interval_seconds``.

    Args:
        warehouse: holds the features.
        folder: of published files.
        newest_window: end of the newest window with features.
        running_vibration: mm/s that a compressor reaches in each window in which it runs.
    """
    path = folder / FILE
    with atomic_write(path) as temporary, warehouse.read() as connection:
        connection.execute(
            f"""COPY (
WITH windows AS (
  SELECT *, coalesce(window_start < max(CASE WHEN defrost_active_fraction > 0 THEN window_end END) OVER in_time
    + INTERVAL 15 MINUTE, false) AS defrosted,
    vibration_compressor_max >= $running_vibration AND coalesce(compressor_run_share > 0, true) AS ran
  FROM device_features WHERE window_end > $since AND window_end <= $newest
  WINDOW in_time AS (PARTITION BY device_id ORDER BY window_end)
)
SELECT device_id, {start_sql("window_start", 3600)} AS window_start,
  sum({_PARTS} * reading_count) FILTER (ran)::DOUBLE / nullif(sum({_RAN}) FILTER (ran) * {FEATURE_PARTS}, 0) AS mean,
  sum(reading_count)::BIGINT AS readings,
  min({_FLOOR}) AS pressure_floor, max({_CEILING}) FILTER (NOT defrosted) AS evaporator_ceiling,
  sum(epoch(window_end - window_start)) / sum(reading_count) AS interval_seconds
FROM windows GROUP BY ALL ORDER BY device_id, window_start
) TO {text_literal(str(temporary))} (FORMAT parquet, COMPRESSION zstd)""",
            {"since": newest_window - _SPAN, "newest": newest_window, "running_vibration": running_vibration},
        )
    return path


def read_usual_vibration(folder: Path) -> pa.Table | None:
    """What was published last; None before the first time."""
    try:
        with (folder / FILE).open("rb") as file:
            return pq.read_table(file)
    except FileNotFoundError:
        return None


def devices_that_send_rarely(folder: Path, max_interval: timedelta) -> int:
    """How many devices send less often than every ``max_interval``, by what was published last."""
    usual = read_usual_vibration(folder)
    if usual is None or "interval_seconds" not in usual.column_names:
        return 0
    # Of every hour: a device that is silent for some hours does not send rarely.
    by_device = usual.group_by("device_id").aggregate([("interval_seconds", "min")])
    return int(pc.sum(pc.greater(by_device["interval_seconds_min"], max_interval.total_seconds())).as_py() or 0)

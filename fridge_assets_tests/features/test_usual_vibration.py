"""What the features publish for a stream that has no history of its own, and what doctor says of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.features.usual_vibration import (
    FILE,
    devices_that_send_rarely,
    publish_usual_vibration,
    read_usual_vibration,
)
from fridge_assets.settings import StreamingSettings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.engine import Engine
from fridge_assets_tests.scenarios.small_fleet import Place

MAX_INTERVAL = StreamingSettings().max_interval


def test_an_hour_of_a_device_has_its_bands_and_its_interval(cycled: Place) -> None:
    usual = read_usual_vibration(cycled.settings.published_dir)
    assert usual is not None
    hours = usual.to_pandas()
    windows = cycled.warehouse
    with windows.read() as connection:
        lowest, warmest = connection.execute(
            "SELECT min(pressure_low_min), max(temp_evaporator_max) FROM device_features"
        ).fetchall()[0]
    assert hours["pressure_floor"].min() >= lowest
    assert hours["evaporator_ceiling"].max() <= warmest
    assert hours["interval_seconds"].between(55, 90).mean() > 0.9
    engine = Engine(StreamingSettings(), threads=1)
    engine.know_usual(usual)
    assert engine.rows()["history"] == 4 * len(hours)
    engine.close()


def test_the_usual_vibration_is_that_of_the_running_compressor(warehouse: Warehouse, tmp_path: Path) -> None:
    beginning, quarter = datetime(2026, 3, 10, 14, tzinfo=UTC), timedelta(minutes=15)
    starts = [beginning + n * quarter for n in range(8)]
    windows = DEVICE_FEATURES.sample(8).assign(
        device_id="d1",
        window_start=starts,
        window_end=[start + quarter for start in starts],
        reading_count=15,
        # A whole run, a third of a window, two windows of rest; then an hour of rest.
        vibration_compressor_mean=[2.4, 0.8, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1],
        vibration_compressor_max=[2.6, 2.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        compressor_run_share=[1.0, 1 / 3, 0.0, np.nan, 0.0, 0.0, 0.0, 0.0],
    )
    columns = ", ".join(DEVICE_FEATURES.column_names)
    with warehouse.transaction() as connection, registered(connection, rows=DEVICE_FEATURES.to_arrow(windows)):
        connection.execute(f"INSERT INTO device_features ({columns}) SELECT {columns} FROM rows")
    publish_usual_vibration(warehouse, tmp_path, beginning + 2 * timedelta(hours=1), 0.5)
    usual = read_usual_vibration(tmp_path)
    assert usual is not None
    assert usual["mean"].to_pylist() == [pytest.approx(2.4), None]
    assert usual["readings"].to_pylist() == [60, 60]


def test_devices_that_send_rarely_are_counted_from_what_was_published(cycled: Place, tmp_path: Path) -> None:
    assert devices_that_send_rarely(tmp_path, MAX_INTERVAL) == 0, "nothing was published yet"
    assert devices_that_send_rarely(cycled.settings.published_dir, MAX_INTERVAL) == 0
    assert devices_that_send_rarely(cycled.settings.published_dir, timedelta(seconds=1)) > 10
    usual = pq.read_table(cycled.settings.published_dir / FILE)
    pq.write_table(usual.drop_columns(["interval_seconds"]), tmp_path / FILE)
    assert devices_that_send_rarely(tmp_path, MAX_INTERVAL) == 0, "an earlier version did not say"

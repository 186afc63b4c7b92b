"""What the features publish for a stream that has no history of its own, and what doctor says of it."""

from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq

from fridge_assets.features.usual_vibration import FILE, devices_that_send_rarely, read_usual_vibration
from fridge_assets.settings import StreamingSettings
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


def test_devices_that_send_rarely_are_counted_from_what_was_published(cycled: Place, tmp_path: Path) -> None:
    assert devices_that_send_rarely(tmp_path, MAX_INTERVAL) == 0, "nothing was published yet"
    assert devices_that_send_rarely(cycled.settings.published_dir, MAX_INTERVAL) == 0
    assert devices_that_send_rarely(cycled.settings.published_dir, timedelta(seconds=1)) > 10
    usual = pq.read_table(cycled.settings.published_dir / FILE)
    pq.write_table(usual.drop_columns(["interval_seconds"]), tmp_path / FILE)
    assert devices_that_send_rarely(tmp_path, MAX_INTERVAL) == 0, "an earlier version did not say"

"""The plain versions of the hourly cycle do the whole hour, so that the comparison with them means something."""

from pathlib import Path

import pytest

from fridge_assets_tests.benchmarks import duckdb_script, pandas_sketch
from fridge_assets_tests.benchmarks.plain_hour import FeaturesOf, run
from fridge_assets_tests.scenarios.small_fleet import DEVICES, FAULTY_DEVICES, TRAINED_HOUR, Place, cycle_time

HOUR = TRAINED_HOUR + 1


@pytest.mark.parametrize("features_of", [pandas_sketch.features_of, duckdb_script.features_of])
def test_a_plain_hour_scores_every_device_and_alerts_of_the_faulty(
    features_of: FeaturesOf, trained: Place, tmp_path: Path
) -> None:
    trained.deliver(HOUR)
    results = tmp_path / "results"
    results.mkdir()
    newest = max(trained.settings.landing_dir.iterdir())

    outcome = run(features_of, trained.settings, [newest], cycle_time(HOUR), results)

    assert outcome["scored"] == DEVICES
    assert FAULTY_DEVICES <= outcome["alerts"] < DEVICES / 2
    assert {"clean_sensor_readings", "device_features", "model_scores", "device_alerts", "device_status"} <= {
        file.stem for file in results.iterdir()
    }

"""`ingest`: the same readings give the same features, however their file is written (SPEC 9)."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.features.compute import compute_features
from fridge_assets.readings.ingest import ingest
from fridge_assets.registry.devices import read_registry
from fridge_assets.stores.frames import query
from fridge_assets_tests.cli.readings import CELSIUS, readings
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.small_fleet import Place, hour, settings_of

NOW = hour(48)


@pytest.fixture(scope="module")
def hour_of_readings(trained_template: Place) -> pd.DataFrame:
    return readings(trained_template)


def as_csv(frame: pd.DataFrame, folder: Path) -> list[str]:
    frame.to_csv(folder / "june.csv", index=False)
    return [str(folder / "june.csv")]


def as_gzipped_csv(frame: pd.DataFrame, folder: Path) -> list[str]:
    frame.to_csv(folder / "june.csv.gz", index=False)
    return [str(folder / "june.csv.gz")]


def as_fahrenheit(frame: pd.DataFrame, folder: Path) -> list[str]:
    warm = frame.assign(**{name: frame[name] * 9 / 5 + 32 for name in CELSIUS})
    return [*as_csv(warm, folder), *(word for name in CELSIUS for word in ("--unit", f"{name}=degF"))]


def as_renamed(frame: pd.DataFrame, folder: Path) -> list[str]:
    theirs = {name: f"Their {name}" for name in ("device_id", "timestamp_device", "pressure_low_side", *CELSIUS)}
    words = as_csv(frame.rename(columns=theirs), folder)
    return [*words, *(word for ours, name in theirs.items() for word in ("--map", f"{name}={ours}"))]


def as_parquet(frame: pd.DataFrame, folder: Path) -> list[str]:
    frame.to_parquet(folder / "june.parquet", index=False)
    return [str(folder / "june.parquet")]


def as_json_lines(frame: pd.DataFrame, folder: Path) -> list[str]:
    frame.to_json(folder / "june.jsonl", orient="records", lines=True, date_format="iso", date_unit="us")
    return [str(folder / "june.jsonl")]


def as_two_files(frame: pd.DataFrame, folder: Path) -> list[str]:
    half = len(frame) // 2
    frame.iloc[:half].to_csv(folder / "first.csv", index=False)
    frame.iloc[half:].to_json(folder / "second.jsonl", orient="records", lines=True, date_format="iso", date_unit="us")
    return [str(folder / "first.csv"), str(folder / "second.jsonl")]


Writer = Callable[[pd.DataFrame, Path], list[str]]
WRITERS: list[Writer] = [as_gzipped_csv, as_fahrenheit, as_renamed, as_parquet, as_json_lines, as_two_files]


def features_of(place: Place, folder: Path, words: list[str]) -> pd.DataFrame:
    """Features of a new data folder that the CLI has ingested into."""
    new = Place(settings_of(folder))
    folder.mkdir()
    shutil.copy(place.root / "device_registry.csv", folder)
    code, said, error = typed(folder, "ingest", *words)
    assert (code, error) == (0, ""), error
    assert "Next: fridge-assets" in said
    report = ingest(new.landing, new.warehouse, read_registry(folder), datetime.now(UTC), new.settings)
    assert report.refused == {}
    assert report.quarantined == 0
    compute_features(new.warehouse, NOW, new.settings.features)
    with new.warehouse.read() as connection:
        return query(connection, "SELECT * FROM device_features ORDER BY device_id, window_end")


@pytest.fixture(scope="module")
def features_of_csv(
    trained_template: Place, hour_of_readings: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("csv")
    return features_of(trained_template, folder / "data", as_csv(hour_of_readings, folder))


@pytest.mark.parametrize("write", WRITERS)
def test_every_way_to_write_the_same_readings_gives_the_same_features(
    trained_template: Place,
    hour_of_readings: pd.DataFrame,
    features_of_csv: pd.DataFrame,
    tmp_path: Path,
    write: Writer,
) -> None:
    found = features_of(trained_template, tmp_path / "data", write(hour_of_readings, tmp_path))
    assert len(found) >= 24 * 4
    if write is as_fahrenheit:  # °F and back costs the last bits
        names = list(MODEL_FEATURES)
        np.testing.assert_allclose(found[names], features_of_csv[names], rtol=1e-9, atol=1e-7)
        found[names] = features_of_csv[names]
    pd.testing.assert_frame_equal(found, features_of_csv, check_exact=True)


def test_the_report_says_what_the_file_holds(trained: Place, hour_of_readings: pd.DataFrame, tmp_path: Path) -> None:
    odd = hour_of_readings.assign(colour="red", subcooling=np.nan)
    odd["timestamp_device"] = odd["timestamp_device"].dt.tz_localize(None)
    odd.loc[3, "device_id"] = "stranger"
    odd.loc[4, "humidity"] = 300.0
    code, said, _ = typed(trained.root, "ingest", *as_csv(odd, tmp_path), "--json")
    (report,) = json.loads(said)
    assert code == 0
    assert report["rows"] == len(odd)
    assert report["devices"] == 24
    assert len(report["sensors"]) == 13
    assert "subcooling" not in report["sensors"]
    assert report["unusable"] == 1
    assert report["unusable_examples"][0]["reason"] == "DEVICE_UNKNOWN"
    assert Path(report["delivered_as"]).parent == trained.settings.landing_dir
    assert any("colour" in warning and "--map" in warning for warning in report["warnings"])
    assert any("no time zone" in warning and "--timezone" in warning for warning in report["warnings"])
    assert any("1 rows have values outside the physical range" in warning for warning in report["warnings"])


def test_a_time_without_zone_is_read_in_the_zone_that_was_named(
    trained_template: Place, hour_of_readings: pd.DataFrame, features_of_csv: pd.DataFrame, tmp_path: Path
) -> None:
    local = hour_of_readings.assign(
        **{
            name: hour_of_readings[name].dt.tz_convert("Europe/Berlin").dt.tz_localize(None)
            for name in ("timestamp_device", "timestamp_ingested")
        }
    )
    words = [*as_csv(local, tmp_path), "--timezone", "Europe/Berlin"]
    found = features_of(trained_template, tmp_path / "data", words)
    pd.testing.assert_frame_equal(found, features_of_csv, check_exact=True)

"""A null is filled from the device, else its cohort, else the fleet, else the row is left out (SPEC 2)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.models.imputation import Imputer

FEATURES = ("humidity_mean", "superheat_mean")
TRAINING = pd.DataFrame(
    {
        "device_id": ["a", "b", "c", "d", "e"],
        "cohort": ["dry", "dry", "dry", "wet", "wet"],
        "humidity_mean": [10.0, 20.0, 60.0, 80.0, np.nan],
        "superheat_mean": [5.0, 6.0, 7.0, np.nan, np.nan],
    }
)


@pytest.fixture
def imputer() -> Imputer:
    return Imputer.fit(TRAINING, FEATURES)


def row(device: str, cohort: str, humidity: float, superheat: float) -> dict[str, object]:
    return {"device_id": device, "cohort": cohort, "humidity_mean": humidity, "superheat_mean": superheat}


def test_the_devices_own_recent_value_comes_first(imputer: Imputer) -> None:
    rows = pd.DataFrame([row("x", "dry", np.nan, 1.0), row("y", "dry", np.nan, 2.0)])
    recent = pd.DataFrame([{"device_id": "y", "humidity_mean": 33.0, "superheat_mean": 99.0}])
    complete, left_out = imputer.apply(rows, recent)
    assert complete["humidity_mean"].tolist() == [20.0, 33.0]
    assert complete["superheat_mean"].tolist() == [1.0, 2.0]
    assert left_out.empty


def test_a_recent_null_does_not_stand_in_for_the_cohort(imputer: Imputer) -> None:
    recent = pd.DataFrame([{"device_id": "x", "humidity_mean": None, "superheat_mean": 4.0}])
    complete, _ = imputer.apply(pd.DataFrame([row("x", "dry", np.nan, np.nan)]), recent)
    assert complete[list(FEATURES)].to_numpy().tolist() == [[20.0, 4.0]]


def test_the_cohort_comes_before_the_fleet_and_the_fleet_serves_the_rest(imputer: Imputer) -> None:
    rows = pd.DataFrame([row("x", cohort, np.nan, np.nan) for cohort in ("dry", "wet", "unknown")])
    complete, _ = imputer.apply(rows)
    assert complete["humidity_mean"].tolist() == [20.0, 80.0, 40.0]
    assert complete["superheat_mean"].tolist() == [6.0, 6.0, 6.0]


def test_rows_that_nothing_can_complete_are_left_out_and_returned() -> None:
    imputer = Imputer.fit(TRAINING.assign(superheat_mean=np.nan), FEATURES)
    rows = pd.DataFrame([row("x", "dry", np.nan, 1.0), row("y", "dry", np.nan, np.nan)], index=[7, 9])
    complete, left_out = imputer.apply(rows)
    assert complete["device_id"].tolist() == ["x"]
    assert left_out.equals(rows.loc[[9]])


def test_other_columns_and_the_given_frame_are_left_alone(imputer: Imputer) -> None:
    rows = pd.DataFrame([row("x", "dry", np.nan, 1.0)]).assign(note="kept")
    before = rows.copy()
    complete, _ = imputer.apply(rows)
    assert complete["note"].tolist() == ["kept"]
    assert rows.equals(before)


def test_a_missing_feature_column_is_named(imputer: Imputer) -> None:
    with pytest.raises(FridgeError, match="superheat_mean"):
        imputer.apply(TRAINING.drop(columns="superheat_mean"))


def test_a_saved_imputer_fills_alike(imputer: Imputer, tmp_path: Path) -> None:
    imputer.save(tmp_path)
    rows = pd.DataFrame([row("x", cohort, np.nan, np.nan) for cohort in ("dry", "wet", "unknown")])
    loaded = Imputer.load(tmp_path)
    assert loaded.features == FEATURES
    pd.testing.assert_frame_equal(loaded.apply(rows)[0], imputer.apply(rows)[0])

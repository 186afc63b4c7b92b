"""Each device is compared with itself, and with its cohort while it has little history (SPEC 2.1)."""

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.settings import Settings
from fridge_assets_tests.models.synthetic import feature_rows

SETTINGS = Settings()


def fit(rows: pd.DataFrame) -> StatisticalBaseline:
    return StatisticalBaseline.fit(rows, MODEL_FEATURES, SETTINGS, seed=0)


def expected(model: StatisticalBaseline, level: str, name: str) -> pd.Series:
    table = model.windows.expectations
    return table[(table["level"] == level) & (table["name"] == name)].iloc[0]


def typical(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per device, at the medians of its history."""
    return rows.groupby(["device_id", "cohort"], as_index=False)[list(MODEL_FEATURES)].median()


def test_device_with_a_day_of_history_is_compared_with_itself() -> None:
    rows = feature_rows(devices=40, windows=192)
    model = fit(rows)
    own = rows.loc[rows["device_id"] == "device-000007", "superheat_mean"].median()
    assert expected(model, "device", "device-000007")["location_superheat_mean"] == pytest.approx(own, rel=0.01)


def test_device_with_little_history_is_compared_with_its_cohort() -> None:
    long, newcomer = feature_rows(devices=40, windows=192), feature_rows(devices=41, windows=4).tail(4)
    newcomer = newcomer.assign(cohort="model-0|zone", superheat_mean=newcomer["superheat_mean"] + 100)
    model = fit(pd.concat([long, newcomer], ignore_index=True))
    cohort, device = (expected(model, "cohort", "model-0|zone"), expected(model, "device", "device-000040"))
    own = newcomer["superheat_mean"].median()
    usual = cohort["location_superheat_mean"]
    drawn = (device["location_superheat_mean"] - usual) / (own - usual)
    assert 0 < drawn < 0.06  # an hour of a day
    assert device["scale_superheat_mean"] == pytest.approx(cohort["scale_superheat_mean"], rel=0.1)


def test_two_rows_per_device_over_a_month_do_not_make_every_device_strange() -> None:
    """100,000 devices leave room for two training rows each: what they say is believed only so far."""
    long = feature_rows(devices=400, windows=200, seed=2)
    two = long[long["window_start"].isin(long["window_start"].unique()[[20, 150]])]
    unseen = long[long["window_start"] == long["window_start"].max()]
    raw_unseen, raw_known = fit(two).raw_scores(unseen), fit(long).raw_scores(unseen)
    assert np.quantile(raw_unseen, 0.99) < 1.3 * np.quantile(raw_known, 0.99)


def test_unknown_device_is_compared_with_its_cohort_and_then_with_the_fleet() -> None:
    rows = feature_rows(devices=80, windows=30)
    model = fit(rows)
    usual = typical(rows)
    stranger = usual.assign(device_id="new")
    assert (model.raw_scores(stranger) < 3).all()
    elsewhere = stranger.assign(cohort="model-0|zone")
    foreign = usual["cohort"].to_numpy() != "model-0|zone"
    assert np.median(model.raw_scores(elsewhere)[foreign]) > 1.2 * np.median(model.raw_scores(stranger)[foreign])
    nowhere = model.raw_scores(stranger.assign(cohort="new"))
    assert np.median(nowhere) < np.median(model.raw_scores(elsewhere)[foreign])


def test_a_cohort_of_few_devices_borrows_the_fleets_statistics() -> None:
    rows = feature_rows(devices=40, windows=50)
    rows.loc[rows["device_id"] == "device-000000", "cohort"] = "lonely"
    model = fit(rows)
    lonely, fleet = expected(model, "cohort", "lonely"), expected(model, "fleet", "")
    numbers = [column for column in model.windows.expectations.columns if column.startswith(("location_", "scale_"))]
    assert lonely[numbers].tolist() == fleet[numbers].tolist()


def test_a_constant_sensor_does_not_explode() -> None:
    rows = feature_rows(devices=20, windows=100)
    rows[["humidity_mean", "humidity_std"]] = [45.0, 0.0]
    stuck = rows["device_id"] == "device-000004"
    rows.loc[stuck, ["superheat_mean", "superheat_std"]] = [8.0, 0.0]
    model = fit(rows)
    assert (model.windows.expectations.filter(like="scale_") > 0).all(axis=None)
    assert model.raw_scores(rows).max() < SETTINGS.baseline.max_z / 2
    noisy = rows[stuck].head(1).assign(superheat_mean=8.05)
    assert model.raw_scores(noisy)[0] < 4
    names, _ = model.explain(rows[stuck].head(1).assign(humidity_mean=46.0), 1)
    assert names == [["humidity_mean"]]


def test_a_sensor_that_comes_to_stand_still_is_noticed() -> None:
    rows = feature_rows(devices=20, windows=192)
    model = fit(rows)
    still = rows.groupby("device_id").tail(1).assign(pressure_low_std=0.0)
    names, _ = model.explain(still, 1)
    assert np.mean([row == ["pressure_low_std"] for row in names]) > 0.9


def test_a_device_that_began_to_fail_in_its_history_does_not_pass_for_one_that_varies_much() -> None:
    rows = feature_rows(devices=40, windows=192)
    own = rows["device_id"] == "device-000007"
    ramp = np.clip(np.linspace(-1.0, 1.5, own.sum()), 0, None) * 30
    rows.loc[own, "superheat_mean"] += ramp
    scale = expected(fit(rows), "device", "device-000007")["scale_superheat_mean"]
    assert scale < 3 * expected(fit(rows), "device", "device-000011")["scale_superheat_mean"]


def test_lost_readings_show_in_the_completeness() -> None:
    rows = feature_rows(devices=40, windows=96)
    some = np.random.default_rng(0).random(len(rows)) < 0.1
    rows.loc[some, "sensor_completeness"] = 1 - 1 / 210
    model = fit(rows)
    assert model.raw_scores(rows[some]).max() < 8
    losing = rows.groupby("device_id").tail(1).assign(sensor_completeness=0.93)
    names, _ = model.explain(losing, 1)
    assert np.mean([row == ["sensor_completeness"] for row in names]) > 0.9


def test_a_single_z_counts_at_most_max_z() -> None:
    rows = feature_rows(devices=20, windows=50)
    absurd = rows.head(1).assign(superheat_mean=1e9)
    _, strengths = fit(rows).explain(absurd, 1)
    assert strengths == [[SETTINGS.baseline.max_z]]


def test_one_device_alone_is_compared_with_itself() -> None:
    rows = feature_rows(devices=1, windows=80)
    model = fit(rows)
    assert np.median(model.raw_scores(rows)) < 2.5
    assert model.raw_scores(rows.tail(1).assign(superheat_mean=50.0))[0] > 5


def test_features_without_any_mean_or_std_are_refused() -> None:
    with pytest.raises(FridgeError, match="standard deviation"):
        StatisticalBaseline.fit(feature_rows(5, 5), ("pressure_ratio",), SETTINGS, seed=0)

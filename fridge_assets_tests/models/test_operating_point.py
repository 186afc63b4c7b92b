"""Healthy devices are compared at equal operating conditions, and faults are not explained away (SPEC 2.1)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models._operating_point import CONDITIONS, OperatingPoint
from fridge_assets.models.base import feature_matrix
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.settings import Settings
from fridge_assets_tests.models.synthetic import feature_rows

FEATURES = ("temp_evaporator_mean", "temp_condenser_mean", "humidity_mean")


def exposed_rows(devices: int = 40, windows: int = 192) -> pd.DataFrame:
    """Rows of a fleet with hot afternoons, defrosts that warm the coil by 7 K, and recoveries from them."""
    rows = feature_rows(devices, windows)
    rng = np.random.default_rng(4)
    hours = rows["window_start"].dt.hour + rows["window_start"].dt.minute / 60
    heat = 2.5 * np.cos(2 * np.pi * (hours - 15) / 24) + rng.normal(0, 0.2, len(rows))
    started = rng.random(len(rows)) < 0.05
    recovering = np.roll(started, 1)
    device = rows.groupby("device_id")
    rows["temp_ambient_mean"] = device["temp_ambient_mean"].transform("median") + heat
    rows["temp_condenser_mean"] += 0.9 * heat
    rows["defrost_active_fraction"] = np.where(started, rng.uniform(0.2, 1, len(rows)), 0.0)
    rows["temp_evaporator_mean"] += 7 * rows["defrost_active_fraction"] + 2 * recovering
    rows["temp_evaporator_slope"] = rng.normal(0, 0.02, len(rows)) + 0.3 * started - 0.3 * recovering
    return rows


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return exposed_rows()


@pytest.fixture(scope="module")
def fitted(rows: pd.DataFrame) -> OperatingPoint:
    return OperatingPoint.fit(rows, feature_matrix(rows, FEATURES), FEATURES, MODEL_FEATURES)


def adjusted(point: OperatingPoint, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(point.adjust(rows, feature_matrix(rows, FEATURES)), columns=FEATURES, index=rows.index)


def test_defrosts_and_recoveries_are_taken_out(rows: pd.DataFrame, fitted: OperatingPoint) -> None:
    usual = rows.groupby("device_id")["temp_evaporator_mean"].transform("median")
    defrosting = rows["defrost_active_fraction"] > 0.6
    recovering = (rows["temp_evaporator_slope"] < -0.15) & ~(rows["defrost_active_fraction"] > 0)
    after = adjusted(fitted, rows)["temp_evaporator_mean"] - usual
    for affected, warmer in ((defrosting, 5.0), (recovering, 1.8)):
        assert (rows["temp_evaporator_mean"] - usual)[affected].mean() > warmer
        assert abs(after[affected].mean()) < 0.5


def test_a_hot_afternoon_is_taken_out_of_the_condenser(rows: pd.DataFrame, fitted: OperatingPoint) -> None:
    device = rows["device_id"]

    def correlation(values: pd.Series) -> float:
        own = values - values.groupby(device).transform("mean")
        heat = rows["temp_ambient_mean"] - rows["temp_ambient_mean"].groupby(device).transform("mean")
        return float(np.corrcoef(own, heat)[0, 1])

    assert correlation(rows["temp_condenser_mean"]) > 0.3
    assert abs(correlation(adjusted(fitted, rows)["temp_condenser_mean"])) < 0.1


def test_conditions_themselves_are_never_adjusted(rows: pd.DataFrame) -> None:
    values = feature_matrix(rows, CONDITIONS)
    point = OperatingPoint.fit(rows, values, CONDITIONS, MODEL_FEATURES)
    np.testing.assert_array_equal(point.adjust(rows, values), values)


def test_an_ambient_sensor_far_off_changes_the_others_no_more_than_the_hottest_hour_seen(
    rows: pd.DataFrame, fitted: OperatingPoint
) -> None:
    hottest = rows["temp_ambient_mean"].max()
    one = rows.head(20)
    at_hottest, absurd = (adjusted(fitted, one.assign(temp_ambient_mean=value)) for value in (hottest, 1e9))
    pd.testing.assert_frame_equal(at_hottest, absurd)


def test_a_few_faulty_devices_do_not_bend_the_effects(rows: pd.DataFrame, fitted: OperatingPoint) -> None:
    spoiled = rows.copy()
    faulty = rows["device_id"].isin(["device-000003", "device-000020"])
    late = rows["window_end"] > rows["window_end"].quantile(0.6)
    spoiled.loc[faulty & late, "temp_condenser_mean"] += 40.0
    bent = OperatingPoint.fit(spoiled, feature_matrix(spoiled, FEATURES), FEATURES, MODEL_FEATURES)
    difference = adjusted(bent, rows) - adjusted(fitted, rows)
    assert difference["temp_condenser_mean"].abs().quantile(0.95) < 1.2  # least squares: 1.7


def test_windows_of_an_unknown_cohort_have_the_fleets_effects(rows: pd.DataFrame, fitted: OperatingPoint) -> None:
    hot = rows.assign(cohort="never seen", temp_ambient_mean=rows["temp_ambient_mean"] + 2)
    fall = adjusted(fitted, hot.assign(temp_ambient_mean=rows["temp_ambient_mean"])) - adjusted(fitted, hot)
    assert 1.0 < fall["temp_condenser_mean"].median() < 2.5


def test_without_ambient_and_defrost_sensors_values_stay_as_they_are(rows: pd.DataFrame) -> None:
    values = feature_matrix(rows, FEATURES)
    point = OperatingPoint.fit(rows, values, FEATURES, FEATURES)
    assert point.conditions == ()
    np.testing.assert_array_equal(point.adjust(rows, values), values)
    np.testing.assert_array_equal(point.scatter(rows), np.ones_like(values))


def test_what_is_saved_adjusts_to_the_same_bits(rows: pd.DataFrame, fitted: OperatingPoint, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    loaded = OperatingPoint.load(tmp_path)
    pd.testing.assert_frame_equal(adjusted(loaded, rows), adjusted(fitted, rows), check_exact=True)
    np.testing.assert_array_equal(loaded.scatter(rows), fitted.scatter(rows))


def test_defrosts_are_not_strange_and_a_fouled_condenser_at_the_same_ambient_is(rows: pd.DataFrame) -> None:
    model = StatisticalBaseline.fit(rows, MODEL_FEATURES, Settings(), seed=0)
    raw = model.raw_scores(rows)
    defrosting = (rows["defrost_active_fraction"] > 0).to_numpy()
    assert np.quantile(raw[defrosting], 0.95) < 1.3 * np.quantile(raw[~defrosting], 0.95)
    hot = rows[rows["window_start"].dt.hour == 15].head(200)
    fouled = hot.assign(temp_condenser_mean=hot["temp_condenser_mean"] + 20)
    names, _ = model.explain(fouled, 1)
    assert np.mean([row == ["temp_condenser_mean"] for row in names]) > 0.95


def test_a_door_that_stays_open_and_a_drifting_ambient_sensor_stay_visible(rows: pd.DataFrame) -> None:
    model = StatisticalBaseline.fit(rows, MODEL_FEATURES, Settings(), seed=0)
    some = rows.groupby("device_id").tail(1)
    for name, value in (("door_open_fraction", 0.95), ("temp_ambient_mean", 60.0)):
        names, _ = model.explain(some.assign(**{name: value}), 1)
        assert np.mean([row == [name] for row in names]) > 0.9


@pytest.fixture(scope="module")
def resting() -> pd.DataFrame:
    """Machines without a sensor of defrosts: each fifth window at rest, each tenth in a defrost."""
    rows = feature_rows(30, 192).drop(columns="defrost_active_fraction")
    number = np.arange(len(rows))
    state = np.where(number % 10 == 3, "defrost", np.where(number % 5 == 1, "off", "running"))
    rows["temp_condenser_mean"] -= 15.0 * (state == "off")
    rows["temp_evaporator_mean"] += 20.0 * (state == "defrost")
    return rows.assign(operating_state=state)


def test_what_a_machine_does_is_taken_out_also_where_only_its_state_tells(resting: pd.DataFrame) -> None:
    offered = tuple(name for name in MODEL_FEATURES if name in resting.columns)
    point = OperatingPoint.fit(resting, feature_matrix(resting, FEATURES), FEATURES, offered)
    assert point.limits.states == ("defrost", "off")
    after = adjusted(point, resting).groupby(resting["operating_state"].to_numpy()).mean()
    for state, feature in (("off", "temp_condenser_mean"), ("defrost", "temp_evaporator_mean")):
        assert abs(after.loc[state, feature] - after.loc["running", feature]) < 1.5
    for state in ("unknown", "standstill", None):  # no effect is known: as if it ran
        unknown = adjusted(point, resting.assign(operating_state=state))
        pd.testing.assert_frame_equal(unknown, adjusted(point, resting.assign(operating_state="running")))
    with pytest.raises(FridgeError, match="operating_state"):
        adjusted(point, resting.drop(columns="operating_state"))


def test_effects_of_states_survive_saving(resting: pd.DataFrame, tmp_path: Path) -> None:
    offered = tuple(name for name in MODEL_FEATURES if name in resting.columns)
    point = OperatingPoint.fit(resting, feature_matrix(resting, FEATURES), FEATURES, offered)
    point.save(tmp_path)
    pd.testing.assert_frame_equal(adjusted(OperatingPoint.load(tmp_path), resting), adjusted(point, resting))


def test_a_fault_in_a_state_is_not_explained_away_by_it(resting: pd.DataFrame) -> None:
    offered = tuple(name for name in MODEL_FEATURES if name in resting.columns)
    model = StatisticalBaseline.fit(resting, offered, Settings(), 0)
    faulty = resting[resting["operating_state"] == "off"].copy()
    faulty["temp_condenser_mean"] += 15.0  # warm at rest as it is when it runs
    assert np.median(model.raw_scores(faulty)) > 1.8 * np.median(model.raw_scores(resting))


@pytest.fixture(scope="module")
def cycling() -> pd.DataFrame:
    """Machines that start and stop: what a window shows is a mixture of run and rest."""
    rows = feature_rows(30, 192)
    rng = np.random.default_rng(7)
    share = np.where(rng.random(len(rows)) < 0.2, 1.0, rng.uniform(0.1, 0.9, len(rows)))
    rows["temp_condenser_mean"] -= 15.0 * (1 - share)
    return rows.assign(operating_state=np.where(share < 1, "cycling", "running"), compressor_run_share=share)


def test_how_much_of_a_window_the_compressor_ran_is_taken_out(cycling: pd.DataFrame, tmp_path: Path) -> None:
    point = OperatingPoint.fit(cycling, feature_matrix(cycling, FEATURES), FEATURES, MODEL_FEATURES)
    usual = cycling.groupby("device_id")["temp_condenser_mean"].transform("median")
    left = adjusted(point, cycling)["temp_condenser_mean"] - usual
    assert np.corrcoef(cycling["temp_condenser_mean"] - usual, cycling["compressor_run_share"])[0, 1] > 0.8
    assert abs(np.corrcoef(left, cycling["compressor_run_share"])[0, 1]) < 0.1
    unknown = adjusted(point, cycling.assign(compressor_run_share=np.nan))
    usually = adjusted(point, cycling.assign(compressor_run_share=point.limits.run_share))
    pd.testing.assert_frame_equal(unknown, usually)
    point.save(tmp_path)
    pd.testing.assert_frame_equal(adjusted(OperatingPoint.load(tmp_path), cycling), adjusted(point, cycling))
    with pytest.raises(FridgeError, match="compressor_run_share"):
        adjusted(point, cycling.drop(columns="compressor_run_share"))


def test_a_fault_of_a_machine_that_starts_and_stops_is_not_hidden_by_its_cycles(cycling: pd.DataFrame) -> None:
    faulty = cycling[cycling["operating_state"] == "cycling"].copy()
    faulty["temp_condenser_mean"] += 7.0

    def contrast(rows: pd.DataFrame) -> float:
        model = StatisticalBaseline.fit(rows, MODEL_FEATURES, Settings(), 0)
        return float(np.median(model.raw_scores(faulty)) / np.median(model.raw_scores(cycling)))

    assert contrast(cycling) > 1.1 * contrast(cycling.drop(columns="compressor_run_share"))


def test_how_long_a_compressor_has_stood_is_taken_out(resting: pd.DataFrame) -> None:
    minutes = np.where(resting["operating_state"] == "off", np.arange(len(resting)) % 160 + 1.0, 0.0)
    rows = resting.assign(minutes_since_running=minutes)
    rows["temp_condenser_mean"] -= 3.0 * np.log1p(minutes)
    offered = tuple(name for name in MODEL_FEATURES if name in rows.columns)
    point = OperatingPoint.fit(rows, feature_matrix(rows, FEATURES), FEATURES, offered)
    off = (rows["operating_state"] == "off").to_numpy()
    usual = rows.groupby("device_id")["temp_condenser_mean"].transform("median")
    left = (adjusted(point, rows)["temp_condenser_mean"] - usual)[off]
    assert abs(np.corrcoef(left, np.log1p(minutes[off]))[0, 1]) < 0.15
    a_day = rows[off].assign(minutes_since_running=1440.0)
    pd.testing.assert_frame_equal(
        adjusted(point, rows[off].assign(minutes_since_running=np.nan)), adjusted(point, a_day)
    )

"""Training learns from good windows of active devices, spread evenly and chosen reproducibly (SPEC 2.1)."""

from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import DEVICE_FEATURES, MODEL_FEATURES, OPERATING_COLUMNS
from fridge_assets.models.selection import OPERATION, STATE, select_training_rows
from fridge_assets.settings import Settings, TrainingSettings
from fridge_assets_tests.models.synthetic import NOW, START, feature_rows

WINDOW = pd.Timedelta(minutes=15)


def table(rows: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(DEVICE_FEATURES.create_table_sql())
    lacking = [column.name for column in OPERATING_COLUMNS if column.name not in rows.columns]
    arrow = DEVICE_FEATURES.to_arrow(rows.assign(window_duration_minutes=15, **dict.fromkeys(lacking)))
    connection.register("given", arrow)
    connection.execute("INSERT INTO device_features SELECT * FROM given")
    connection.unregister("given")
    return connection


def devices_of(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[["device_id", "cohort"]].drop_duplicates().assign(status="active")


def at_most(rows: int, **limits: object) -> Settings:
    return Settings(training=TrainingSettings(max_rows=rows, **limits))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return feature_rows(devices=20, windows=100)


def test_every_usable_window_is_taken_while_they_fit(rows: pd.DataFrame) -> None:
    selected = select_training_rows(table(rows), devices_of(rows), NOW, at_most(2000), "window")
    assert list(selected.columns) == ["device_id", "cohort", "window_end", STATE, *OPERATION, *MODEL_FEATURES]
    unknown = {STATE: pd.Series(dtype="str")} | dict.fromkeys(OPERATION, np.nan)
    expected = rows.assign(**unknown)[list(selected.columns)].sort_values(
        ["device_id", "window_end"], ignore_index=True
    )
    pd.testing.assert_frame_equal(selected, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("column", "bad"), [("own_completeness", 0.69), ("reading_count", 8), ("quality_flag_count", 6)]
)
def test_poor_windows_are_left_out(rows: pd.DataFrame, column: str, bad: float) -> None:
    poor = rows.copy()
    poor.loc[[5, 77], column] = bad
    selected = select_training_rows(table(poor), devices_of(rows), NOW, at_most(2000), "window")
    assert len(selected) == len(rows) - 2


def test_unusual_values_never_leave_a_window_out(rows: pd.DataFrame) -> None:
    unusual = rows.assign(quality_flag_count=15, range_violation_count=15)
    assert len(select_training_rows(table(unusual), devices_of(rows), NOW, at_most(2000), "window")) == len(rows)


def test_windows_of_an_earlier_release_are_judged_by_the_completeness_that_they_have(rows: pd.DataFrame) -> None:
    old = rows.assign(own_completeness=np.nan, range_violation_count=pd.NA)
    old.loc[[5, 77], "sensor_completeness"] = 0.69
    assert len(select_training_rows(table(old), devices_of(rows), NOW, at_most(2000), "window")) == len(rows) - 2


@pytest.mark.parametrize(("readings", "apart"), [(90, 1), (15, 1), (3, 1), (1, 1), (1, 4)])
def test_how_many_readings_a_window_needs_depends_on_the_interval_of_its_device(readings: int, apart: int) -> None:
    rows = feature_rows(devices=3, windows=80)
    number = ((rows["window_end"] - START) / WINDOW).round().astype(int)
    rows = rows[number % apart == 0].assign(reading_count=readings).reset_index(drop=True)
    few = rows.copy()
    few.loc[[3, 7], "reading_count"] = max(readings // 2, 1)
    selected = select_training_rows(table(few), devices_of(rows), NOW, at_most(2000), "window")
    assert len(selected) == len(rows) - (2 if readings > 1 else 0)


def test_retired_unknown_future_old_and_excluded_windows_are_left_out(rows: pd.DataFrame) -> None:
    devices = devices_of(rows)
    devices.loc[0, "status"] = "retired"
    devices = devices.iloc[:-1]
    now = (START + 90 * WINDOW).to_pydatetime()
    excluded = rows.loc[rows["device_id"] == "device-000003", ["device_id", "window_end"]]
    settings = at_most(2000, history=timedelta(hours=10))
    selected = select_training_rows(table(rows), devices, now, settings, "window", excluded)
    assert selected["window_end"].max() == now
    assert selected["window_end"].min() == START + 51 * WINDOW
    assert set(selected["device_id"]) == {f"device-{d:06d}" for d in range(20)} - {
        "device-000000", "device-000003", "device-000019",
    }  # fmt: skip


def test_a_sample_keeps_every_device_spread_over_time() -> None:
    rows = feature_rows(devices=250, windows=100)
    selected = select_training_rows(table(rows), devices_of(rows), NOW, at_most(1000), "window")
    assert selected.groupby("device_id").size().tolist() == [4] * 250
    quarter = ((selected["window_end"] - START) / WINDOW - 1) // 25
    assert selected.groupby("device_id").size().eq(quarter.groupby(selected["device_id"]).nunique()).all()
    # within a quarter the devices take different windows, so that no time of day is missed
    assert selected["window_end"].nunique() > 90
    shares = selected["cohort"].value_counts(normalize=True)
    assert shares.to_numpy() == pytest.approx(0.25, abs=0.01)


def test_a_fleet_larger_than_the_sample_is_sampled_by_device() -> None:
    rows = feature_rows(devices=1500, windows=2)
    selected = select_training_rows(table(rows), devices_of(rows), NOW, at_most(1000), "window")
    assert len(selected) == 1000
    assert selected["device_id"].nunique() == 1000
    assert selected["cohort"].value_counts(normalize=True).to_numpy() == pytest.approx(0.25, abs=0.05)


def test_the_same_table_gives_the_same_rows_in_whatever_order_it_is_stored() -> None:
    rows = feature_rows(devices=300, windows=30)
    first = select_training_rows(table(rows), devices_of(rows), NOW, at_most(1000), "window")
    shuffled = table(rows.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(first, select_training_rows(shuffled, devices_of(rows), NOW, at_most(1000), "window"))


def test_nulls_are_filled_from_the_devices_last_day_as_in_scoring() -> None:
    rows = feature_rows(devices=2, windows=200)
    gappy = rows.copy()
    gappy.loc[10:150, "humidity_mean"] = np.nan  # device 0; window 9 is the last one with a value
    gappy["superheat_mean"] = np.nan  # nobody has it
    selected = select_training_rows(table(gappy), devices_of(rows), NOW, at_most(2000), "window")
    humidity = selected["humidity_mean"].iloc[:200]
    assert humidity.iloc[10:106].eq(rows["humidity_mean"][9]).all()
    assert humidity.iloc[106:151].isna().all()
    assert humidity.iloc[151:].notna().all()
    assert selected["superheat_mean"].isna().all()


def test_no_usable_window_gives_no_rows(rows: pd.DataFrame) -> None:
    selected = select_training_rows(table(rows), devices_of(rows), START.to_pydatetime(), Settings(), "window")
    assert selected.empty
    assert list(selected.columns) == ["device_id", "cohort", "window_end", STATE, *OPERATION, *MODEL_FEATURES]


def test_rare_operating_states_are_among_the_rows_however_few_are_taken_and_the_same_every_time() -> None:
    rows = feature_rows(devices=40, windows=200)
    states = np.full(len(rows), "running", dtype=object)
    states[[7, 1500, 4444, 7999]], states[3000:3090] = "standstill", "pull-down"
    given = rows.assign(operating_state=states)
    limits = {"min_state_rows": 30}
    selected = select_training_rows(table(given), devices_of(given), NOW, at_most(1000, **limits), "window")
    assert selected["operating_state"].value_counts().to_dict() == {"running": 989, "pull-down": 30, "standstill": 4}
    assert not selected.duplicated(["device_id", "window_end"]).any()
    shuffled = given.sample(frac=1, random_state=3)
    again = select_training_rows(table(shuffled), devices_of(given), NOW, at_most(1000, **limits), "window")
    pd.testing.assert_frame_equal(again, selected)

"""A day is the mean of its windows, the same whatever order and threads they come in (SPEC 2.1)."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.models.day_view import day_means
from fridge_assets.models.selection import select_training_rows
from fridge_assets.scoring.model_input import read_model_input
from fridge_assets.settings import Settings, TrainingSettings
from fridge_assets_tests.models.synthetic import NOW, START, feature_rows
from fridge_assets_tests.models.test_selection import devices_of, table

SETTINGS = Settings()
FEATURES = list(MODEL_FEATURES)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return feature_rows(devices=12, windows=250)


def expected(rows: pd.DataFrame, device: str, end: pd.Timestamp) -> pd.Series:
    own = rows[(rows["device_id"] == device) & (rows["window_end"] <= end)]
    own = own[(own["window_end"] > end - pd.Timedelta(hours=24)) & (own["own_completeness"] >= 0.5)]
    return own[FEATURES].mean()


def test_a_day_is_the_mean_of_its_windows(rows: pd.DataFrame) -> None:
    gappy = rows.copy()
    gappy.loc[200:220, "humidity_mean"] = np.nan
    gappy.loc[225, ["own_completeness", "humidity_std"]] = [0.3, 1e6]
    ends = gappy.loc[[3, 100, 230, 249, 2 * 250 + 120], ["device_id", "window_end"]]
    days = day_means(table(gappy), ends, SETTINGS)
    assert days["windows"].tolist() == [4, 96, 95, 95, 96]
    for _, day in days.iterrows():
        usual = expected(gappy, day["device_id"], day["window_end"])
        np.testing.assert_allclose(day[FEATURES].astype(float), usual, atol=1e-6)


def test_the_same_windows_give_the_same_bits_in_any_order_and_on_any_number_of_threads(rows: pd.DataFrame) -> None:
    ends = rows[["device_id", "window_end"]]
    found = []
    for order, threads in ((1, 1), (2, 4)):
        connection = table(rows.sample(frac=1, random_state=order))
        connection.execute(f"SET threads = {threads}")
        found.append(day_means(connection, ends, SETTINGS))
    pd.testing.assert_frame_equal(*found, check_exact=True)


def test_training_and_scoring_see_the_same_day(rows: pd.DataFrame) -> None:
    connection = table(rows)
    selected = select_training_rows(connection, devices_of(rows), NOW, SETTINGS, "day")
    assert selected["window_end"].min() >= START + pd.Timedelta(hours=24)  # two days of history: whole days only
    per_device = selected.groupby("device_id").size()
    assert per_device.between(38, 40).all()  # one an hour
    end = selected["window_end"].max()
    scored = read_model_input(connection, end.to_pydatetime(), devices_of(rows), SETTINGS, "day").rows
    trained_on = selected[selected["window_end"] == end].set_index("device_id")[FEATURES]
    pd.testing.assert_frame_equal(
        scored.set_index("device_id").loc[trained_on.index, FEATURES], trained_on, check_exact=True
    )


def test_a_large_fleet_gives_fewer_days(rows: pd.DataFrame) -> None:
    settings = Settings(training=TrainingSettings(max_day_rows=1000))
    many = feature_rows(devices=600, windows=20)
    assert len(select_training_rows(table(many), devices_of(many), NOW, settings, "day")) == pytest.approx(600, abs=300)


def test_a_fleet_of_six_hours_has_days_and_a_device_of_three_windows_has_none() -> None:
    rows = feature_rows(devices=8, windows=24)
    young = rows["device_id"] == "device-000005"
    rows = rows[~young | (rows["window_end"] > rows["window_end"].max() - pd.Timedelta(minutes=45))]
    connection: duckdb.DuckDBPyConnection = table(rows)
    given = read_model_input(connection, rows["window_end"].max().to_pydatetime(), devices_of(rows), SETTINGS, "day")
    assert len(given.rows) == 7
    assert given.left_out == {"fewer than 4 usable windows in 1 d": ["device-000005"]}
    selected = select_training_rows(connection, devices_of(rows), NOW, SETTINGS, "day")
    assert set(selected["device_id"]) == set(rows["device_id"]) - {"device-000005"}
    assert selected["window_end"].min() >= START + pd.Timedelta(hours=1)


def test_no_usable_window_gives_no_days(rows: pd.DataFrame) -> None:
    selected = select_training_rows(table(rows), devices_of(rows), START.to_pydatetime(), SETTINGS, "day")
    assert selected.empty
    assert list(selected.columns) == ["device_id", "cohort", "window_end", *MODEL_FEATURES]

"""What a model gets to see: one closed, young window, and nobody who should not be scored (SPEC 2)."""

from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.features.compute import newest_window_end
from fridge_assets.scoring.model_input import FeaturesStale, window_to_score
from fridge_assets.settings import Settings
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place
from fridge_assets_tests.scoring.inputs import WINDOW, change, fleet_of, model_input

DAY = timedelta(hours=24)


def test_features_of_45_minutes_are_scored_and_older_ones_refused_with_what_to_do(settings: Settings) -> None:
    assert window_to_score(WINDOW, WINDOW + timedelta(minutes=45), settings.features) == WINDOW
    with pytest.raises(
        FeaturesStale,
        match=r"07:00 UTC and it is .*; features older than 45 min are not scored.*--as-of latest",
    ):
        window_to_score(WINDOW, WINDOW + timedelta(minutes=45, seconds=1), settings.features)


def test_without_features_the_way_out_is_named(settings: Settings) -> None:
    with pytest.raises(FeaturesStale, match="fridge-assets ingest FILE"):
        window_to_score(None, WINDOW, settings.features)


def test_a_window_that_ends_after_now_does_not_exist_yet(cycled: Place) -> None:
    with cycled.warehouse.read() as connection:
        assert newest_window_end(connection, WINDOW) == WINDOW
        assert newest_window_end(connection, WINDOW - timedelta(seconds=1)) == WINDOW - timedelta(minutes=15)


def test_rows_carry_their_cohort_and_come_in_order_of_their_device(cycled: Place) -> None:
    given = model_input(cycled)
    assert given.rows["device_id"].tolist() == fleet_of(cycled)["device_id"].tolist()
    assert set(given.rows.columns) == {*DEVICE_FEATURES.column_names, "cohort"}
    assert (given.rows["window_end"] == WINDOW).all()
    assert (given.active, given.left_out) == (DEVICES, {})


def test_a_row_of_half_completeness_is_scored_and_one_below_is_counted_as_left_out(cycled: Place) -> None:
    at_limit, below = fleet_of(cycled)["device_id"].iloc[:2]
    sql = "UPDATE device_features SET own_completeness = ? WHERE device_id = ? AND window_end = ?"
    change(cycled, sql, 0.5, at_limit, WINDOW)
    change(cycled, sql, 0.4999, below, WINDOW)
    given = model_input(cycled)
    assert given.left_out == {"less than 50% of the values of the sensors they have": [below]}
    assert at_limit in given.rows["device_id"].tolist()
    assert below not in given.rows["device_id"].tolist()


def test_a_device_without_a_reading_in_the_window_is_counted_as_silent(cycled: Place) -> None:
    silent = fleet_of(cycled)["device_id"].iloc[3]
    change(cycled, "DELETE FROM device_features WHERE device_id = ? AND window_end = ?", silent, WINDOW)
    given = model_input(cycled)
    assert given.left_out == {"no readings in the window": [silent]}
    assert (given.active, len(given.rows)) == (DEVICES, DEVICES - 1)


def test_a_retired_device_is_neither_scored_nor_missed(cycled: Place) -> None:
    file = cycled.root / "device_registry.csv"
    registry = pd.read_csv(file, dtype="str")
    retired = registry.loc[5, "device_id"]
    registry.loc[5, "status"] = "retired"
    registry.to_csv(file, index=False)
    given = model_input(cycled)
    assert retired not in given.rows["device_id"].tolist()
    assert (given.active, given.left_out) == (DEVICES - 1, {})


def test_a_null_brings_the_most_recent_value_of_the_device_itself_not_older_than_a_day(cycled: Place) -> None:
    with_null, forgotten, whole = fleet_of(cycled)["device_id"].iloc[:3]
    for device in (with_null, forgotten):
        change(
            cycled,
            "UPDATE device_features SET humidity_mean = NULL WHERE device_id = ? AND window_end >= ?",
            device,
            WINDOW - timedelta(minutes=15),
        )
    # Of the second device only what is older than a day is left.
    change(cycled, "UPDATE device_features SET humidity_mean = NULL WHERE device_id = ?", forgotten)
    old = "SELECT * REPLACE (?::TIMESTAMPTZ AS window_end, ? AS humidity_mean) FROM device_features"
    where = "WHERE device_id = ? AND window_end = ?"
    earlier = WINDOW - timedelta(minutes=30)
    change(cycled, f"INSERT INTO device_features {old} {where}", WINDOW - DAY, 33.0, with_null, earlier)
    change(
        cycled,
        f"INSERT INTO device_features {old} {where}",
        WINDOW - DAY - timedelta(minutes=15),
        44.0,
        forgotten,
        earlier,
    )
    expected = cycled.query(f"SELECT humidity_mean FROM device_features {where}", with_null, earlier)[0][0]

    recent = model_input(cycled).recent.set_index("device_id")["humidity_mean"]

    assert set(recent.index) == {with_null, forgotten}
    assert whole not in recent.index
    assert recent[with_null] == expected
    assert pd.isna(recent[forgotten])


def test_a_value_of_exactly_one_day_ago_still_stands_in(cycled: Place) -> None:
    device = fleet_of(cycled)["device_id"].iloc[0]
    change(cycled, "UPDATE device_features SET humidity_mean = NULL WHERE device_id = ?", device)
    change(
        cycled,
        "INSERT INTO device_features SELECT * REPLACE (?::TIMESTAMPTZ AS window_end, 33.0 AS humidity_mean) "
        "FROM device_features WHERE device_id = ? AND window_end = ?",
        WINDOW - DAY,
        device,
        WINDOW,
    )
    assert model_input(cycled).recent["humidity_mean"].tolist() == [33.0]


def test_a_row_of_half_the_usual_readings_is_scored_and_one_of_fewer_is_counted_as_left_out(cycled: Place) -> None:
    at_limit, below = fleet_of(cycled)["device_id"].iloc[:2]
    for device in (at_limit, below):
        change(cycled, "UPDATE device_features SET reading_count = 14 WHERE device_id = ?", device)
    sql = "UPDATE device_features SET reading_count = ? WHERE device_id = ? AND window_end = ?"
    change(cycled, sql, 7, at_limit, WINDOW)
    change(cycled, sql, 6, below, WINDOW)
    given = model_input(cycled)
    assert given.left_out == {"less than 50% of the readings that they usually send": [below]}
    assert at_limit in given.rows["device_id"].tolist()

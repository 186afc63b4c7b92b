"""Duplicates, late readings, nulls and wrong clocks at their shares (SPEC 10)."""

import pandas as pd
import pytest

from fridge_assets.contracts import SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation import PERFECT_DELIVERY, Delivery, Fleet, simulate_registry
from fridge_assets_tests.simulation.spans import HOUR, START

DEVICES = 2000
VALUES = [sensor.name for sensor in SENSORS]


def deliver(delivery: Delivery) -> pd.DataFrame:
    fleet = Fleet(simulate_registry(DEVICES, 5), 5, START, START + HOUR, delivery=delivery)
    return fleet.readings(START, START + HOUR).to_pandas()


@pytest.fixture(scope="module")
def usual() -> pd.DataFrame:
    return deliver(Delivery())


@pytest.fixture(scope="module")
def perfect() -> pd.DataFrame:
    return deliver(PERFECT_DELIVERY)


def test_perfect_delivery_has_one_complete_prompt_reading_a_device_and_minute(perfect: pd.DataFrame) -> None:
    assert len(perfect) == DEVICES * 60
    assert perfect.notna().all(axis=None)
    assert not perfect.duplicated(["device_id", "sequence_number"]).any()


def test_duplicates_repeat_everything_but_the_arrival(usual: pd.DataFrame) -> None:
    key = ["device_id", "sequence_number"]
    copies = usual[usual.duplicated(key)]
    assert len(copies) / len(usual) == pytest.approx(0.002, rel=0.3)
    both = usual.merge(copies[key]).drop_duplicates()
    same = [column for column in usual.columns if column != "timestamp_ingested"]
    assert both.groupby(key).size().ge(2).all()
    assert not both[same].drop_duplicates().duplicated(key).any()


def test_some_readings_are_late_and_a_few_very_late(usual: pd.DataFrame) -> None:
    first = usual.drop_duplicates(["device_id", "sequence_number"])
    delay = first["timestamp_ingested"] - (START + pd.to_timedelta(first["sequence_number"], unit="min"))
    late = delay.between(pd.Timedelta("2min"), pd.Timedelta("32min")).mean()
    assert late == pytest.approx(0.005, rel=0.2)
    assert 0 < (delay > pd.Timedelta("32min")).mean() < 0.001
    assert delay.max() < pd.Timedelta("6.1h")


def test_one_value_in_a_thousand_is_null_in_every_sensor(usual: pd.DataFrame) -> None:
    nulls = usual[VALUES].isna().mean()
    assert nulls.mean() == pytest.approx(0.001, rel=0.1)
    assert nulls.between(0.0005, 0.0015).all()


def test_what_is_not_null_is_what_was_measured(usual: pd.DataFrame, perfect: pd.DataFrame) -> None:
    key = ["device_id", "sequence_number"]
    delivered = usual.drop_duplicates(key).set_index(key)[VALUES].sort_index()
    measured = perfect.set_index(key)[VALUES].sort_index()
    assert ((delivered == measured) | delivered.isna()).all(axis=None)


def test_very_few_clocks_are_more_than_a_day_off(usual: pd.DataFrame) -> None:
    true_time = START + pd.to_timedelta(usual["sequence_number"], unit="min")
    error = (usual["timestamp_device"] - true_time).abs()
    wrong = usual.loc[error > pd.Timedelta("24h"), "device_id"].unique()
    assert len(wrong) == 1
    assert error[usual["device_id"] != wrong[0]].max() < pd.Timedelta("1min")


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(FridgeError, match="nulls=2"):
        Delivery(nulls=2)

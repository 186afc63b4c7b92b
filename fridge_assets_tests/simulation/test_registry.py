"""The simulated registry (SPEC 1.1, 10)."""

import pandas as pd
import pytest

from fridge_assets.contracts import DEVICE_REGISTRY
from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.refrigerants import PRESSURES
from fridge_assets.simulation import MACHINES, simulate_registry


def test_registry_has_the_contracts_columns_and_the_acute_thresholds_of_the_specification() -> None:
    registry = simulate_registry(50, seed=1)
    assert tuple(registry.columns) == DEVICE_REGISTRY.column_names
    assert registry["device_id"].is_unique
    assert registry["device_id"].iloc[7] == "device-000007"
    assert registry["site_id"].iloc[-1] == "site-0004"
    assert str(registry["install_date"].dt.tz) == "UTC"
    assert set(registry["status"]) == {"active"}
    assert registry["current_threshold"].eq(40).all()
    assert registry["temperature_rise_threshold"].eq(2.0).all()


def test_eight_cohorts_are_equally_frequent_and_a_site_has_one_climate_and_a_dozen_devices() -> None:
    registry = simulate_registry(960, seed=1)
    assert registry.groupby(["model", "climate_zone"]).size().tolist() == [120] * 8
    assert registry.groupby("site_id").size().eq(12).all()
    assert registry.groupby("site_id")["climate_zone"].nunique().eq(1).all()
    assert registry["region"].nunique() == 4


def test_machines_that_start_and_stop_say_their_refrigerant_so_that_their_ranges_hold() -> None:
    registry = simulate_registry(60, 1, MACHINES["mixed"])
    cycling = registry["model"].isin({model.name for model in MACHINES["cycling"]})
    assert set(registry.loc[cycling, "refrigerant"]) <= set(PRESSURES)
    assert registry.loc[~cycling, "refrigerant"].isna().all()


def test_same_seed_gives_the_same_registry_and_another_seed_another() -> None:
    pd.testing.assert_frame_equal(simulate_registry(40, seed=5), simulate_registry(40, seed=5))
    assert not simulate_registry(40, seed=5).equals(simulate_registry(40, seed=6))


def test_a_fleet_without_devices_is_refused() -> None:
    with pytest.raises(FridgeError, match="0 devices"):
        simulate_registry(0, seed=1)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(FridgeError, match="-3 is negative"):
        simulate_registry(5, seed=-3)

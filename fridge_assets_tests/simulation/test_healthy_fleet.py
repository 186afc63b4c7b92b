"""Healthy statistics and the physics that holds readings together (SPEC 10)."""

import numpy as np
import pandas as pd
import pytest
from CoolProp.CoolProp import PropsSI

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.simulation import PERFECT_DELIVERY, Fleet, simulate_registry
from fridge_assets_tests.simulation.spans import HOUR, MINUTE, START

FREEZER = {
    "temperature_evaporator": (-25, 3),
    "temperature_condenser": (40, 5),
    "temperature_ambient": (22, 4),
    "temperature_discharge": (70, 8),
    "temperature_suction": (-10, 3),
    "pressure_high_side": (1500, 150),
    "pressure_low_side": (200, 30),
    "current_compressor": (12, 2),
    "vibration_compressor": (3.0, 0.8),
    "humidity": (45, 10),
    "superheat": (8, 2),
    "subcooling": (5, 1.5),
}
"""Mean and spread over devices and time, copied from SPEC 10."""

COHORT = ["model", "climate_zone"]


@pytest.fixture(scope="module")
def healthy() -> pd.DataFrame:
    """Three minutes of every hour of a day."""
    registry = simulate_registry(1920, seed=3)
    fleet = Fleet(registry, 3, START, START + 24 * HOUR, delivery=PERFECT_DELIVERY)
    parts = [fleet.readings(START + h * HOUR, START + h * HOUR + 3 * MINUTE).to_pandas() for h in range(24)]
    return pd.concat(parts).merge(registry[["device_id", *COHORT]], on="device_id")


@pytest.fixture(scope="module")
def day() -> pd.DataFrame:
    """Every minute of a day of a few devices."""
    fleet = Fleet(simulate_registry(48, seed=4), 4, START, START + 24 * HOUR, delivery=PERFECT_DELIVERY)
    return fleet.readings(START, START + 24 * HOUR).to_pandas()


@pytest.mark.parametrize("sensor", FREEZER)
def test_freezers_in_the_temperate_zone_have_the_mean_and_spread_of_the_specification(
    healthy: pd.DataFrame, sensor: str
) -> None:
    freezer = healthy.query("model == 'walk_in_freezer' and climate_zone == 'temperate'")[sensor]
    mean, spread = FREEZER[sensor]
    assert freezer.mean() == pytest.approx(mean, abs=0.25 * spread)
    assert freezer.std() == pytest.approx(spread, rel=0.2)


def test_every_two_cohorts_differ_by_a_whole_spread_in_some_sensor(healthy: pd.DataFrame) -> None:
    sensors = list(FREEZER)
    means = healthy.groupby(COHORT)[sensors].mean().to_numpy()
    spreads = healthy.groupby(COHORT)[sensors].std().to_numpy()
    assert len(means) == 8
    for a in range(8):
        for b in range(a):
            distance = np.abs(means[a] - means[b]) / np.maximum(spreads[a], spreads[b])
            assert distance.max() > 1, (a, b)


def test_healthy_readings_are_within_the_physical_ranges(healthy: pd.DataFrame) -> None:
    for sensor in NUMERIC_SENSORS:
        outside = ~healthy[sensor.name].between(sensor.minimum, sensor.maximum)
        assert outside.mean() < 1e-4, sensor.name


def test_healthy_readings_do_not_trip_the_rules_fallback(healthy: pd.DataFrame) -> None:
    hours = healthy["timestamp_device"].dt.floor("h")
    windows = healthy.groupby(["device_id", hours])
    # Medium-temperature coolers may pass 0 °C while they defrost; freezers never do.
    assert (windows["temperature_evaporator"].mean() > 0).mean() < 6e-3
    freezers = healthy[healthy["model"].str.endswith("freezer")]
    assert freezers["temperature_evaporator"].max() < 0
    assert windows["vibration_compressor"].max().max() < 20
    assert (windows["pressure_low_side"].mean() < 100).mean() < 2e-3
    assert windows["current_compressor"].max().max() < 35


@pytest.mark.parametrize(
    ("model", "refrigerant", "coil_approach"),
    [
        ("walk_in_freezer", "R404A", 5.5),
        ("chest_freezer", "R290", 5.0),
        ("glass_door_cooler", "R134a", 5.0),
    ],
)
def test_pressures_are_the_saturation_pressures_of_the_temperatures_below_the_probes(
    healthy: pd.DataFrame, model: str, refrigerant: str, coil_approach: float
) -> None:
    cohort = healthy.query("model == @model and climate_zone == 'temperate'")
    devices = cohort.groupby("device_id")[list(FREEZER)].mean()
    evaporating = devices["temperature_evaporator"].to_numpy() - coil_approach + 273.15
    condensing = devices["temperature_condenser"].to_numpy() - 8 + 273.15
    low = PropsSI("P", "T", evaporating, "Q", 1.0, refrigerant) / 1e3
    high = PropsSI("P", "T", condensing, "Q", 0.0, refrigerant) / 1e3
    # Probes and transducers have offsets of their own; over many devices they cancel.
    assert np.mean(devices["pressure_low_side"] / low) == pytest.approx(1, abs=0.03)
    assert np.mean(devices["pressure_high_side"] / high) == pytest.approx(1, abs=0.03)
    assert np.corrcoef(devices["pressure_low_side"], low)[0, 1] > 0.7
    assert np.corrcoef(devices["pressure_high_side"], high)[0, 1] > 0.6


def test_ambient_follows_the_hour_and_drives_the_high_side(day: pd.DataFrame) -> None:
    sensors = ["temperature_ambient", "temperature_condenser", "pressure_high_side"]
    hourly = day.groupby(["device_id", day["timestamp_device"].dt.floor("h")])[sensors].mean()
    over_the_day = hourly["temperature_ambient"].groupby("timestamp_device").mean()
    assert 12 <= over_the_day.idxmax().hour <= 15
    assert 4 < over_the_day.max() - over_the_day.min() < 6.5
    for _, device in hourly.groupby("device_id"):
        assert device.corr()["temperature_ambient"].min() > 0.8


def test_devices_defrost_two_to_four_times_a_day_for_15_to_25_minutes_and_not_together(
    day: pd.DataFrame,
) -> None:
    starts = {}
    for name, device in day.sort_values("timestamp_device").groupby("device_id"):
        on = device["defrost_cycle"].to_numpy()
        edges = np.flatnonzero(np.diff(on.astype(int)) == 1)
        ends = np.flatnonzero(np.diff(on.astype(int)) == -1)
        assert 1 <= len(edges) <= 4
        whole = [(a, ends[ends > a][0]) for a in edges if (ends > a).any()]
        assert all(15 <= b - a <= 25 for a, b in whole)
        starts[name] = edges[0]
        warmed = device["temperature_evaporator"][on].mean() - device["temperature_evaporator"][~on].mean()
        assert warmed > 2.5
    assert len(set(starts.values())) > 30


def test_defrosts_stay_below_the_cooling_loss_rule(day: pd.DataFrame) -> None:
    smooth = day.groupby("device_id")["temperature_evaporator"].rolling(3).mean()
    assert smooth.groupby("device_id").diff(3).max() < 6


def test_doors_open_while_shops_trade(day: pd.DataFrame) -> None:
    hour = day["timestamp_device"].dt.hour
    assert 0.05 < day["door_open_close"][hour.between(9, 18)].mean() < 0.15
    assert day["door_open_close"][hour.between(0, 4)].mean() < 0.02


def test_a_device_keeps_its_offsets_so_that_it_varies_less_than_its_cohort(healthy: pd.DataFrame) -> None:
    for sensor in ("pressure_low_side", "current_compressor", "vibration_compressor", "subcooling"):
        within = healthy.groupby("device_id")[sensor].std().mean()
        across = healthy.groupby(COHORT)[sensor].std().mean()
        assert within < 0.75 * across, sensor


def test_current_follows_the_capacity_cycle(day: pd.DataFrame) -> None:
    quiet = day[~day["defrost_cycle"]].groupby("device_id")["current_compressor"]
    relative = quiet.std() / quiet.mean()
    assert relative.between(0.05, 0.2).all()

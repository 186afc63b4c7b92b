"""How cycling machines report: sensors, intervals, digits, flat lines (SPEC 10)."""

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.simulation import MACHINES, PERFECT_DELIVERY, Fleet, simulate_registry
from fridge_assets_tests.simulation.spans import HOUR, START

CYCLING = {model.name: model for model in MACHINES["cycling"]}
SPAN = 30 * HOUR


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """Eight cycling equipment models."""
    return Fleet(simulate_registry(64, 9, MACHINES["cycling"]), 9, START, START + SPAN, delivery=PERFECT_DELIVERY)


@pytest.fixture(scope="module")
def day(fleet: Fleet) -> pd.DataFrame:
    """All readings, by device and time."""
    readings = fleet.readings(START, START + SPAN).to_pandas().merge(fleet.registry[["device_id", "model"]])
    return readings.sort_values(["device_id", "timestamp_device"], ignore_index=True)


@pytest.mark.parametrize("model", [name for name, model in CYCLING.items() if not model.telemetry.irregular])
def test_every_equipment_model_reports_at_its_interval(day: pd.DataFrame, model: str) -> None:
    steps = day[day["model"] == model].groupby("device_id")["timestamp_device"].diff().dropna().dt.total_seconds()
    assert (steps == CYCLING[model].telemetry.interval_seconds).all()


def test_an_irregular_logger_leaves_every_second_minute_out_and_keeps_no_second(day: pd.DataFrame) -> None:
    own = day[day["model"] == "process_cooler"]
    steps = own.groupby("device_id")["timestamp_device"].diff().dropna().dt.total_seconds()
    assert steps.min() > 0
    assert steps.mean() == pytest.approx(120, rel=0.05)
    assert steps.std() > 40


def test_sequence_numbers_rise_with_every_reading(day: pd.DataFrame) -> None:
    assert (day.groupby("device_id")["sequence_number"].diff().dropna() > 0).all()


@pytest.mark.parametrize("model", CYCLING)
def test_sensors_that_an_equipment_model_lacks_are_missing_and_the_others_there(day: pd.DataFrame, model: str) -> None:
    own = day[day["model"] == model]
    missing = {sensor.name for sensor in SENSORS if own[sensor.name].isna().all()}
    assert missing == CYCLING[model].telemetry.missing
    there = [sensor.name for sensor in SENSORS if sensor.name not in missing]
    assert own[there].notna().to_numpy().mean() > 0.999


@pytest.mark.parametrize("model", [name for name, model in CYCLING.items() if model.telemetry.coarse])
def test_a_coarse_logger_rounds_to_a_tenth_and_pressures_to_a_tenth_of_a_bar(day: pd.DataFrame, model: str) -> None:
    own = day[day["model"] == model]
    for sensor, step in {"temperature_ambient": 0.1, "current_compressor": 0.1, "pressure_low_side": 10.0}.items():
        values = own[sensor].dropna().to_numpy()
        assert np.abs(values / step - np.round(values / step)).max(initial=0) < 1e-6, sensor
    assert own["temperature_ambient"].nunique() > 20


def test_a_finer_logger_does_not_round_to_a_tenth(day: pd.DataFrame) -> None:
    values = day.loc[day["model"] == "display_case", "temperature_ambient"].to_numpy()
    assert np.mean(np.abs(values * 10 - np.round(values * 10)) > 0.05) > 0.5


def test_a_defrost_is_signalled_where_the_machine_signals_it(fleet: Fleet, day: pd.DataFrame) -> None:
    defrosts = fleet.states(START, START + SPAN).query("state == 'defrost'")
    minutes = ((defrosts["end"] - defrosts["start"]) / HOUR).groupby(defrosts["device_id"]).sum() * 60
    share = minutes / (SPAN / HOUR * 60)
    signalled = day.groupby("device_id")["defrost_cycle"].mean()
    by_device = fleet.registry.set_index("device_id")["model"]
    cases = by_device[by_device == "display_case"].index
    assert signalled[cases].to_numpy(float) == pytest.approx(share[cases].to_numpy(), abs=1e-9)
    freezers = by_device[by_device == "reach_in_freezer"].index
    assert (share[freezers] > 0.03).all()
    assert (signalled[freezers] == 0).all()
    assert signalled[by_device[by_device == "split_cold_room"].index].isna().all()


def test_some_loggers_repeat_one_value_of_one_sensor_for_a_while() -> None:
    coolers = simulate_registry(40, 9, (CYCLING["counter_cooler"],))
    own = Fleet(coolers, 9, START, START + 24 * HOUR, delivery=PERFECT_DELIVERY)
    readings = own.readings(START, START + 24 * HOUR).to_pandas().sort_values("timestamp_device")
    longest = [
        int(np.diff(np.flatnonzero(np.diff(device[sensor]) != 0)).max())
        for _, device in readings.groupby("device_id")
        for sensor in ("temperature_discharge", "temperature_condenser", "temperature_evaporator", "superheat")
    ]
    repeating = [minutes for minutes in longest if minutes >= 30]
    assert 1 <= len(repeating) <= 8
    assert max(repeating) <= 6 * 60
    assert np.median(longest) < 8

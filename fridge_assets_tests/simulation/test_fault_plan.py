"""Ground truth: who gets which fault, and when (SPEC 10)."""

from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.contracts import SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation import (
    FAULT_KINDS,
    FaultShare,
    FaultTiming,
    Fleet,
    mixed_faults,
    simulate_registry,
)
from fridge_assets_tests.simulation.spans import HOUR, START

RAMP_HOURS = {
    "refrigerant_leak": (12, 72),
    "condenser_fouling": (24, 96),
    "evaporator_icing": (6, 24),
    "bearing_wear": (24, 96),
    "valve_leak": (24, 72),
    "door_left_open": (0, 10 / 60),
    "stuck_sensor": (0, 0),
    "drifting_sensor": (24, 24),
    "intermittent_dropout": (0, 0),
    "compressor_overload": (0, 10 / 60),
    "vibration_spike": (0, 10 / 60),
    "rapid_pressure_loss": (4 / 60, 4 / 60),
    "total_cooling_loss": (10 / 60, 10 / 60),
}
"""Copied from SPEC 10."""


def plan(hours: int, faults: tuple[FaultShare, ...], devices: int = 1300, timing: FaultTiming | None = None) -> Fleet:
    registry = simulate_registry(devices, seed=2)
    return Fleet(registry, 2, START, START + hours * HOUR, faults, timing or FaultTiming())


ALL_FAULTS = tuple(FaultShare(kind, 0.05) for kind in FAULT_KINDS)


def test_the_share_of_devices_is_faulty_with_one_fault_each() -> None:
    truth = plan(96, (FaultShare("bearing_wear", 0.02), FaultShare("stuck_sensor", 0.03))).ground_truth
    assert truth["fault"].value_counts().to_dict() == {"stuck_sensor": 39, "bearing_wear": 26}
    assert truth["device_id"].is_unique


def test_a_mixed_total_is_kept_although_each_fault_alone_would_round_up() -> None:
    truth = plan(96, mixed_faults(0.05), devices=1000).ground_truth
    assert len(truth) == 50
    assert truth["fault"].nunique() == 9


def test_a_fault_that_was_asked_for_gets_at_least_one_device() -> None:
    assert len(plan(96, (FaultShare("bearing_wear", 0.001),), devices=30).ground_truth) == 1


def test_ramps_are_within_the_specification_and_gradual_faults_complete_within_96_hours() -> None:
    truth = plan(96, ALL_FAULTS).ground_truth
    assert set(truth["fault"]) == set(RAMP_HOURS)
    ramp = (truth["full_severity_at"] - truth["onset"]) / pd.Timedelta(HOUR)
    minute = 1 / 60
    assert ramp.ge(truth["fault"].map(lambda f: RAMP_HOURS[f][0]) - minute).all()
    assert ramp.le(truth["fault"].map(lambda f: RAMP_HOURS[f][1]) + minute).all()
    assert truth["onset"].ge(START + 0.149 * 96 * HOUR).all()
    assert truth["full_severity_at"].between(START + 0.549 * 96 * HOUR, START + 0.951 * 96 * HOUR).all()
    assert truth["severity_at_end"].eq(1).all()


def test_a_span_too_short_for_a_ramp_shows_its_beginning() -> None:
    truth = plan(12, (FaultShare("condenser_fouling", 0.1),)).ground_truth
    assert truth["onset"].eq(START + 0.15 * 12 * HOUR).all()
    assert truth["full_severity_at"].gt(START + 12 * HOUR).all()
    assert truth["severity_at_end"].to_numpy() == pytest.approx(0.85 * 12 / 24, abs=0.01)


def test_timing_moves_the_faults() -> None:
    timing = FaultTiming(earliest_onset=0.0, full_from=0.2, full_to=0.3)
    truth = plan(96, (FaultShare("evaporator_icing", 0.1),), timing=timing).ground_truth
    assert truth["full_severity_at"].between(START + 0.199 * 96 * HOUR, START + 0.301 * 96 * HOUR).all()


def test_failure_comes_twelve_hours_after_full_severity_and_sensors_are_named() -> None:
    truth = plan(96, ALL_FAULTS).ground_truth
    assert (truth["failure_at"] - truth["full_severity_at"]).eq(timedelta(hours=12)).all()
    known = {sensor.name for sensor in SENSORS}
    assert all(set(sensors.split(",")) <= known for sensors in truth["sensor"])
    assert truth.loc[truth["fault"] == "stuck_sensor", "sensor"].nunique() > 6
    assert truth.loc[truth["acute"], "fault"].nunique() == 4


def test_a_healthy_fleet_has_an_empty_ground_truth_with_the_same_columns() -> None:
    empty, full = plan(96, ()).ground_truth, plan(96, ALL_FAULTS).ground_truth
    assert empty.empty
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


def test_more_faults_than_devices_are_refused() -> None:
    with pytest.raises(FridgeError, match="faulty devices, the fleet has 100"):
        _ = plan(96, (FaultShare("bearing_wear", 0.7), FaultShare("valve_leak", 0.4)), devices=100).ground_truth


def test_a_fault_given_twice_is_refused() -> None:
    with pytest.raises(FridgeError, match="bearing_wear is given twice"):
        _ = plan(96, (FaultShare("bearing_wear", 0.1), FaultShare("bearing_wear", 0.1))).ground_truth

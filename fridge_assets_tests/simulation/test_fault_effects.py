"""Each fault's effect against the same device without it; the sizes are copied from SPEC 10."""

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.simulation import FAULT_KINDS, PERFECT_DELIVERY, FaultShare, Fleet, simulate_registry
from fridge_assets_tests.simulation.spans import HOUR, MINUTE, START, frame_of

DEVICES = 260
END = START + 96 * HOUR

FACTORS = {
    "refrigerant_leak": {"pressure_low_side": 0.70, "pressure_high_side": 0.88, "current_compressor": 0.92},
    "condenser_fouling": {"pressure_high_side": 1.18, "current_compressor": 1.12},
    "evaporator_icing": {"pressure_low_side": 0.82},
    "bearing_wear": {"current_compressor": 1.04},
    "valve_leak": {"current_compressor": 0.94},
    "vibration_spike": {"vibration_compressor": 5.0},
    "rapid_pressure_loss": {"pressure_low_side": 0.50},
}
ADDITIONS = {
    "refrigerant_leak": {"superheat": 8, "subcooling": -4, "temperature_evaporator": 5},
    "condenser_fouling": {"temperature_condenser": 7, "temperature_discharge": 12},
    "evaporator_icing": {"superheat": -4, "temperature_evaporator": -4, "temperature_suction": -3},
    "valve_leak": {"temperature_discharge": 15},
    "door_left_open": {"temperature_evaporator": 4},
    "total_cooling_loss": {"temperature_evaporator": 30},
}
DRIFTS = {
    "temperature_evaporator": 12,
    "temperature_condenser": 20,
    "temperature_ambient": 16,
    "temperature_discharge": 32,
    "temperature_suction": 12,
    "humidity": 40,
    "superheat": 8,
    "subcooling": 6,
}


def fleet(*faults: FaultShare) -> Fleet:
    return Fleet(simulate_registry(DEVICES, seed=9), 9, START, END, faults, delivery=PERFECT_DELIVERY)


@pytest.fixture(scope="module")
def faulty_fleet() -> Fleet:
    return fleet(*(FaultShare(kind, 1 / len(FAULT_KINDS)) for kind in FAULT_KINDS))


@pytest.fixture(scope="module")
def healthy() -> pd.DataFrame:
    """The last hour; every fault is at full severity then."""
    return frame_of(fleet(), END - HOUR, END)


@pytest.fixture(scope="module")
def faulty(faulty_fleet: Fleet) -> pd.DataFrame:
    return frame_of(faulty_fleet, END - HOUR, END)


def rows(faulty_fleet: Fleet, fault: str, frame: pd.DataFrame) -> pd.DataFrame:
    truth = faulty_fleet.ground_truth
    return frame.loc[truth.loc[truth["fault"] == fault, "device_id"].tolist()]


def pair(
    faulty_fleet: Fleet, fault: str, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    after = rows(faulty_fleet, fault, faulty)
    return after, healthy.loc[after.index]


@pytest.mark.parametrize("fault", FACTORS)
def test_shares_are_of_the_devices_own_healthy_reading(
    fault: str, faulty_fleet: Fleet, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> None:
    after, before = pair(faulty_fleet, fault, faulty, healthy)
    # Longer defrosts warm the coil for some minutes more.
    same = after["defrost_cycle"] == before["defrost_cycle"]
    for sensor, factor in FACTORS[fault].items():
        ratio = (after[sensor] / before[sensor])[same]
        assert ratio.median() == pytest.approx(factor, rel=0.005), sensor
        assert ratio.std() < 0.03, sensor


@pytest.mark.parametrize("fault", ADDITIONS)
def test_additions_are_on_top_of_the_devices_own_healthy_reading(
    fault: str, faulty_fleet: Fleet, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> None:
    after, before = pair(faulty_fleet, fault, faulty, healthy)
    for sensor, addition in ADDITIONS[fault].items():
        assert (after[sensor] - before[sensor]).median() == pytest.approx(addition, abs=0.05), sensor


def test_sensors_that_a_fault_does_not_name_stay_as_they_were(
    faulty_fleet: Fleet, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> None:
    truth = faulty_fleet.ground_truth
    for fault in (
        "refrigerant_leak",
        "condenser_fouling",
        "bearing_wear",
        "valve_leak",
        "total_cooling_loss",
    ):
        after, before = pair(faulty_fleet, fault, faulty, healthy)
        affected = set(truth.loc[truth["fault"] == fault, "sensor"].iloc[0].split(","))
        for sensor in {s.name for s in NUMERIC_SENSORS} - affected:
            np.testing.assert_array_equal(after[sensor], before[sensor])


def test_healthy_devices_of_a_faulty_fleet_read_as_in_a_healthy_fleet(healthy: pd.DataFrame) -> None:
    few = fleet(FaultShare("bearing_wear", 0.1))
    fine = sorted(set(few.registry["device_id"]) - set(few.ground_truth["device_id"]))
    pd.testing.assert_frame_equal(frame_of(few, END - HOUR, END).loc[fine], healthy.loc[fine])


def test_bearing_wear_shakes_two_and_a_half_times_as_much_with_a_heavier_tail(
    faulty_fleet: Fleet, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> None:
    after, before = (f["vibration_compressor"] for f in pair(faulty_fleet, "bearing_wear", faulty, healthy))
    assert (after / before).median() == pytest.approx(2.5, rel=0.01)
    assert after.mean() / before.mean() == pytest.approx(2.5, rel=0.08)
    level = {
        True: after.groupby("device_id").transform("median"),
        False: before.groupby("device_id").transform("median"),
    }
    assert (after / level[True]).quantile(0.99) > 1.2 * (before / level[False]).quantile(0.99)


def test_a_valve_leak_costs_22_percent_of_the_pressure_ratio(
    faulty_fleet: Fleet, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> None:
    after, before = (
        f["pressure_high_side"] / f["pressure_low_side"] for f in pair(faulty_fleet, "valve_leak", faulty, healthy)
    )
    assert (after / before).median() == pytest.approx(0.78, rel=0.005)


def test_a_door_left_open_is_open_most_of_the_time_and_lets_moisture_in(
    faulty_fleet: Fleet, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> None:
    after, before = pair(faulty_fleet, "door_left_open", faulty, healthy)
    assert after.groupby("device_id")["door_open_close"].mean().min() > 0.6
    assert before["door_open_close"].mean() < 0.2
    rise = (after["humidity"] - before["humidity"])[after["humidity"] < 100]
    assert rise.median() == pytest.approx(20, abs=0.05)
    assert after["current_compressor"].mean() > 1.01 * before["current_compressor"].mean()


def test_icing_lengthens_defrosts(faulty_fleet: Fleet) -> None:
    day = (END - 5 * HOUR, END)
    icing = rows(faulty_fleet, "evaporator_icing", frame_of(faulty_fleet, *day))
    before = frame_of(fleet(), *day).loc[icing.index]
    assert icing["defrost_cycle"].sum() > 1.3 * before["defrost_cycle"].sum()


def test_a_stuck_sensor_repeats_a_plausible_value_and_the_others_go_on(
    faulty_fleet: Fleet, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> None:
    truth = faulty_fleet.ground_truth.query("fault == 'stuck_sensor'")
    assert len(truth) > 10
    for device, sensor in zip(truth["device_id"], truth["sensor"], strict=True):
        after, before = faulty.loc[device], healthy.loc[device]
        assert after[sensor].min() == after[sensor].max()
        assert before[sensor].nunique() > 5
        others = [s.name for s in NUMERIC_SENSORS if s.name != sensor]
        pd.testing.assert_frame_equal(after[others], before[others])
        limits = next(s for s in NUMERIC_SENSORS if s.name == sensor)
        assert limits.minimum < after[sensor].iloc[0] < limits.maximum


def test_a_stuck_sensor_repeats_what_it_read_at_onset(faulty_fleet: Fleet) -> None:
    for _, truth in faulty_fleet.ground_truth.query("fault == 'stuck_sensor'").iterrows():
        if truth["sensor"] == "vibration_compressor":  # its noise alone is an eighth of the reading
            continue
        around = frame_of(faulty_fleet, truth["onset"] - 10 * MINUTE, truth["onset"] + MINUTE).loc[truth["device_id"]]
        before, stuck = around[truth["sensor"]].iloc[:-1], around[truth["sensor"]].iloc[-1]
        assert abs(stuck - before.mean()) < 0.15 * abs(before.mean()) + 3


def test_a_drifting_sensor_is_four_spreads_off(
    faulty_fleet: Fleet, faulty: pd.DataFrame, healthy: pd.DataFrame
) -> None:
    shares = {"pressure_high_side": 0.4, "pressure_low_side": 0.6, "current_compressor": 2 / 3}
    truth = faulty_fleet.ground_truth.query("fault == 'drifting_sensor'")
    for device, sensor in zip(truth["device_id"], truth["sensor"], strict=True):
        after, before = faulty.loc[device, sensor], healthy.loc[device, sensor]
        if sensor in DRIFTS:
            off = (after - before)[after < 100] if sensor == "humidity" else after - before
            assert off.median() == pytest.approx(DRIFTS[sensor], abs=0.1)
        else:
            share = shares.get(sensor, 4 * 0.8 / 3)
            assert (after / before).median() == pytest.approx(1 + share, rel=0.01)


def test_dropout_loses_30_percent_of_readings_and_values_of_two_sensors(
    faulty_fleet: Fleet, faulty: pd.DataFrame
) -> None:
    left = rows(faulty_fleet, "intermittent_dropout", faulty)
    devices = left.index.get_level_values("device_id").nunique()
    assert len(left) / (60 * devices) == pytest.approx(0.70, abs=0.05)
    truth = faulty_fleet.ground_truth.query("fault == 'intermittent_dropout'")
    for device, sensors in zip(truth["device_id"], truth["sensor"], strict=True):
        null_share = faulty.loc[device].isna().mean()
        failing = sensors.split(",")
        assert len(failing) == 2
        assert null_share[failing].between(0.2, 0.8).all()
        assert null_share.drop(failing).eq(0).all()


def test_an_overload_is_above_45_amperes_and_within_the_sensors_range(
    faulty_fleet: Fleet, faulty: pd.DataFrame
) -> None:
    assert rows(faulty_fleet, "compressor_overload", faulty)["current_compressor"].between(45, 50).all()


def test_effects_grow_in_a_straight_line_from_onset_to_full_severity(faulty_fleet: Fleet) -> None:
    truth = faulty_fleet.ground_truth.query("fault == 'condenser_fouling'").iloc[0]
    ramp = truth["full_severity_at"] - truth["onset"]
    sane = fleet()
    for severity in (-0.1, 0.25, 0.5, 1.0):
        at = (truth["onset"] + severity * ramp).floor("min")
        after, before = (frame_of(f, at, at + 3 * MINUTE).loc[truth["device_id"]] for f in (faulty_fleet, sane))
        rise = (after["temperature_condenser"] - before["temperature_condenser"]).mean()
        assert rise == pytest.approx(7 * max(severity, 0), abs=0.03)


def test_cooling_loss_rises_three_degrees_a_minute_for_ten_minutes(faulty_fleet: Fleet) -> None:
    truth = faulty_fleet.ground_truth.query("fault == 'total_cooling_loss'").iloc[0]
    span = (truth["onset"], truth["onset"] + 12 * MINUTE)
    after, before = (
        frame_of(f, *span).loc[truth["device_id"], "temperature_evaporator"] for f in (faulty_fleet, fleet())
    )
    assert (after - before).to_numpy() == pytest.approx([*range(0, 30, 3), 30, 30], abs=0.02)

"""Cycling machines at any time: reproducible however a span is cut, with the faults of SPEC 10 on running ones."""

from datetime import datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from CoolProp.CoolProp import PropsSI

from fridge_assets.readings.ranges import BUILT_IN_TABLES
from fridge_assets.simulation import FAULT_KINDS, MACHINES, PERFECT_DELIVERY, FaultShare, Fleet, simulate_registry
from fridge_assets.simulation.refrigerants import REFRIGERANTS, dew_pressure
from fridge_assets.simulation.seeding import Stream, chances
from fridge_assets_tests.simulation.spans import HOUR, MINUTE, START

FAULTS = tuple(FaultShare(kind, 0.06) for kind in FAULT_KINDS)
END = START + 20 * HOUR
NUMERIC = ["temperature_evaporator", "pressure_low_side", "temperature_discharge", "current_compressor"]


def fleet(machines: str = "mixed", seed: int = 7, start: datetime = START) -> Fleet:
    return Fleet(simulate_registry(60, seed, MACHINES[machines]), seed, start, END, FAULTS if start == START else ())


def in_order(readings: pa.Table) -> pa.Table:
    keys = [(name, "ascending") for name in ("device_id", "sequence_number", "timestamp_ingested")]
    return readings.sort_by(keys).combine_chunks()


@pytest.mark.parametrize("machines", ["cycling", "mixed"])
def test_cutting_the_span_changes_no_reading(machines: str) -> None:
    start, end = START + 15 * HOUR + 37 * MINUTE, START + 17 * HOUR + 11 * MINUTE
    cuts = [start, start + MINUTE, start + 58 * MINUTE, end]
    pieces = [fleet(machines).readings(a, b) for a, b in pairwise(cuts)]
    assert in_order(pa.concat_tables(pieces)).equals(in_order(fleet(machines).readings(start, end)))


def test_readings_do_not_depend_on_when_the_fleet_began() -> None:
    def last_hour(start: datetime) -> pd.DataFrame:
        own = Fleet(simulate_registry(80, 7, MACHINES["cycling"]), 7, start, END)
        readings = own.readings(start, END).to_pandas()
        return in_time(readings[readings["timestamp_device"].between(END - HOUR, END)])

    def in_time(readings: pd.DataFrame) -> pd.DataFrame:
        keys = ["device_id", "timestamp_device", "timestamp_ingested"]
        return readings.drop(columns="sequence_number").sort_values(keys, ignore_index=True)

    pd.testing.assert_frame_equal(last_hour(END - HOUR), last_hour(END - 9 * HOUR))


def test_a_machine_that_was_followed_for_a_week_is_where_one_is_that_was_jumped_to() -> None:
    registry = simulate_registry(240, 7, MACHINES["cycling"])
    moment = START + 7 * 24 * HOUR
    followed, jumped = (Fleet(registry, 7, START, moment + HOUR) for _ in range(2))
    whole = followed.states(START, moment + HOUR).query("end > @moment")
    own = jumped.states(moment, moment + HOUR)
    pd.testing.assert_frame_equal(
        whole.assign(start=whole["start"].clip(lower=moment)).reset_index(drop=True), own, check_dtype=False
    )


def test_going_on_from_hour_to_hour_gives_what_a_jump_gives() -> None:
    going = fleet("cycling")
    for hour in range(12):
        last = going.readings(START + hour * HOUR, START + (hour + 1) * HOUR)
    assert last.equals(fleet("cycling").readings(START + 11 * HOUR, START + 12 * HOUR))


def test_states_do_not_depend_on_how_they_are_cut() -> None:
    middle = START + 2 * HOUR + 13 * MINUTE
    whole = fleet().states(START, START + 4 * HOUR)
    parts = pd.concat([fleet().states(START, middle), fleet().states(middle, START + 4 * HOUR)])

    def minutes(states: pd.DataFrame) -> pd.DataFrame:
        held = states.assign(minutes=(states["end"] - states["start"]) / MINUTE)
        return held.groupby(["device_id", "state"])["minutes"].sum().reset_index()

    pd.testing.assert_frame_equal(minutes(whole), minutes(parts))


def test_another_seed_gives_other_machines() -> None:
    one, again, other = (fleet("cycling", seed).readings(START, START + HOUR) for seed in (7, 7, 8))
    assert one.equals(again)
    assert not one.equals(other)


def test_a_seed_of_a_continuous_fleet_means_the_readings_that_it_always_meant() -> None:
    own = Fleet(simulate_registry(12, 7), 7, START, END, delivery=PERFECT_DELIVERY)
    readings = own.readings(START + 5 * HOUR, START + 5 * HOUR + MINUTE).to_pandas().set_index("device_id")
    expected = {
        "device-000000": [-24.58, 219.6, 55.52, 12.05],
        "device-000005": [-18.69, 197.3, 68.81, 4.31],
        "device-000011": [-9.0, 151.8, 57.2, 6.88],
    }
    for device, values in expected.items():
        assert readings.loc[device, NUMERIC].to_numpy(float) == pytest.approx(values, abs=0.11), device


def test_faults_change_a_running_machine_by_their_full_size_and_leave_a_resting_one_alone() -> None:
    registry = simulate_registry(40, 7, MACHINES["cycling"])
    span = (START + 90 * HOUR, START + 96 * HOUR)
    healthy, leaking = (
        Fleet(registry, 7, START, START + 96 * HOUR, faults, delivery=PERFECT_DELIVERY)
        for faults in ((), (FaultShare("refrigerant_leak", 1.0),))
    )
    truth = leaking.ground_truth.set_index("device_id")
    full = truth.index[truth["full_severity_at"] <= span[0]]
    before, after = (own.readings(*span).to_pandas() for own in (healthy, leaking))
    ratio = after[NUMERIC] / before[NUMERIC]
    settled = (before["current_compressor"] > 1) & (before["current_compressor"].shift(1) > 1)
    known = before["device_id"].isin(full)
    pressure = ratio.loc[settled & known, "pressure_low_side"].dropna()
    assert pressure.median() == pytest.approx(0.70, abs=0.01)
    resting = ratio.loc[(before["current_compressor"] == 0) & known, "pressure_low_side"].dropna()
    assert resting.median() == pytest.approx(1, abs=0.02)


def two_hours_with(*faults: FaultShare) -> pd.DataFrame:
    """Readings of cycling machines towards the end of six days."""
    registry = simulate_registry(24, 7, MACHINES["cycling"])
    fleet = Fleet(registry, 7, START, START + 144 * HOUR, faults, delivery=PERFECT_DELIVERY)
    return fleet.readings(START + 140 * HOUR, START + 142 * HOUR).to_pandas()


@pytest.fixture(scope="module")
def healthy_hours() -> pd.DataFrame:
    """:func:`two_hours_with` no fault."""
    return two_hours_with()


@pytest.mark.parametrize("fault", FAULT_KINDS)
def test_every_fault_shows_on_cycling_machines(fault: str, healthy_hours: pd.DataFrame) -> None:
    faulty = two_hours_with(FaultShare(fault, 1.0))
    by_device = healthy_hours.merge(faulty, on=["device_id", "timestamp_device"], how="outer", suffixes=("", "_faulty"))
    sensors = [name.removesuffix("_faulty") for name in by_device if name.endswith("_faulty")]
    changed = np.zeros(len(by_device), np.bool_)
    for sensor in set(sensors) - {"sequence_number", "timestamp_ingested"}:
        there = by_device[sensor].notna() | by_device[f"{sensor}_faulty"].notna()
        changed |= (there & (by_device[sensor] != by_device[f"{sensor}_faulty"])).to_numpy()
    # Vibration and doors are measured on every third equipment model.
    assert pd.Series(changed).groupby(by_device["device_id"]).any().mean() > 0.25


def test_saturation_pressures_go_on_rising_beyond_the_critical_point() -> None:
    carbon_dioxide = np.array([REFRIGERANTS.index("R744")], np.int32)
    temperature = np.arange(-55, 60, dtype=np.float32)[:, None]
    pressure = dew_pressure(temperature, carbon_dioxide)[:, 0]
    assert (np.diff(pressure) > 0).all()
    below = temperature[:, 0] < 30
    exact = PropsSI("P", "T", temperature[below, 0].astype(float) + 273.15, "Q", 1.0, "R744") / 1e3
    assert pressure[below] == pytest.approx(exact, rel=1e-3)
    assert 8_500 < pressure[temperature[:, 0] == 40][0] < 9_500


def test_chances_are_uniform_and_each_one_its_own() -> None:
    drawn = chances(7, Stream.DEFROSTS, np.arange(200), np.arange(100)[:, None])
    assert drawn.shape == (100, 200)
    assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(2000, rel=0.1)
    assert np.abs(np.corrcoef(drawn[:50].ravel(), drawn[50:].ravel())[0, 1]) < 0.03
    assert (chances(7, Stream.DEFROSTS, np.arange(5), np.array([3])) == drawn[3, :5]).all()
    assert (chances(8, Stream.DEFROSTS, np.arange(5), np.array([3])) != drawn[3, :5]).all()


def test_healthy_machines_read_what_is_plausible_on_their_refrigerant() -> None:
    registry = simulate_registry(96, 7, MACHINES["cycling"])
    day = Fleet(registry, 7, START, START + 24 * HOUR, delivery=PERFECT_DELIVERY)
    readings = day.readings(START, START + 24 * HOUR).to_pandas()
    for (model, refrigerant), devices in registry.groupby(["model", "refrigerant"]):
        own = readings[readings["device_id"].isin(devices["device_id"])]
        for sensor, (least, most) in BUILT_IN_TABLES.of(str(model), str(refrigerant)).plausible.items():
            values = own[sensor].dropna()
            assert values.between(least, most).mean() > 0.999 or values.empty, (model, sensor)

"""Machines that start and stop: their physics, and that true states go with it (SPEC 10)."""

import numpy as np
import pandas as pd
import pytest
from CoolProp.CoolProp import PropsSI

from fridge_assets.simulation import MACHINES, PERFECT_DELIVERY, Fleet, simulate_registry
from fridge_assets_tests.simulation.spans import HOUR, MINUTE, START

DEVICES = 96
SPAN = 30 * HOUR
END = START + SPAN


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """Eight cycling equipment models in two climate zones."""
    registry = simulate_registry(DEVICES, 7, MACHINES["cycling"])
    return Fleet(registry, 7, START, END, delivery=PERFECT_DELIVERY)


@pytest.fixture(scope="module")
def episodes(fleet: Fleet) -> pd.DataFrame:
    """True states, with the equipment model and minutes."""
    states = fleet.states(START, END).merge(fleet.registry[["device_id", "model", "climate_zone"]])
    return states.assign(minutes=(states["end"] - states["start"]) / MINUTE)


@pytest.fixture(scope="module")
def day(fleet: Fleet, episodes: pd.DataFrame) -> pd.DataFrame:
    """Readings, each with its true state and the minutes that this state has lasted."""
    return with_states(fleet, episodes)


def with_states(fleet: Fleet, states: pd.DataFrame) -> pd.DataFrame:
    """Readings of ``fleet`` beside its true ``states``."""
    readings = fleet.readings(START, END).to_pandas()
    readings["minute"] = readings["timestamp_device"].dt.floor("min")
    true = states.assign(whole=(states["end"] - states["start"]) / MINUTE).sort_values("start")
    joined = pd.merge_asof(readings.sort_values("minute"), true, left_on="minute", right_on="start", by="device_id")
    return joined.assign(lasted=(joined["minute"] - joined["start"]) / MINUTE)


def test_at_standstill_both_pressures_are_the_saturation_pressure_of_the_surroundings() -> None:
    coolers = tuple(model for model in MACHINES["cycling"] if model.name == "process_cooler")
    own = Fleet(simulate_registry(48, 7, coolers), 7, START, END, delivery=PERFECT_DELIVERY)
    at_rest = with_states(own, own.states(START, END)).query("state == 'standstill' and lasted > 180")
    assert at_rest["device_id"].nunique() >= 3
    ambient = at_rest["temperature_ambient"].to_numpy() + 273.15
    saturation = PropsSI("P", "T", ambient, "Q", 1.0, "R32") / 1e3
    assert np.median(np.abs(at_rest["pressure_low_side"] / saturation - 1)) < 0.05
    assert (at_rest["pressure_high_side"] / at_rest["pressure_low_side"]).quantile([0.05, 0.95]).between(0.9, 1.1).all()
    assert (at_rest["temperature_discharge"] - at_rest["temperature_ambient"]).abs().median() < 1.5
    assert at_rest["current_compressor"].median() == 0
    assert at_rest["vibration_compressor"].median() < 0.1


def test_a_capillary_lets_pressures_even_out_within_minutes_and_a_valve_does_not(day: pd.DataFrame) -> None:
    stopped = day.query("state == 'off' and lasted >= 8")
    ratio = (stopped["pressure_high_side"] / stopped["pressure_low_side"]).groupby(stopped["model"]).median()
    assert ratio["display_case"] == pytest.approx(1, abs=0.05)
    assert ratio["reach_in_freezer"] == pytest.approx(1, abs=0.05)
    assert ratio["split_cold_room"] > 1.2


def test_compressors_take_no_current_unless_they_run(day: pd.DataFrame) -> None:
    runs = day["state"].isin(["running", "pull-down"])
    flat = day["model"].isin(["counter_cooler", "process_cooler"])  # their loggers repeat values
    assert (day.loc[~runs & ~flat, "current_compressor"] == 0).mean() > 0.995
    assert (day.loc[runs & ~flat, "current_compressor"] > 0.5).mean() > 0.995


def test_a_defrost_warms_the_coil_above_freezing_and_a_failed_one_does_not(day: pd.DataFrame) -> None:
    finest = day[day["model"].isin(["display_case", "reach_in_freezer", "co2_condensing_unit"])]
    late = finest.query("state == 'defrost' and lasted >= whole - 3 and end < @END")
    assert late.query("defrost == 'usual'")["temperature_evaporator"].min() > 0
    assert late.query("defrost == 'failed'")["temperature_evaporator"].between(-5, 2).all()
    assert {"usual", "failed", "too_long"} == set(late["defrost"])


def test_defrosts_that_fail_or_take_too_long_last_longer_and_a_failed_one_is_followed_by_another(
    episodes: pd.DataFrame,
) -> None:
    whole = episodes.query("state == 'defrost' and start > @START and end < @END")
    typical = whole.groupby("defrost")["minutes"].median()
    assert 15 < typical["usual"] < 30
    assert typical["failed"] > 1.4 * typical["usual"]
    assert typical["too_long"] > 1.8 * typical["usual"]
    gaps = whole.sort_values("start").groupby("device_id")["start"].diff() / MINUTE
    after_failure = whole.sort_values("start").groupby("device_id")["defrost"].shift() == "failed"
    by_model = gaps.groupby(whole["model"])
    usual = by_model.transform("median")
    assert (gaps[after_failure] < 0.6 * usual[after_failure]).mean() > 0.8


def test_machines_start_as_often_as_thermostats_let_them(episodes: pd.DataFrame) -> None:
    stops = episodes[episodes["state"] == "off"].groupby(["model", "device_id"]).size() / (SPAN / HOUR)
    assert stops.max() < 6
    by_model = stops.groupby("model").median()
    for model in ("bottle_cooler", "reach_in_freezer", "counter_cooler"):
        assert by_model[model] > 1, model
    rests = episodes[(episodes["state"] == "off") & (episodes["start"] > START)]
    assert rests["minutes"].quantile(0.05) >= 3


def test_a_warmer_place_makes_them_run_longer(episodes: pd.DataFrame) -> None:
    thermostats = episodes[episodes["model"].isin(["bottle_cooler", "counter_cooler", "split_cold_room"])]
    minutes = thermostats.pivot_table(index="climate_zone", columns="state", values="minutes", aggfunc="sum")
    share = minutes["running"] / (minutes["running"] + minutes["off"])
    assert share["warm"] > share["temperate"] + 0.08


def test_a_compressor_with_variable_speed_follows_its_load_instead_of_stopping(day: pd.DataFrame) -> None:
    running = day[(day["model"] == "co2_condensing_unit") & day["state"].isin(["running", "pull-down", "off"])]
    assert (running["state"] == "off").mean() < 0.2
    by_device = running[running["state"] != "off"].groupby("device_id")["current_compressor"]
    assert (by_device.std() / by_device.mean()).median() > 0.08


def test_a_pull_down_follows_defrosts_and_standstills_and_takes_more_current(
    day: pd.DataFrame, episodes: pd.DataFrame
) -> None:
    ordered = episodes.sort_values(["device_id", "start"])
    before = ordered.groupby("device_id")["state"].shift()
    first = ordered["start"] == START
    assert set(before[(ordered["state"] == "pull-down") & ~first]) <= {"defrost", "standstill", "off"}
    freezer = day[day["model"] == "reach_in_freezer"]
    current = freezer.pivot_table(index="device_id", columns="state", values="current_compressor", aggfunc="median")
    assert (current["pull-down"] > 1.03 * current["running"]).mean() > 0.9


def test_true_states_cover_every_minute_of_every_device_once(fleet: Fleet, episodes: pd.DataFrame) -> None:
    total = episodes.groupby("device_id")["minutes"].sum()
    assert (total == SPAN / MINUTE).all()
    assert set(total.index) == set(fleet.registry["device_id"])
    ordered = episodes.sort_values(["device_id", "start"])
    follows = ordered.groupby("device_id")["start"].shift(-1)
    assert (follows.dropna() == ordered.loc[follows.dropna().index, "end"]).all()
    assert set(episodes["state"]) == {"running", "off", "defrost", "pull-down", "standstill"}
    assert (episodes["defrost"].notna() == (episodes["state"] == "defrost")).all()


def test_machines_that_never_stop_have_true_states_too() -> None:
    mixed = Fleet(simulate_registry(24, 7, MACHINES["mixed"]), 7, START, START + 3 * HOUR)
    states = mixed.states(START, START + 3 * HOUR).merge(mixed.registry)
    continuous = states[states["model"].isin([model.name for model in MACHINES["continuous"]])]
    assert set(continuous["state"]) <= {"running", "defrost"}
    total = (states["end"] - states["start"]).groupby(states["device_id"]).sum()
    assert (total == 3 * HOUR).all()
    assert len(total) == 24

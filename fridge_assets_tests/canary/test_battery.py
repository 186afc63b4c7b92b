"""Healthy states that must stay quiet and known faults that must not be lost: the rules, and what is put in."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fridge_assets.canary.battery.faults import PUT_IN, telling_feature, with_fault
from fridge_assets.canary.battery.rules import Case, judge, untried
from fridge_assets.canary.report import compare
from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.settings import BatterySettings, Settings
from fridge_assets.simulation.faults import REFRIGERANT_LEAK, VALVE_LEAK
from fridge_assets_tests.canary.given import given, healthy

LIMITS = BatterySettings()
DEFROST = Case("quiet", "defrost", "the fleet's own windows", 300, 6, 3)
LEAK = Case("fault", "refrigerant_leak", "simulated cycling machines", 200, 160, 160)
FAILURES = Case("fault", "confirmed failures", "the fleet's labels", 10, 9, 10, "failures")


def outcome(case: Case) -> str:
    return judge([case], LIMITS).results[0].outcome


@pytest.mark.parametrize(
    ("flagged", "production", "expected"),
    [
        (15, 0, "passed"),  # 5 %, which is allowed
        (25, 0, "passed"),  # more, which chance explains
        (45, 0, "failed"),
        (45, 45, "passed"),  # no more than production: to hold it back would not make anything quieter
        (90, 45, "failed"),
        (300, 300, "passed"),
    ],
)
def test_a_healthy_state_may_be_flagged_a_little_or_as_often_as_by_production(
    flagged: int, production: int, expected: str
) -> None:
    assert outcome(replace(DEFROST, candidate=flagged, production=production)) == expected


@pytest.mark.parametrize(
    ("found", "production", "expected"),
    [
        (144, 160, "passed"),  # nine tenths of what production finds
        (135, 160, "passed"),  # fewer, which chance explains
        (100, 160, "failed"),
        (0, 160, "failed"),
        (0, 0, "not judged"),
        (200, 10, "not judged"),  # production finds no more of it than of healthy windows
    ],
)
def test_of_each_fault_nearly_as_much_must_be_found_as_by_production(
    found: int, production: int, expected: str
) -> None:
    assert outcome(replace(LEAK, candidate=found, production=production)) == expected


def test_a_confirmed_failure_is_lost_or_not_whatever_chance_says() -> None:
    assert outcome(FAILURES) == "passed"
    assert outcome(replace(FAILURES, candidate=8)) == "failed"
    assert outcome(replace(FAILURES, count=1, candidate=0, production=1)) == "failed"


def test_what_failed_is_named_with_its_share_its_limit_and_the_way_out() -> None:
    found = judge([replace(DEFROST, candidate=90), replace(LEAK, candidate=20), FAILURES], LIMITS)
    assert found.verdict == "block"
    assert found.reason == (
        "The battery failed: defrost in the fleet's own windows: 30.0% of 300 windows flagged, at most 5.0% may be "
        "(1.0% by production); refrigerant_leak in simulated cycling machines: 10.0% of 200 windows found, at least "
        "72.0% must be (80.0% by production). It alarms on healthy machines: lengthen FRIDGE_TRAINING__HISTORY or "
        "raise FRIDGE_TRAINING__MIN_STATE_ROWS, so that training sees more of what it flags, and train again. It loses "
        "faults: see in its card (`models card`) which sensors it sees and what it was trained on, label the failures "
        "that are in there as confirmed, and train again."
    )


def test_what_nobody_could_judge_is_said_and_does_not_count_as_passed() -> None:
    few, unlabelled = replace(DEFROST, count=3), replace(FAILURES, count=0, missing="no failure was confirmed")
    found = judge([LEAK, few, unlabelled], LIMITS)
    assert found.verdict == "pass"
    assert found.reason == (
        "The battery passed 1 of 3 cases, not judged: defrost in the fleet's own windows; "
        "confirmed failures in the fleet's labels."
    )
    assert found.lines[:2] == [
        "not judged: defrost in the fleet's own windows: 3 windows, fewer than 20",
        "not judged: confirmed failures in the fleet's labels: no failure was confirmed",
    ]
    assert judge([few, unlabelled], LIMITS).verdict == "inconclusive"


def test_a_comparison_is_no_better_than_its_battery() -> None:
    settings = Settings()
    for battery, verdict in (
        (judge([LEAK], LIMITS), "pass"),
        (judge([replace(LEAK, candidate=0)], LIMITS), "block"),
        (untried("the disk is full"), "inconclusive"),
    ):
        report = compare(given(healthy()), settings, battery)
        assert report.verdict == report.to_row()["battery_verdict"].iloc[0] == verdict
        assert report.reason.endswith(battery.reason)
        assert f"- {battery.lines[0]}" in report.markdown()
        assert report.to_row()["battery"].iloc[0].tolist() == battery.lines


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    numbers = {column.name: 20 + rng.random(4) for column in DEVICE_FEATURES.columns if column.type == "double"}
    return pd.DataFrame(numbers).assign(
        door_open_fraction=0.0,
        pressure_ratio=lambda made: made["pressure_high_mean"] / made["pressure_low_mean"],
        temp_spread_evap_cond=lambda made: made["temp_condenser_mean"] - made["temp_evaporator_mean"] + 40,
    )


def test_a_fault_moves_what_its_sensors_show_and_nothing_else() -> None:
    before, after = rows(), with_fault(rows(), REFRIGERANT_LEAK)
    pd.testing.assert_series_equal(after["pressure_low_mean"], before["pressure_low_mean"] * 0.7)
    pd.testing.assert_series_equal(after["superheat_mean"], before["superheat_mean"] + 8)
    pd.testing.assert_series_equal(after["superheat_std"], before["superheat_std"])
    pd.testing.assert_series_equal(after["pressure_ratio"], before["pressure_ratio"] * 0.88 / 0.7)
    pd.testing.assert_series_equal(after["temp_spread_evap_cond"], before["temp_spread_evap_cond"] - 5)
    moved = {name for name in before if not after[name].equals(before[name])}
    assert not moved & {"vibration_compressor_mean", "temp_ambient_mean", "humidity_std", "door_open_fraction"}
    ratio = with_fault(rows(), VALVE_LEAK)["pressure_ratio"]
    pd.testing.assert_series_equal(ratio, before["pressure_ratio"] * 0.78)


@pytest.mark.parametrize("kind", PUT_IN, ids=lambda kind: kind.name)
def test_every_fault_that_is_put_in_shows_in_its_telling_feature_and_invents_no_sensor(kind: object) -> None:
    feature = telling_feature(kind)  # type: ignore[arg-type]
    before = rows()
    after = with_fault(before, kind)  # type: ignore[arg-type]
    assert (after[feature] != before[feature]).all()
    lacking = before.assign(**dict.fromkeys(("vibration_compressor_mean", "door_open_fraction"), np.nan))
    after = with_fault(lacking, kind)  # type: ignore[arg-type]
    assert after[["vibration_compressor_mean", "door_open_fraction"]].isna().all(axis=None)

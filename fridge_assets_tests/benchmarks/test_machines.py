"""The benchmark of cycling machines names windows by what the machines truly did, and counts what was told."""

from datetime import UTC, datetime, timedelta

import duckdb
import pandas as pd
import pytest

from fridge_assets_tests.benchmarks import machines_faults
from fridge_assets_tests.benchmarks.machines_healthy import Quiet, flagged_by_state, misses
from fridge_assets_tests.benchmarks.week import week_fleet

START = datetime(2026, 3, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = 15 * MINUTE


def episodes(*spans: tuple[str, int]) -> pd.DataFrame:
    """The states of one device, each with its minutes, one after another."""
    starts = [START + sum(minutes for _, minutes in spans[:i]) * MINUTE for i in range(len(spans))]
    return pd.DataFrame(
        {
            "device_id": "device-1",
            "state": [state for state, _ in spans],
            "start": pd.DatetimeIndex(starts),
            "end": pd.DatetimeIndex([*starts[1:], starts[-1] + spans[-1][1] * MINUTE]),
        }
    )


def scored(*flags: bool) -> duckdb.DuckDBPyConnection:
    """Scores of consecutive windows of one device."""
    connection = duckdb.connect()
    ends = pd.DatetimeIndex([START + (n + 1) * WINDOW for n in range(len(flags))])
    scores = pd.DataFrame(
        {
            "device_id": "device-1",
            "window_start": ends - WINDOW,
            "window_end": ends,
            "model_id": "isolation_forest_v2",
            "anomaly_flag": list(flags),
        }
    )
    connection.register("scores", scores)
    connection.execute("SET TimeZone = 'UTC'; CREATE TABLE model_scores AS FROM scores")
    return connection


def test_a_window_has_the_state_that_takes_up_most_of_it_and_running_in_turn_with_rest_is_cycling() -> None:
    spans = [("running", 7), ("off", 8), ("defrost", 9), ("pull-down", 6), ("running", 14), ("off", 1)]
    found = flagged_by_state(scored(True, False, False), episodes(*spans)).set_index("state")
    assert found["windows"].to_dict() == {"cycling": 1, "defrost": 1, "running": 1}
    assert found["flagged"].to_dict() == {"cycling": 1, "defrost": 0, "running": 0}
    assert set(found["family"]) == {"isolation_forest"}


def quiet(flagged: float, *, windows: int = 1000, bothered: float = 0.0, acute: int = 0, scored: float = 1.0) -> Quiet:
    rows = {"family": ["isolation_forest"], "state": ["defrost"], "windows": [windows], "flagged": [flagged]}
    return Quiet(pd.DataFrame(rows), pd.Series([bothered]), acute, scored, 5000)


@pytest.mark.parametrize(
    ("observed", "problem"),
    [
        (quiet(0.016), "1.60% of the 1,000 windows in the state defrost"),
        (quiet(0.004), "0.40% of the 1,000 windows"),
        (quiet(0.01, bothered=0.006), "0.60% of the healthy devices are told of a day"),
        (quiet(0.01, scored=0.7), "70.0% of the device-days have a score"),
        (quiet(0.01, acute=1), "1 acute alerts in 5,000 device-days"),
    ],
)
def test_a_target_that_is_missed_is_said(observed: Quiet, problem: str) -> None:
    (missed,) = misses(observed)
    assert problem in missed


def test_targets_that_are_met_and_states_of_a_few_windows_miss_nothing() -> None:
    assert misses(quiet(0.012)) == []
    assert misses(quiet(0.5, windows=20)) == []


def test_recall_of_cycling_machines_counts_and_that_of_the_others_is_for_comparison() -> None:
    rows = [("continuous", False, 0), ("cycling", False, 7), ("cycling", True, 10)]
    found = pd.DataFrame(
        [{"machines": machines, "acute": acute, "found": number, "devices": 10} for machines, acute, number in rows]
    )
    (missed,) = machines_faults.misses(found)
    assert missed.startswith("70% of the gradual faults")


def test_a_fault_counts_on_a_machine_that_has_its_telling_sensor() -> None:
    registry = pd.DataFrame({"device_id": ["case", "unit"], "model": ["display_case", "co2_condensing_unit"]})
    sensors = ["vibration_compressor,current_compressor", "current_compressor"]
    truth = pd.DataFrame({"device_id": ["case", "case", "unit", "unit"], "sensor": sensors * 2})
    assert machines_faults.can_be_seen(truth, registry).tolist() == [False, True, True, True]


def test_no_fault_begins_in_the_days_that_are_learned() -> None:
    fleet = week_fleet(100, 4, 3, faulty=0.26, learned=2)
    assert fleet.ground_truth["onset"].min() >= fleet.start + timedelta(days=2)
    assert week_fleet(100, 4, 3, faulty=0.0, learned=2).ground_truth.empty

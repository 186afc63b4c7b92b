"""The benchmark of the models judges by what was said of the right device at the right time, and can fail."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.settings import Settings
from fridge_assets.simulation import Fleet, simulate_registry
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.benchmarks import model_healthy, model_speed
from fridge_assets_tests.benchmarks.measured import Measured
from fridge_assets_tests.benchmarks.model_detection import (
    AGREEMENT,
    FEWEST_FLAGGED,
    NO_FAULT,
    Flags,
    judge,
    misses,
    named_counts,
)
from fridge_assets_tests.benchmarks.shortcuts import DELIVERY, HOUR, append_hours, append_sketched_hour

START = datetime(2026, 3, 2, tzinfo=UTC)
FOREST = "isolation_forest"
RIGHT, WRONG = ["superheat_mean"], ["humidity_mean"]
NO_KINDS = pd.Series(dtype="str")


def truth(devices: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "device_id": [f"faulty-{number}" for number in range(devices)],
            "fault": "drifting_sensor",
            "sensor": "superheat",
            "onset": pd.Timestamp(START + 50 * HOUR),
            "full_severity_at": pd.Timestamp(START + 60 * HOUR),
        }
    )


def flags(*rows: tuple[str, str, int, float, list[str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["who", "device_id", "window_end", "score", "contributors"])
    return frame.assign(window_end=pd.to_datetime([START + hour * HOUR for hour in frame["window_end"]]))


def one(judged: pd.DataFrame, device: str, who: str = FOREST) -> pd.Series:
    return judged[(judged["device_id"] == device) & (judged["who"] == who)].iloc[0]


@pytest.mark.parametrize(("hour", "found"), [(50, False), (51, True), (66, True), (67, False)])
def test_a_fault_counts_as_found_from_onset_to_six_hours_after_full_severity(hour: int, found: bool) -> None:
    judged = judge(Flags(truth(1), ["well"], flags((FOREST, "faulty-0", hour, 0.9, RIGHT)), NO_KINDS))
    assert one(judged, "faulty-0")["found"] == found
    assert not one(judged, "faulty-0", AGREEMENT)["found"]


def test_the_highest_flag_decides_whether_the_sensor_was_named() -> None:
    said = flags((FOREST, "faulty-0", 55, 0.65, WRONG), (FOREST, "faulty-0", 60, 0.9, RIGHT))
    assert one(judge(Flags(truth(1), [], said, NO_KINDS)), "faulty-0")["named"]
    assert not one(judge(Flags(truth(1), [], said.assign(score=[0.9, 0.65]), NO_KINDS)), "faulty-0")["named"]


def test_healthy_devices_show_what_chance_finds_in_the_time_of_a_fault() -> None:
    said = flags((FOREST, "well", 55, 0.65, WRONG), (FOREST, "fine", 90, 0.65, WRONG))
    judged = judge(Flags(truth(1), ["well", "fine"], said, NO_KINDS))
    assert judged[(judged["fault"] == NO_FAULT) & judged["found"]]["device_id"].tolist() == ["well"]
    assert named_counts(judged)["flagged"].sum() == 0


@pytest.mark.parametrize(
    ("flagged", "named", "missed"),
    [(100, 95, False), (100, 94, True), (FEWEST_FLAGGED, 18, True), (FEWEST_FLAGGED - 1, 0, False)],
)
def test_a_family_that_names_too_few_sensors_misses_the_target_unless_it_flags_too_few(
    flagged: int, named: int, missed: bool
) -> None:
    rows = [(FOREST, f"faulty-{n}", 60, 0.9, RIGHT if n < named else WRONG) for n in range(flagged)]
    lines = misses(named_counts(judge(Flags(truth(120), [], flags(*rows), NO_KINDS))))
    assert bool(lines) == missed
    assert all(FOREST in line for line in lines)


def test_more_urgent_alerts_than_allowed_on_a_healthy_fleet_are_a_miss() -> None:
    alerts = pd.DataFrame({"severity": ["HIGH"] * (model_healthy.MOST_ALERTS + 1)})
    assert not model_healthy.misses(alerts.iloc[1:])
    assert model_healthy.misses(alerts)


def test_the_prediction_follows_the_anchors() -> None:
    predicted = model_healthy.predict(20_000, Settings())
    windows = 20_000 * (2 * 24 + 2)
    assert predicted.critical == pytest.approx(windows * 1e-6)
    assert predicted.high_most == pytest.approx(windows * 1.9e-5)
    assert predicted.high_least == pytest.approx(windows * 1.9e-5 * (1 - 0.99**3))


@pytest.mark.parametrize(("seconds", "peak", "missed"), [(64.9, 1, 0), (65.0, 1, 1), (65.0, 6 * 1024**3, 2)])
def test_a_slow_or_large_daily_cycle_is_a_miss(seconds: float, peak: int, missed: int) -> None:
    assert len(model_speed.misses(Measured(seconds, peak, "", "", 0))) == missed


def test_features_come_straight_from_the_simulator(tmp_path: Path) -> None:
    warehouse = Warehouse.from_settings(Settings(data_dir=tmp_path))
    fleet = Fleet(simulate_registry(8, 33), 33, START, START + 2 * HOUR, delivery=DELIVERY)
    append_hours(warehouse, fleet, [START])
    append_sketched_hour(warehouse, fleet, START + HOUR)
    with warehouse.read() as connection:
        windows = connection.execute(
            "SELECT window_end, count(*), count(DISTINCT temp_evaporator_mean), avg(reading_count) "
            "FROM device_features GROUP BY window_end ORDER BY window_end"
        ).fetchall()
    assert [end for end, *_ in windows] == [START + n * HOUR / 4 for n in range(1, 9)]
    assert all((devices, distinct) == (8, 8) and readings > 14 for _, devices, distinct, readings in windows)

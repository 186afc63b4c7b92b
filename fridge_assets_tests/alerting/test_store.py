"""Alerts in a real SQLite store."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.alerting.listing import AlertFilter
from fridge_assets.alerting.store import (
    apply,
    events_of_alerts,
    known_alerts,
    list_alerts,
    open_alert_summary,
)
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.stores.operations import Operations, alert_events, device_alerts
from fridge_assets_tests.alerting.fleet import SETTINGS, SUPERHEAT, Fleet, run_time, score, window

NOTHING = GeneratedAlerts(DEVICE_ALERTS.empty(), DEVICE_ALERTS.empty(), ALERT_EVENTS.empty())


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    return Operations(f"sqlite:///{tmp_path}/operations.db")


@pytest.fixture
def three_devices(operations: Operations) -> Operations:
    """d1 HIGH told at 0 h and repeated at 1 h, d2 LOW, d3 CRITICAL and recovered at 2 h."""
    fleet = Fleet()
    windows = [
        [score("d1", 0, 0.75), score("d2", 0, 0.65), score("d3", 0, 0.97)],
        [score("d1", 1, 0.75), score("d2", 1, 0.1), score("d3", 1, 0.1)],
        [score("d1", 2, 0.65, contributors=[SUPERHEAT]), score("d3", 2, 0.1)],
    ]
    for rows in windows:
        store(operations, fleet.run(*rows))
    return operations


def store(operations: Operations, generated: GeneratedAlerts) -> None:
    with operations.transaction() as connection:
        apply(connection, generated)


def listed(operations: Operations, **wanted: object) -> list[tuple[str, str, float]]:
    with operations.read() as connection:
        alerts = list_alerts(connection, AlertFilter(**wanted))  # type: ignore[arg-type]
    hours = (alerts["window_end"] - window(0)) / pd.Timedelta(hours=1)
    return list(zip(alerts["device_id"], alerts["severity"], hours, strict=True))


def count(operations: Operations, table: sa.Table) -> int:
    with operations.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_what_is_stored_comes_back_equal(operations: Operations) -> None:
    generated = Fleet().run(score("d1", 0, 0.9), score("d2", 0, 0.97))
    store(operations, generated)
    with operations.read() as connection:
        stored = known_alerts(connection, run_time(0), window(0).to_pydatetime())
        events = events_of_alerts(connection, generated.new["alert_id"].tolist())
    pd.testing.assert_frame_equal(stored.sort_values("device_id", ignore_index=True), generated.new)
    assert set(events["event_id"]) == set(generated.events["event_id"])


def test_storing_twice_changes_nothing(operations: Operations) -> None:
    generated = Fleet().run(score("d1", 0, 0.9))
    store(operations, generated)
    store(operations, generated)
    store(operations, NOTHING)
    assert (count(operations, device_alerts), count(operations, alert_events)) == (1, 1)


def test_stored_row_is_not_overwritten_by_a_new_one_with_its_id(operations: Operations) -> None:
    generated = Fleet().run(score("d1", 0, 0.9))
    store(operations, generated)
    other = GeneratedAlerts(generated.new.assign(status="RESOLVED"), NOTHING.updated, NOTHING.events)
    store(operations, other)
    assert listed(operations) == [("d1", "MEDIUM", 0)]


def test_event_without_its_alert_stores_nothing(operations: Operations) -> None:
    events = Fleet().run(score("d1", 0, 0.9)).events
    with pytest.raises(sa.exc.IntegrityError):
        store(operations, GeneratedAlerts(NOTHING.new, NOTHING.updated, events))
    assert count(operations, alert_events) == 0


def test_life_of_an_alert_is_told_by_its_events(three_devices: Operations) -> None:
    with three_devices.read() as connection:
        alerts = list_alerts(connection, AlertFilter(active_only=False, device_id="d3"))
        events = events_of_alerts(connection, alerts["alert_id"].tolist())
    assert events["to_status"].tolist() == ["OPEN", "RESOLVED"]
    assert alerts["alert_type"].tolist() == ["ANOMALY_RESOLVED"]
    assert alerts["resolved_at"].tolist() == [pd.Timestamp(run_time(2))]


def test_list_shows_active_work_newest_first(three_devices: Operations) -> None:
    assert listed(three_devices) == [("d1", "LOW", 2), ("d1", "MEDIUM", 0), ("d2", "LOW", 0)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"min_severity": "MEDIUM"}, [("d1", "MEDIUM", 0)]),
        ({"device_id": "d2"}, [("d2", "LOW", 0)]),
        ({"site_id": "s2", "active_only": False}, [("d3", "CRITICAL", 0)]),
        ({"site_id": "s2"}, []),
        ({"limit": 1}, [("d1", "LOW", 2)]),
        (
            {"active_only": False, "include_suppressed": True, "min_severity": "MEDIUM"},
            [("d1", "MEDIUM", 1), ("d3", "CRITICAL", 0), ("d1", "MEDIUM", 0)],
        ),
    ],
)
def test_list_filters(
    three_devices: Operations, wanted: dict[str, object], expected: list[tuple[str, str, float]]
) -> None:
    assert listed(three_devices, **wanted) == expected


def test_summary_counts_open_work_and_its_worst_severity(three_devices: Operations) -> None:
    with three_devices.read() as connection:
        summary = open_alert_summary(connection)
    assert summary.to_dict("list") == {
        "device_id": ["d1", "d2"],
        "open_alerts": [2, 1],
        "worst_severity": ["MEDIUM", "LOW"],
    }


def test_summary_of_an_empty_store_has_its_columns(operations: Operations) -> None:
    with operations.read() as connection:
        assert list(open_alert_summary(connection).columns) == ["device_id", "open_alerts", "worst_severity"]
        assert list_alerts(connection, AlertFilter()).columns.tolist() == list(DEVICE_ALERTS.column_names)


def test_known_alerts_are_the_active_the_recent_and_those_of_the_window(three_devices: Operations) -> None:
    with three_devices.read() as connection:
        active = known_alerts(connection, run_time(9), window(9).to_pydatetime())
        recent = known_alerts(connection, run_time(1), window(9).to_pydatetime())
        of_window = known_alerts(connection, run_time(9), window(0).to_pydatetime())
    assert sorted(active["device_id"]) == ["d1", "d1", "d2"]
    assert sorted(recent["device_id"]) == ["d1", "d1", "d1", "d2"]
    assert sorted(of_window["device_id"]) == ["d1", "d1", "d2", "d3"]


def test_questions_use_an_index(three_devices: Operations) -> None:
    with three_devices.read() as connection:
        plans = {
            question: " ".join(row.detail for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {question}")))
            for question in (
                "SELECT * FROM device_alerts WHERE alert_created_at >= '2026' OR window_end = '2026'",
                "SELECT * FROM device_alerts WHERE device_id = 'd1' AND window_end >= '2026'",
                "SELECT * FROM alert_events WHERE alert_id = 'a' ORDER BY occurred_at",
            )
        }
    assert all("SCAN" not in plan and "USING INDEX" in plan for plan in plans.values()), plans


def test_generation_from_the_store_is_idempotent(operations: Operations) -> None:
    for attempt in range(3):
        with operations.transaction() as connection:
            now = run_time(0) + timedelta(minutes=attempt)
            fleet = Fleet()
            fleet.alerts = known_alerts(connection, now - SETTINGS.dedup, window(0).to_pydatetime())
            apply(connection, fleet.run(score("d1", 0, 0.9), score("d2", 0, 0.97), now=now))
    assert (count(operations, device_alerts), count(operations, alert_events)) == (2, 2)

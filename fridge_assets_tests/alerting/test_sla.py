"""What becomes due of an alert, who is told of it, and how well deadlines are kept (SPEC 6)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
import pytest
from fridge_assets.alerting.sla import as_of, channel_of, escalations

from fridge_assets.alerting.sla_report import sla_table
from fridge_assets_tests.alerting.fleet import SETTINGS, Fleet, run_time, score

MINUTE = timedelta(minutes=1)
CRITICAL, MEDIUM, LOW = 0.97, 0.75, 0.65
TOLD = run_time(0)
Row = tuple[int, int, int, int, float]
NONE: Row = (0, 0, 0, 0, float("nan"))


def told(value: float = CRITICAL, *devices: str) -> Fleet:
    """Devices that are told of at ``TOLD``; d1 where none is named."""
    fleet = Fleet()
    fleet.run(*(score(device, 0, value) for device in devices or ("d1",)))
    return fleet


def after(minutes: float) -> datetime:
    return TOLD + minutes * MINUTE


def steps(fleet: Fleet, minutes: float) -> list[tuple[str, str, datetime]]:
    return [
        (row.action, row.escalation_level, row.event_at.to_pydatetime())
        for step in escalations(fleet.alerts, after(minutes), SETTINGS)
        for row in step.itertuples()
    ]


@pytest.mark.parametrize(
    ("severity", "channels"),
    [
        ("LOW", [None, "site_digest", "operations"]),
        ("MEDIUM", ["site_digest", "operations", "on_call"]),
        ("HIGH", ["operations", "on_call", "everyone"]),
        ("CRITICAL", ["on_call", "everyone", "everyone"]),
    ],
)
def test_each_level_is_one_channel_further_and_at_most_everyone(severity: str, channels: list[str | None]) -> None:
    assert [channel_of(severity, level) for level in ("L1", "L2", "L3")] == channels


def test_what_is_due_at_the_moment_of_the_look_is_still_in_time() -> None:
    assert steps(told(), 30) == []
    assert steps(told(), 30.01) == [("breach", "L2", after(30))]


@pytest.mark.parametrize(("value", "span"), [(CRITICAL, 30), (MEDIUM, 240), (LOW, 1440)])
def test_each_severity_has_its_span_until_the_breach_and_again_until_the_next_level(value: float, span: int) -> None:
    both = [("breach", "L2", after(span)), ("escalate", "L3", after(2 * span))]
    assert steps(told(value), 2 * span + 1) == both
    assert steps(told(value), 100 * span) == both, "there is nobody beyond L3"


def test_an_alert_as_of_a_later_moment_is_what_the_steps_until_then_make_of_it_and_no_other_row_changes() -> None:
    fleet = told(CRITICAL, "d1", "d2", "d3")
    fleet.person_sets(fleet.alerts["alert_id"].iloc[1], "ACKNOWLEDGED", after(5))
    for minutes, level in ((30, "L1"), (31, "L2"), (61, "L3")):
        current = as_of(fleet.alerts, after(minutes), SETTINGS)
        assert list(current["escalation_level"]) == [level, "L1", level]
        assert list(current["sla_breached"]) == [level != "L1", False, level != "L1"]
        changed = ["escalation_level", "sla_breached", "next_escalation_at", "revision"]
        pd.testing.assert_frame_equal(current.drop(columns=changed), fleet.alerts.drop(columns=changed))
        assert (current.dtypes == fleet.alerts.dtypes).all()
    assert current["next_escalation_at"].isna().all()
    assert list(current["revision"]) == [3, 2, 3]
    assert list(fleet.alerts["escalation_level"]) == ["L1"] * 3, "what was given stays as it was"


def test_nothing_is_as_of_any_moment() -> None:
    assert as_of(Fleet().alerts, TOLD, SETTINGS).empty


# --- how well deadlines are kept


def table(fleet: Fleet, minutes: float, *severities: str) -> Sequence[Row]:
    rows = sla_table(fleet.alerts, fleet.events, after(minutes), SETTINGS).set_index("severity")
    numbers = ["told", "in_time", "late", "breached_open"]
    assert list(rows.columns) == [*numbers, "median_minutes"]
    return [(*rows.loc[name, numbers].astype(int), float(rows.loc[name, "median_minutes"])) for name in severities]


def same(found: Sequence[Row], *expected: Row) -> None:
    assert [pytest.approx(row, nan_ok=True) for row in expected] == list(found)


def test_no_alerts_make_a_table_of_nothing() -> None:
    fleet = Fleet()
    assert list(sla_table(fleet.alerts, fleet.events, TOLD, SETTINGS)["severity"]) == [
        "CRITICAL",
        "HIGH",
        "MEDIUM",
        "LOW",
    ]
    same(table(fleet, 0, "CRITICAL", "LOW"), NONE, NONE)


@pytest.mark.parametrize(
    ("minutes", "row"), [(10, (1, 1, 0, 0, 10.0)), (30, (1, 1, 0, 0, 30.0)), (31, (1, 0, 1, 0, 31.0))]
)
@pytest.mark.parametrize("status", ["ACKNOWLEDGED", "IN_PROGRESS", "RESOLVED", "FALSE_POSITIVE"])
def test_taken_by_whatever_a_person_does_is_in_time_up_to_the_deadline(minutes: int, row: Row, status: str) -> None:
    fleet = told()
    fleet.person_sets(fleet.alerts["alert_id"].iloc[0], status, after(minutes))
    same(table(fleet, 500, "CRITICAL", "MEDIUM"), row, NONE)


def test_what_nobody_takes_has_time_until_its_deadline_and_is_breached_after_it_though_nobody_looked() -> None:
    fleet = told(CRITICAL, "d1", "d2")
    same(table(fleet, 30, "CRITICAL"), (2, 0, 0, 0, float("nan")))
    fleet.person_sets(fleet.alerts["alert_id"].iloc[0], "ACKNOWLEDGED", after(5))
    same(table(fleet, 31, "CRITICAL"), (2, 1, 0, 1, 5.0))


def test_recovery_counts_as_taken() -> None:
    fleet = told(MEDIUM)
    fleet.run(score("d1", 1, 0.1))
    fleet.run(score("d1", 2, 0.1))
    same(table(fleet, 1000, "MEDIUM"), (1, 1, 0, 0, 120.0))


def test_after_a_recovery_that_did_not_last_people_have_their_time_again() -> None:
    fleet = told(MEDIUM)
    for hour, value in ((1, 0.1), (2, 0.1), (3, MEDIUM)):
        fleet.run(score("d1", hour, value))
    same(table(fleet, 181, "MEDIUM"), (1, 0, 0, 0, float("nan")))
    fleet.person_sets(fleet.active["alert_id"].iloc[0], "ACKNOWLEDGED", after(200))
    same(table(fleet, 1000, "MEDIUM"), (1, 1, 0, 0, 20.0))


def test_work_that_goes_on_in_another_alert_counts_once() -> None:
    fleet = told(MEDIUM)
    fleet.run(score("d1", 4, MEDIUM))
    assert len(fleet.alerts) == 2
    same(table(fleet, 240, "MEDIUM"), (1, 0, 0, 0, float("nan")))
    same(table(fleet, 241, "MEDIUM"), (1, 0, 0, 1, float("nan")))
    taken = told(MEDIUM)
    taken.person_sets(taken.alerts["alert_id"].iloc[0], "ACKNOWLEDGED", after(7))
    taken.run(score("d1", 4, MEDIUM))
    assert list(taken.active["status"]) == ["ACKNOWLEDGED"]
    same(table(taken, 1000, "MEDIUM"), (1, 1, 0, 0, 7.0))


def test_repeats_that_nobody_was_told_of_do_not_count() -> None:
    fleet = told(MEDIUM)
    fleet.run(score("d1", 1, MEDIUM))
    assert len(fleet.alerts) == 2
    same(table(fleet, 61, "MEDIUM"), (1, 0, 0, 0, float("nan")))

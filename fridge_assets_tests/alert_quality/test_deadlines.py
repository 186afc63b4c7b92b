"""How well deadlines are kept (SPEC 6.1)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from fridge_assets.alert_quality.deadlines import sla_table, work_since
from fridge_assets.incidents.acting import act
from fridge_assets.incidents.channels import channel_of
from fridge_assets.incidents.observations import Act
from fridge_assets.incidents.terms import LEVELS, PersonsAction, Severity
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.incidents.device import CRITICAL, EPOCH, MEDIUM, SETTINGS, quiet, run_time, seen
from fridge_assets_tests.incidents.given import see

MINUTE = timedelta(minutes=1)
TOLD = run_time(0)
Row = tuple[int, int, int, int, float]
NONE: Row = (0, 0, 0, 0, float("nan"))


def told(operations: Operations, severity: Severity = CRITICAL, *devices: str) -> None:
    """Devices that are told of at ``TOLD``; d1 where none is named."""
    see(operations, TOLD, *(seen(0, severity, device=device, families=2) for device in devices or ("d1",)))


def after(minutes: float) -> datetime:
    return TOLD + minutes * MINUTE


def does(operations: Operations, action: PersonsAction, minutes: float, device: str = "d1") -> None:
    until = after(minutes + 60) if action == "snooze" else None
    act(operations, device, Act(action, "ann", until=until), after(minutes), SETTINGS)


def table(operations: Operations, minutes: float, *severities: str) -> Sequence[Row]:
    with operations.read() as connection:
        rows = sla_table(work_since(connection, EPOCH), after(minutes)).set_index("severity")
    numbers = ["told", "in_time", "late", "breached_open"]
    assert list(rows.columns) == [*numbers, "median_minutes"]
    return [(*rows.loc[name, numbers].astype(int), float(rows.loc[name, "median_minutes"])) for name in severities]


def same(found: Sequence[Row], *expected: Row) -> None:
    assert [pytest.approx(row, nan_ok=True) for row in expected] == list(found)


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
    assert [channel_of(Severity[severity], level) for level in LEVELS] == channels


def test_no_incidents_make_a_table_of_nothing(operations: Operations) -> None:
    assert list(sla_table([], TOLD)["severity"]) == ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    same(table(operations, 0, "CRITICAL", "LOW"), NONE, NONE)


@pytest.mark.parametrize(
    ("minutes", "row"), [(10, (1, 1, 0, 0, 10.0)), (30, (1, 1, 0, 0, 30.0)), (31, (1, 0, 1, 0, 31.0))]
)
@pytest.mark.parametrize("action", ["acknowledge", "take", "start", "snooze", "resolve", "false_positive"])
def test_taken_by_whatever_a_person_does_is_in_time_up_to_the_deadline(
    operations: Operations, minutes: int, row: Row, action: PersonsAction
) -> None:
    told(operations)
    does(operations, action, minutes)
    same(table(operations, 60, "CRITICAL", "MEDIUM"), row, NONE)


def test_what_nobody_takes_has_time_until_its_deadline_and_is_breached_after_it_though_nobody_looked(
    operations: Operations,
) -> None:
    told(operations, CRITICAL, "d1", "d2")
    same(table(operations, 30, "CRITICAL"), (2, 0, 0, 0, float("nan")))
    does(operations, "acknowledge", 5)
    same(table(operations, 31, "CRITICAL"), (2, 1, 0, 1, 5.0))


def test_what_was_taken_and_taken_back_is_not_taken(operations: Operations) -> None:
    told(operations)
    does(operations, "acknowledge", 5)
    does(operations, "undo", 6)
    same(table(operations, 31, "CRITICAL"), (1, 0, 0, 1, float("nan")))


def test_recovery_counts_as_taken(operations: Operations) -> None:
    told(operations, MEDIUM)
    for hour in (1, 2):
        see(operations, run_time(hour), quiet(hour))
    same(table(operations, 1000, "MEDIUM"), (1, 1, 0, 0, 120.0))


def test_after_a_recovery_that_did_not_last_people_have_their_time_again(operations: Operations) -> None:
    told(operations, MEDIUM)
    for hour in (1, 2):
        see(operations, run_time(hour), quiet(hour))
    see(operations, run_time(3), seen(3, MEDIUM, families=2))
    same(table(operations, 181, "MEDIUM"), (1, 0, 0, 0, float("nan")))
    does(operations, "acknowledge", 200)
    same(table(operations, 1000, "MEDIUM"), (1, 1, 0, 0, 20.0))


def test_a_rise_before_anybody_took_it_is_work_anew_and_after_that_it_is_not(operations: Operations) -> None:
    told(operations, MEDIUM, "d1", "d2")
    does(operations, "acknowledge", 7)
    see(operations, run_time(1), *(seen(1, CRITICAL, device=device) for device in ("d1", "d2")))
    does(operations, "acknowledge", 70, "d2")
    same(table(operations, 1000, "CRITICAL", "MEDIUM"), (1, 1, 0, 0, 10.0), (1, 1, 0, 0, 7.0))


def test_what_nobody_was_told_of_does_not_count(operations: Operations) -> None:
    see(operations, TOLD, seen(0, MEDIUM))
    same(table(operations, 61, "MEDIUM"), NONE)
    does(operations, "take", 62)
    same(table(operations, 63, "MEDIUM"), NONE)

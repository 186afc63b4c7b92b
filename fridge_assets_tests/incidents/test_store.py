"""What the store keeps is what the pure function decides, whole or not at all, once however often it is observed."""

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fridge_assets.incidents.acting import act
from fridge_assets.incidents.grouping import GroupRule
from fridge_assets.incidents.known import newest_incidents
from fridge_assets.incidents.observations import Act, Measured, Observed, Quiet, Seen, Span, Withdrawn
from fridge_assets.incidents.rows import event_from, incident_from
from fridge_assets.incidents.silences import Silence, add_silence
from fridge_assets.incidents.state import Incident, incident_of
from fridge_assets.incidents.store import Outcome, observe, watch
from fridge_assets.incidents.together import Fleet
from fridge_assets.stores.operations import (
    Operations,
    alert_evidence,
    device_alerts,
    incident_events,
    incidents,
    metadata,
    outbox,
    outbox_subjects,
    work_orders,
)
from fridge_assets_tests.incidents.device import (
    CRITICAL,
    HIGH,
    LOW,
    LOW_SIDE,
    MEDIUM,
    SETTINGS,
    SUPERHEAT,
    at,
    onset,
    quiet,
    run_time,
    seen,
    withdrawn,
)

_FORK = multiprocessing.get_context("fork")
_MOST_STATEMENTS = 200
MEASURED = Measured("Low side low", "The low side was 100 kPa.", "isolation_forest_v2", 0.9, ("pressure_low_mean",))
NOBODY = Fleet({})
SITE = Fleet({"s1": 10, "s2": 10})


def observed(*observations: Seen, **others: Quiet | Withdrawn) -> list[Observed]:
    """Evidence, and other observations by the name of their device."""
    evidence = [Observed(one.device_id, one, MEASURED) for one in observations]
    return [*evidence, *(Observed(device, one) for device, one in others.items())]


def store(
    operations: Operations, what: Sequence[Observed], now: datetime, fleet: Fleet = NOBODY, **more: Any
) -> Outcome:
    with operations.transaction() as connection:
        return observe(connection, what, fleet, now, SETTINGS, **more)


def newest(operations: Operations, device: str = "d1") -> Incident:
    with operations.read() as connection:
        found, by_device = newest_incidents(connection, [device])
    return found[by_device[device]]


def rows(operations: Operations, table: sa.Table) -> list[dict[str, Any]]:
    with operations.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def titles(operations: Operations) -> list[str]:
    with operations.read() as connection:
        return list(connection.scalars(sa.select(outbox.c.title).order_by(outbox.c.number)))


def contents(operations: Operations) -> dict[str, list[str]]:
    """Every row of every table."""
    with operations.read() as connection:
        tables = metadata.sorted_tables
        return {table.name: sorted(map(repr, connection.execute(sa.select(table)).all())) for table in tables}


def check_sums(operations: Operations) -> None:
    """The events of every incident add up to its row, and no device has two that are open."""
    events = rows(operations, incident_events)
    stored = rows(operations, incidents)
    for row in stored:
        own = sorted((e for e in events if e["incident_id"] == row["incident_id"]), key=lambda event: event["revision"])
        assert [event["revision"] for event in own] == list(range(1, len(own) + 1))
        assert incident_of(map(event_from, own)) == incident_from(row)
    open_ones = [row["device_id"] for row in stored if row["closed_at"] is None]
    assert len(open_ones) == len(set(open_ones))


def test_evidence_opens_an_incident_with_its_event_order_and_message(operations: Operations) -> None:
    outcome = store(operations, observed(seen(1, HIGH)), run_time(1))
    incident = newest(operations)
    assert outcome.opened == [incident]
    (alert,) = rows(operations, device_alerts)
    assert (alert["incident_id"], alert["status"], alert["suppressed"]) == (incident.incident_id, "OPEN", False)
    assert (alert["alert_type"], alert["severity"]) == ("ANOMALY_DETECTED", "HIGH")
    (order,) = rows(operations, work_orders)
    assert (order["work_order_id"], alert["ontology_action_id"]) == (incident.work_order_id, incident.work_order_id)
    assert (order["incident_id"], order["priority"], order["title"]) == (incident.incident_id, "normal", MEASURED.title)
    (event,) = rows(operations, incident_events)
    assert (event["action"], event["told"], event["revision"]) == ("open", "opened", 1)
    assert titles(operations) == ["HIGH: d1 in s1: Low side low"]
    assert [row["subject"] for row in rows(operations, outbox_subjects)] == [incident.incident_id]
    check_sums(operations)


def test_the_same_again_changes_nothing(operations: Operations) -> None:
    what = observed(seen(1, HIGH), onset(1, SUPERHEAT, "d2"))
    store(operations, what, run_time(1))
    before = contents(operations)
    store(operations, what, run_time(1))
    store(operations, what, run_time(1.1))
    assert contents(operations) == before


def test_repeats_are_evidence_of_the_same_incident_and_told_to_nobody(operations: Operations) -> None:
    for hour in (1, 1.25, 1.5):
        store(operations, observed(seen(hour, HIGH)), run_time(hour))
    alerts = sorted(rows(operations, device_alerts), key=lambda row: row["window_end"])
    assert [row["suppressed_because"] for row in alerts] == [None, "repeat", "repeat"]
    assert len({row["incident_id"] for row in alerts}) == 1
    assert len(titles(operations)) == 1


def test_the_same_window_made_more_severe_keeps_what_was_measured_before(operations: Operations) -> None:
    store(operations, observed(seen(1, HIGH)), run_time(1))
    store(operations, observed(replace(seen(1, CRITICAL), evidence_id="d1 models 1")), run_time(1.1))
    assert sorted((row["number"], row["severity"]) for row in rows(operations, alert_evidence)) == [
        (1, "HIGH"),
        (2, "CRITICAL"),
    ]
    (alert,) = rows(operations, device_alerts)
    assert (alert["severity"], alert["alert_type"]) == ("CRITICAL", "ANOMALY_ESCALATED")
    (order,) = rows(operations, work_orders)
    assert (order["priority"], order["revision"]) == ("urgent", 2)


def test_recovery_closes_the_incident_and_the_order_that_nobody_had_taken(operations: Operations) -> None:
    store(operations, observed(seen(1, HIGH)), run_time(1))
    for hour in (1.25, 1.5):
        store(operations, observed(d1=quiet(hour)), run_time(hour))
    (alert,) = rows(operations, device_alerts)
    assert (alert["status"], alert["alert_type"]) == ("RESOLVED", "ANOMALY_RESOLVED")
    assert [order["status"] for order in rows(operations, work_orders)] == ["cancelled"]
    check_sums(operations)


def test_what_the_stream_takes_back_closes_the_incident_that_it_had_opened(operations: Operations) -> None:
    store(operations, observed(onset(1)), run_time(1))
    store(operations, observed(d1=withdrawn(1)), run_time(1.1))
    assert newest(operations).closed_because == "withdrawn"
    store(operations, observed(d1=withdrawn(1)), run_time(1.2))
    check_sums(operations)


def test_an_onset_of_an_older_incident_that_is_found_again_opens_nothing(operations: Operations) -> None:
    store(operations, observed(onset(1)), run_time(1))
    store(operations, observed(d1=quiet(1.25)), run_time(1.25))
    store(operations, observed(seen(8, HIGH)), run_time(8))
    before = contents(operations)
    store(operations, observed(onset(1)), run_time(8.1))
    assert contents(operations) == before


def test_a_silence_of_the_site_holds_what_is_seen_in_it(operations: Operations) -> None:
    silence = Silence("silence", None, "s1", at(0), at(3), "ann", "painting", at(0))
    with operations.transaction() as connection:
        add_silence(connection, silence, SETTINGS)
    store(operations, observed(seen(1, CRITICAL), seen(1, CRITICAL, device="d2", site_id="s2")), run_time(1))
    held = {row["device_id"]: row["suppressed_because"] for row in rows(operations, device_alerts)}
    assert held == {"d1": "silenced", "d2": None}
    store(operations, observed(seen(4, CRITICAL)), run_time(4))
    assert titles(operations) == ["CRITICAL: d2 in s2: Low side low", "CRITICAL: d1 in s1: Low side low"]


def test_history_that_is_delivered_late_is_stored_and_told_to_nobody(operations: Operations) -> None:
    late = onset(1)
    moment = timedelta(microseconds=1)
    store(operations, observed(late), at(40), untold={"d1": [Span(late.at, late.at + moment)]})
    assert [row["suppressed_because"] for row in rows(operations, device_alerts)] == ["silenced"]
    assert titles(operations) == []


def test_a_site_in_trouble_is_told_as_one_and_what_joins_is_what_the_message_stands_for(
    operations: Operations,
) -> None:
    store(operations, observed(seen(1, HIGH)), run_time(1), SITE)
    more = [seen(1.25, HIGH, device=f"d{number}") for number in range(2, 7)]
    store(operations, observed(*more), run_time(1.25), SITE)
    assert titles(operations) == [
        "HIGH: d1 in s1: Low side low",
        "HIGH: 6 of 10 devices in s1 have trouble within 30 min",
    ]
    store(operations, observed(seen(1.5, MEDIUM, device="d7", families=2)), run_time(1.5), SITE)
    assert len(titles(operations)) == 2
    assert len(rows(operations, outbox_subjects)) == 1 + 6 + 1
    store(operations, observed(seen(1.5, CRITICAL, device="d8")), run_time(1.52), SITE)
    assert titles(operations)[2:] == ["CRITICAL: 8 of 10 devices in s1 have trouble: it has become more severe"]
    check_sums(operations)


@pytest.mark.parametrize("who", ["the watch", "a run", "a person"])
def test_what_falls_due_while_a_site_is_told_of_as_one_is_held_however_late_anybody_looks(
    operations: Operations, who: str
) -> None:
    store(operations, observed(seen(1, HIGH)), run_time(1), SITE)
    more = [seen(2.75, HIGH, device=f"d{number}") for number in range(2, 8)]
    store(operations, observed(*more), run_time(2.75), SITE)
    late = run_time(3.5)  # the site was told of as one from 2.75 to 3.25, and the deadline of d1 was at 3
    match who:
        case "the watch":
            watch(operations, late, SETTINGS)
        case "a run":
            store(operations, observed(seen(3.5, HIGH)), late, SITE)
        case _:
            act(operations, "d1", Act("acknowledge", "ann"), late, SETTINGS)
    own = newest(operations).incident_id
    (breach,) = [row for row in rows(operations, incident_events) if row["action"] == "breach"]
    assert (breach["incident_id"], breach["told"], breach["held"]) == (own, None, "part_of_site")
    assert breach["occurred_at"] == run_time(3)


def test_acute_trouble_of_many_devices_is_one_message_wherever_they_stand(operations: Operations) -> None:
    storm = Fleet({f"s{number}": 1 for number in range(30)}, GroupRule(4, 0.0, timedelta(minutes=5)))
    many = [onset(1, device=f"d{number}", site_id=f"s{number}") for number in range(6)]
    store(operations, observed(*many), at(1), storm)
    assert titles(operations) == ["CRITICAL: 6 devices have trouble within 5 min"]
    store(operations, observed(seen(1, HIGH, device="d9", site_id="s9")), run_time(1), storm)
    assert titles(operations)[1:] == ["HIGH: d9 in s9: Low side low"]


def test_deadlines_and_reminders_are_of_their_moments_however_late_anybody_looks(operations: Operations) -> None:
    store(operations, observed(seen(1, HIGH)), run_time(1))
    assert watch(operations, run_time(3), SETTINGS) == 0
    assert watch(operations, run_time(11), SETTINGS) == 1
    assert watch(operations, run_time(11), SETTINGS) == 0
    events = sorted(rows(operations, incident_events), key=lambda row: row["revision"])
    assert [row["action"] for row in events] == ["open", "breach", "escalate", "remind"]
    assert events[1]["occurred_at"] == run_time(3)
    assert newest(operations).level == "L3"
    check_sums(operations)


def test_of_many_one_list_is_told(operations: Operations) -> None:
    many = [seen(1, HIGH, device=f"d{number:02}", site_id=f"s{number % 3}") for number in range(12)]
    store(operations, observed(*many), run_time(1))
    assert titles(operations) == ["12 HIGH incidents in 3 sites"]
    assert watch(operations, run_time(3.5), SETTINGS) == 12
    assert titles(operations)[1:] == ["Nobody has taken 12 HIGH incidents in 3 sites"]


def test_medium_is_a_digest_and_low_is_told_to_nobody_by_message(operations: Operations) -> None:
    agreed = [seen(1, MEDIUM, device=device, families=2) for device in ("d1", "d2")]
    store(operations, observed(*agreed, seen(1, LOW, device="d3")), run_time(1))
    assert titles(operations) == ["2 MEDIUM incidents in 1 site"]


LIFE: Sequence[tuple[float, Sequence[Observed]]] = (
    (1, observed(seen(1, HIGH), seen(1, MEDIUM, device="d2"), onset(1, SUPERHEAT, "d3"))),
    (1.25, observed(seen(1.25, HIGH, SUPERHEAT), seen(1.25, MEDIUM, device="d2"), d3=quiet(1.25))),
    (6, observed(seen(6, CRITICAL), onset(6, LOW_SIDE, "d2"), seen(6, HIGH, device="d4"), d3=withdrawn(1))),
)


def live(operations: Operations, upto: int) -> None:
    for hour, what in LIFE[:upto]:
        watch(operations, run_time(hour), SETTINGS)
        store(operations, what, run_time(hour), SITE)


def die_at(step: int) -> None:
    """Kill this process just before its ``step``-th statement, or commit, on the operations store."""
    left = iter(range(step))

    def count(*_: Any) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    for event in ("before_cursor_execute", "commit"):
        sa.event.listen(sa.engine.Engine, event, count)


def last_run_and_die(url: str, step: int) -> None:
    die_at(step)
    store(Operations(url), LIFE[-1][1], run_time(LIFE[-1][0]), SITE)


def copies(file: Path, folder: Path) -> Iterator[Operations]:
    for number in range(_MOST_STATEMENTS):
        copy = folder / f"copy-{number}.db"
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        yield Operations(f"sqlite:///{copy}")


def test_killed_between_any_two_statements_it_has_stored_all_or_nothing(tmp_path: Path) -> None:
    operations = Operations(f"sqlite:///{tmp_path / 'whole.db'}")
    live(operations, 2)
    watch(operations, run_time(LIFE[-1][0]), SETTINGS)
    before = contents(operations)
    killed = copies(tmp_path / "whole.db", tmp_path)
    undisturbed = next(killed)
    store(undisturbed, LIFE[-1][1], run_time(LIFE[-1][0]), SITE)
    after = contents(undisturbed)
    for step, copy in enumerate(killed):
        process = _FORK.Process(target=last_run_and_die, args=(copy.url, step))
        process.start()
        process.join(60)
        if process.exitcode == 0:
            assert step >= 8
            return
        assert process.exitcode == -signal.SIGKILL
        assert contents(copy) in (before, after), step
        store(copy, LIFE[-1][1], run_time(LIFE[-1][0]), SITE)
        assert contents(copy) == after, step
    raise AssertionError("the run never got through")


def run_when(url: str, barrier: Any) -> None:
    barrier.wait()
    store(Operations(url), LIFE[-1][1], run_time(LIFE[-1][0]), SITE)


def test_two_at_once_leave_what_one_leaves(tmp_path: Path) -> None:
    operations = Operations(f"sqlite:///{tmp_path / 'whole.db'}")
    live(operations, 2)
    watch(operations, run_time(LIFE[-1][0]), SETTINGS)
    made = copies(tmp_path / "whole.db", tmp_path)
    alone, shared = next(made), next(made)
    store(alone, LIFE[-1][1], run_time(LIFE[-1][0]), SITE)
    barrier = _FORK.Barrier(2)
    processes = [_FORK.Process(target=run_when, args=(shared.url, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert contents(shared) == contents(alone)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_order_of_devices_changes_nothing(operations: Operations, order: Sequence[int]) -> None:
    many = [seen(1, severity, device=f"d{n}") for n, severity in enumerate((CRITICAL, HIGH, MEDIUM, LOW))]
    store(operations, observed(*(many[place] for place in order)), run_time(1))
    incidents_of = {row["device_id"]: (row["severity"], row["told"]) for row in rows(operations, incidents)}
    assert incidents_of == {
        "d0": ("CRITICAL", "CRITICAL"),
        "d1": ("HIGH", "HIGH"),
        "d2": ("MEDIUM", None),
        "d3": ("LOW", "LOW"),
    }

"""Actions of people in a real SQLite store: the incident, its event, its label and its work (SPEC 6.1)."""

import threading
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from fridge_assets.core.errors import FridgeError
from fridge_assets.incidents import acting
from fridge_assets.incidents.acting import act
from fridge_assets.incidents.labels import labels_of
from fridge_assets.incidents.observations import Act
from fridge_assets.incidents.people import NotAllowed, Outdated
from fridge_assets.incidents.queries import events_of
from fridge_assets.incidents.rows import incident_from
from fridge_assets.incidents.state import Incident, IncidentEvent, incident_of
from fridge_assets.incidents.terms import PersonsAction
from fridge_assets.stores.operations import (
    Operations,
    device_alerts,
    incidents,
    label_events,
    outbox,
    outbox_subjects,
    silences,
    work_orders,
)
from fridge_assets.work_orders.rules import Schedule
from fridge_assets_tests.incidents.device import HIGH, MEDIUM, SETTINGS, SUPERHEAT, run_time, seen
from fridge_assets_tests.incidents.given import incident_id, rows_of, see

SOON = run_time(0) + timedelta(minutes=10)
LATER = SOON + timedelta(minutes=5)


@pytest.fixture
def incident(operations: Operations) -> str:
    """The HIGH incident of d1; d2 has one of MEDIUM."""
    see(operations, run_time(0), seen(0, HIGH), seen(0, MEDIUM, device="d2", families=2))
    see(operations, run_time(0) + timedelta(minutes=5), seen(0.05, HIGH))
    return incident_id(operations)


def do(
    operations: Operations,
    identity: str,
    action: PersonsAction,
    by: str = "ann",
    at: datetime = SOON,
    note: str = "",
    revision: int | None = None,
    schedule: Schedule | None = None,
    until: datetime | None = None,
) -> tuple[Incident, IncidentEvent]:
    done = Act(action, by, note, until, revision)
    return act(operations, identity, done, at, SETTINGS, schedule)


def stored(operations: Operations, identity: str) -> tuple[Incident, list[IncidentEvent]]:
    with operations.read() as connection:
        query = sa.select(incidents).where(incidents.c.incident_id == identity)
        row = connection.execute(query).mappings().one()
        return incident_from(row), events_of(connection, identity)


def actors(operations: Operations, identity: str) -> list[str]:
    return [event.actor for event in stored(operations, identity)[1] if event.action != "join"]


def test_an_action_is_stored_with_an_event_that_says_who_when_and_why(operations: Operations, incident: str) -> None:
    after, event = do(operations, incident, "acknowledge", note="on my way")
    assert stored(operations, incident)[0] == after
    assert stored(operations, incident)[1][-1] == event
    assert (event.actor, event.action, event.from_status, event.to_status, event.note, event.occurred_at) == (
        "ann", "acknowledge", "OPEN", "ACKNOWLEDGED", "on my way", SOON,
    )  # fmt: skip


def test_the_events_of_a_whole_life_add_up_to_the_incident(operations: Operations, incident: str) -> None:
    actions: list[PersonsAction] = [
        "escalate", "take", "maintain", "snooze", "undo", "start", "resolve", "false_positive", "confirm",
    ]  # fmt: skip
    for minute, action in enumerate(actions):
        at = SOON + timedelta(minutes=minute)
        schedule = (at, at + timedelta(hours=2)) if action == "maintain" else None
        until = at + timedelta(hours=1) if action == "snooze" else None
        do(operations, incident, action, at=at, schedule=schedule, until=until)
    row, events = stored(operations, incident)
    assert [event.action for event in events if event.actor == "ann"] == actions
    assert incident_of(events) == row


def test_a_device_means_its_newest_incident(operations: Operations, incident: str) -> None:
    do(operations, "d1", "resolve")
    see(operations, run_time(9), seen(9, HIGH))
    after, _ = do(operations, "d1", "acknowledge", at=run_time(9))
    assert (after.device_id, after.status) == ("d1", "ACKNOWLEDGED")
    assert after.incident_id == incident_id(operations) != incident


def test_the_beginning_of_an_id_is_enough_where_no_other_has_it(operations: Operations, incident: str) -> None:
    assert do(operations, incident[:13], "acknowledge")[0].incident_id == incident


@pytest.mark.parametrize(
    ("beginning", "said"),
    [
        ("zzzz", "no incident begins with 'zzzz'. See `fridge-assets incidents list --all`"),
        ("%%%%", "no incident begins with '%%%%'"),
        ("", "'' is too short for an incident. Give 4 characters of its id or more."),
    ],
)
def test_what_names_no_incident_or_several_is_refused(
    operations: Operations, incident: str, beginning: str, said: str
) -> None:
    with pytest.raises(FridgeError) as refusal:
        do(operations, beginning, "acknowledge")
    assert said in str(refusal.value)


def test_nobody_acts_without_a_name(operations: Operations, incident: str) -> None:
    with pytest.raises(NotAllowed, match="without a name"):
        do(operations, incident, "acknowledge", by=" ")
    assert stored(operations, incident)[0].status == "OPEN"


def test_what_the_status_does_not_allow_is_refused_with_who_brought_it_there_and_when(
    operations: Operations, incident: str
) -> None:
    do(operations, incident, "resolve", note="fan replaced")
    with pytest.raises(NotAllowed) as refusal:
        do(operations, incident, "acknowledge", by="bob", at=LATER)
    assert str(refusal.value) == (
        f"incident {incident[:8]} is RESOLVED and cannot take the action 'acknowledge': it is RESOLVED since "
        "'resolve' by ann at 2026-06-01 00:14 UTC (fan replaced). It is possible while an incident is OPEN."
    )
    assert actors(operations, incident) == ["models", "ann"]


def test_who_looked_at_an_older_revision_is_told_what_happened_meanwhile(operations: Operations, incident: str) -> None:
    first = stored(operations, incident)[0].revision
    do(operations, incident, "acknowledge", revision=first)
    with pytest.raises(Outdated) as refusal:
        do(operations, incident, "resolve", by="bob", at=LATER, revision=first)
    assert str(refusal.value) == (
        f"incident {incident[:8]} is at revision {first + 1}, not {first}; now it is ACKNOWLEDGED at L1: 'acknowledge' "
        "by ann at 2026-06-01 00:14 UTC. Look at it again, then act on what it is now."
    )
    assert do(operations, incident, "resolve", by="bob", at=LATER, revision=first + 1)[0].status == "RESOLVED"


def test_a_revision_that_never_was_is_refused(operations: Operations, incident: str) -> None:
    with pytest.raises(Outdated, match=r"not 70.*it never had that one"):
        do(operations, incident, "resolve", revision=70)


@pytest.mark.parametrize("look", [True, False])
def test_of_two_people_at_once_one_wins_and_the_other_is_told_who(
    operations: Operations, incident: str, look: bool
) -> None:
    looked_at = stored(operations, incident)[0].revision if look else None
    people, together = ("ann", "bob", "cy", "dan"), threading.Barrier(4)
    won: list[str] = []
    refused: dict[str, FridgeError] = {}

    def acknowledge(name: str) -> None:
        together.wait(timeout=10)
        try:
            do(Operations(operations.url), incident, "acknowledge", by=name, revision=looked_at)
        except FridgeError as refusal:
            refused[name] = refusal
        else:
            won.append(name)

    threads = [threading.Thread(target=acknowledge, args=(name,)) for name in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    (winner,) = won
    assert set(refused) == set(people) - {winner}
    assert all(f"'acknowledge' by {winner} at 2026-06-01 00:14 UTC" in str(refusal) for refusal in refused.values())
    assert {type(refusal) for refusal in refused.values()} == {Outdated if looked_at else NotAllowed}
    assert actors(operations, incident) == ["models", winner]


def test_a_deadline_that_had_passed_is_recorded_and_told_before_the_action(
    operations: Operations, incident: str
) -> None:
    after, _ = do(operations, incident, "acknowledge", at=run_time(3))
    events = [event for event in stored(operations, incident)[1] if event.action in ("breach", "acknowledge")]
    assert [(event.action, event.occurred_at) for event in events] == [
        ("breach", run_time(2)), ("acknowledge", run_time(3)),
    ]  # fmt: skip
    assert (after.breached, after.level) == (True, "L2")
    assert [row["kind"] for row in rows_of(operations, outbox) if row["channel"] == "on_call"] == ["deadline"]


def test_exactly_at_the_deadline_is_in_time(operations: Operations, incident: str) -> None:
    assert not do(operations, incident, "acknowledge", at=run_time(2))[0].breached


@pytest.mark.parametrize(
    ("actions", "labels"),
    [
        (["acknowledge", "start"], []),
        (["resolve"], ["confirmed"]),
        (["false_positive"], ["false_positive"]),
        (["resolve", "false_positive"], ["confirmed", "false_positive"]),
        (["false_positive", "confirm"], ["false_positive", "confirmed"]),
        (["resolve", "false_positive", "undo"], ["confirmed"]),
        (["resolve", "undo"], []),
    ],
)
def test_closing_an_incident_leaves_a_label_the_newest_counts_and_it_can_be_taken_back(
    operations: Operations, incident: str, actions: list[PersonsAction], labels: list[str]
) -> None:
    for minute, action in enumerate(actions):
        do(operations, incident, action, at=SOON + timedelta(minutes=minute), note=action)
    assert [row["label"] for row in rows_of(operations, label_events)] == labels
    with operations.read() as connection:
        assert labels_of(connection)["label"].tolist() == labels[-1:]


def test_a_label_keeps_what_the_evidence_was(operations: Operations, incident: str) -> None:
    after, event = do(operations, incident, "false_positive", note="door was open")
    (label,) = rows_of(operations, label_events)
    (alert,) = [row for row in rows_of(operations, device_alerts) if row["alert_id"] == after.evidence_id]
    shared = ("device_id", "site_id", "severity", "source", "model_id", "anomaly_score", "window_end")
    assert {name: label[name] for name in shared} == {name: alert[name] for name in shared}
    assert (label["incident_id"], label["alert_id"], label["revision"]) == (incident, alert["alert_id"], event.number)
    assert (label["actor"], label["labelled_at"], label["note"]) == ("ann", SOON, "door was open")


def test_what_was_said_later_than_asked_for_does_not_count(operations: Operations, incident: str) -> None:
    do(operations, incident, "resolve", at=SOON)
    do(operations, "d2", "false_positive", at=LATER)
    with operations.read() as connection:
        assert set(labels_of(connection)["device_id"]) == {"d1", "d2"}
        assert labels_of(connection, until=SOON)["device_id"].tolist() == ["d1"]


def test_maintenance_makes_a_work_order_and_a_window_in_which_nobody_is_told(
    operations: Operations, incident: str
) -> None:
    span = (run_time(5), run_time(7))
    after, _ = do(operations, "d2", "maintain", note="compressor is replaced", schedule=span)
    (order,) = (row for row in rows_of(operations, work_orders) if row["incident_id"] == after.incident_id)
    (silence,) = rows_of(operations, silences)
    assert (order["scheduled_from"], order["scheduled_to"], order["requested_by"]) == (*span, "ann")
    assert after.work_order_id == order["work_order_id"] == silence["work_order_id"]
    assert (silence["kind"], silence["device_id"], silence["site_id"]) == ("maintenance", "d2", None)
    assert (silence["starts_at"], silence["ends_at"], silence["reason"]) == (*span, "compressor is replaced")


def windows(operations: Operations) -> list[tuple[datetime, datetime]]:
    """Maintenance windows that hold anything."""
    spans = [(row["starts_at"], row["ends_at"]) for row in rows_of(operations, silences)]
    return sorted(span for span in spans if span[0] < span[1])


def test_another_date_takes_the_place_of_the_one_before(operations: Operations, incident: str) -> None:
    second = (run_time(30), run_time(32))
    do(operations, "d2", "maintain", schedule=(run_time(5), run_time(7)))
    after, _ = do(operations, "d2", "maintain", at=LATER, schedule=second)
    assert windows(operations) == [second]
    (order,) = (row for row in rows_of(operations, work_orders) if row["work_order_id"] == after.work_order_id)
    assert (order["scheduled_from"], order["scheduled_to"]) == second


@pytest.mark.parametrize(
    ("action", "status"), [("resolve", "done"), ("false_positive", "cancelled"), ("undo", "cancelled")]
)
def test_a_maintenance_window_and_its_order_end_with_the_work(
    operations: Operations, incident: str, action: PersonsAction, status: str
) -> None:
    order = do(operations, "d2", "maintain", schedule=(SOON, LATER + timedelta(hours=5)))[0].work_order_id
    do(operations, "d2", action, by="bob", at=LATER)
    assert windows(operations) == [(SOON, LATER)]
    assert [row["ended_by"] for row in rows_of(operations, silences)] == ["bob"]
    assert [row["status"] for row in rows_of(operations, work_orders) if row["work_order_id"] == order] == [status]


def test_a_date_that_is_taken_back_leaves_an_order_that_there_was_before_without_one(
    operations: Operations, incident: str
) -> None:
    do(operations, incident, "maintain", schedule=(SOON, LATER))
    do(operations, incident, "undo", by="bob", at=LATER)
    (order,) = rows_of(operations, work_orders)
    assert (order["status"], order["scheduled_from"], order["scheduled_to"]) == ("open", None, None)
    assert order["reason"] == "bob took its date back"


def test_maintenance_that_is_over_already_is_refused(operations: Operations, incident: str) -> None:
    with pytest.raises(FridgeError, match=r"cannot be scheduled any more\. Name a later beginning"):
        do(operations, incident, "maintain", at=LATER, schedule=(SOON - timedelta(hours=2), SOON))
    assert stored(operations, incident)[0].status == "OPEN"


def test_maintenance_that_ends_before_it_begins_stores_nothing(operations: Operations, incident: str) -> None:
    before, orders = stored(operations, incident), rows_of(operations, work_orders)
    with pytest.raises(FridgeError, match="ends before it begins"):
        do(operations, incident, "maintain", schedule=(run_time(7), run_time(5)))
    assert stored(operations, incident) == before
    assert rows_of(operations, work_orders) == orders


def test_escalating_tells_the_next_channel_what_it_is_about(operations: Operations, incident: str) -> None:
    do(operations, incident, "escalate", note="needs an engineer")
    do(operations, incident, "escalate", by="bob", at=LATER)
    first, second = (row for row in rows_of(operations, outbox) if row["kind"] == "escalation")
    assert (first["channel"], second["channel"]) == ("on_call", "everyone")
    assert first["title"].startswith("HIGH, escalated to L2 by ann: d1 in s1: ")
    assert first["lines"][0] == "needs an engineer"
    about = {row["message_id"]: row["subject"] for row in rows_of(operations, outbox_subjects)}
    assert (about[first["message_id"]], about[second["message_id"]]) == (incident, incident)


def test_what_would_be_open_beside_another_incident_is_not_taken_back(operations: Operations, incident: str) -> None:
    do(operations, incident, "false_positive")
    see(operations, SOON, seen(0.15, HIGH, SUPERHEAT))
    assert incident_id(operations) != incident
    with pytest.raises(NotAllowed, match="would be open again, and the device has another one by now"):
        do(operations, incident, "undo", at=LATER)


def test_maintenance_and_nothing_else_has_a_schedule(operations: Operations, incident: str) -> None:
    with pytest.raises(ValueError, match="maintain has one"):
        do(operations, incident, "maintain")
    with pytest.raises(ValueError, match="maintain has one"):
        do(operations, incident, "start", schedule=(SOON, LATER))


def test_finding_an_incident_by_the_beginning_of_its_id_uses_the_index(operations: Operations, incident: str) -> None:
    with operations.read() as connection:
        asked: list[tuple[str, tuple[object, ...]]] = []
        sa.event.listen(connection, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
        acting.find_incident(connection, incident[:8])
        selects = [pair for pair in asked if pair[0].startswith("SELECT")]
        assert len(selects) == 2
        for statement, bound in selects:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound).all()
            assert "SEARCH" in plan[0][-1], plan

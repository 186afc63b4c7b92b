"""Actions of people in a real SQLite store: the alert, its event, its label and its work (SPEC 6)."""

import copy
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.alerting import act as acting
from fridge_assets.alerting.act import ActedAlert, Outdated, Schedule, act
from fridge_assets.alerting.actions import ActionRequest
from fridge_assets.alerting.events import LIFE, add_up
from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.alerting.labels import labels_of
from fridge_assets.alerting.lifecycle import IllegalTransition
from fridge_assets.alerting.store import alert_of, apply, events_of_alerts
from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.core.errors import FridgeError
from fridge_assets.stores.operations import (
    Operations,
    label_events,
    outbox,
    outbox_subjects,
    silences,
    work_orders,
)
from fridge_assets_tests.alerting.fleet import BASELINE, SETTINGS, Fleet, run_time, score

SOON = run_time(0) + timedelta(minutes=10)
LATER = SOON + timedelta(minutes=10)


@pytest.fixture(scope="module")
def generated() -> tuple[Fleet, list[GeneratedAlerts]]:
    """d1 HIGH and d2 MEDIUM at 0 h, d1 repeated at 1 h; never change the fleet, copy it."""
    fleet = Fleet()
    windows = [
        [score("d1", 0, 0.9), score("d1", 0, 0.8, BASELINE), score("d2", 0, 0.75)],
        [score("d1", 1, 0.9), score("d1", 1, 0.8, BASELINE)],
    ]
    return fleet, [fleet.run(*rows) for rows in windows]


@pytest.fixture
def fleet(generated: tuple[Fleet, list[GeneratedAlerts]], operations: Operations) -> Fleet:
    """The fleet of ``generated``, its alerts in the store."""
    fleet, windows = generated
    for alerts in windows:
        with operations.transaction() as connection:
            apply(connection, alerts)
    return copy.deepcopy(fleet)


@pytest.fixture
def alert(fleet: Fleet) -> str:
    """The HIGH alert of d1."""
    return id_of(fleet, "d1")


def id_of(fleet: Fleet, device: str, suppressed: bool = False) -> str:
    rows = fleet.alerts[(fleet.alerts["device_id"] == device) & (fleet.alerts["suppressed"] == suppressed)]
    return str(rows["alert_id"].iloc[0])


def do(
    operations: Operations,
    alert: str,
    action: str,
    by: str = "ann",
    at: datetime = SOON,
    note: str = "",
    revision: int | None = None,
    schedule: Schedule | None = None,
) -> ActedAlert:
    return act(operations, alert, action, ActionRequest(by, at, note, revision), SETTINGS, schedule)


def rows_of(operations: Operations, table: sa.Table) -> list[Mapping[str, Any]]:
    with operations.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def stored(operations: Operations, alert: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    with operations.read() as connection:
        return alert_of(connection, alert), events_of_alerts(connection, [alert])


def test_an_action_is_stored_with_an_event_that_says_who_when_and_why(operations: Operations, alert: str) -> None:
    acted = do(operations, alert, "acknowledge", note="on my way")
    row, events = stored(operations, alert)
    pd.testing.assert_frame_equal(row, acted.alert)
    assert (row["status"].iloc[0], row["revision"].iloc[0]) == ("ACKNOWLEDGED", 2)
    last = events.iloc[-1]
    assert last[["actor", "action", "from_status", "to_status", "note", "revision"]].tolist() == [
        "ann", "acknowledge", "OPEN", "ACKNOWLEDGED", "on my way", 2,
    ]  # fmt: skip
    assert last["occurred_at"] == pd.Timestamp(SOON)


def test_the_events_of_a_whole_life_add_up_to_the_alert(operations: Operations, alert: str) -> None:
    actions = ("escalate", "maintain", "start", "resolve", "false_positive", "confirm")
    for minute, action in enumerate(actions):
        at = SOON + timedelta(minutes=minute)
        do(operations, alert, action, at=at, schedule=(at, at + timedelta(hours=2)) if action == "maintain" else None)
    row, events = stored(operations, alert)
    assert events["action"].tolist() == ["detect", *actions]
    told = row.assign(**{name: add_up(events)[name] for name in ("revision", *LIFE)})
    pd.testing.assert_frame_equal(conform([told], DEVICE_ALERTS), row)


def test_the_beginning_of_an_id_is_enough_where_no_other_has_it(operations: Operations, alert: str) -> None:
    assert do(operations, alert[:13], "acknowledge").alert["alert_id"].iloc[0] == alert


@pytest.mark.parametrize(
    ("beginning", "said"),
    [
        ("zzzz", "no alert begins with 'zzzz'. See `fridge-assets alerts list --all`"),
        ("%%%%", "no alert begins with '%%%%'"),
        ("", "'' is too short for an alert. Give 4 characters of its id or more."),
    ],
)
def test_what_names_no_alert_or_several_is_refused(
    operations: Operations, alert: str, beginning: str, said: str
) -> None:
    with pytest.raises(FridgeError) as refusal:
        do(operations, beginning, "acknowledge")
    assert said in str(refusal.value)


def test_nobody_acts_without_a_name(operations: Operations, alert: str) -> None:
    with pytest.raises(FridgeError, match=r"^an action on an alert without a name\. Say who acts with --by\.$"):
        do(operations, alert, "acknowledge", by=" ")


def test_a_repeat_that_is_kept_for_audit_is_refused_and_names_the_alert_that_was_told(
    operations: Operations, fleet: Fleet, alert: str
) -> None:
    repeat = id_of(fleet, "d1", suppressed=True)
    with pytest.raises(FridgeError) as refusal:
        do(operations, repeat, "resolve")
    assert str(refusal.value) == (
        f"alert {repeat[:8]} is kept for audit only (repeat). "
        f"Act on alert {alert[:8]} instead, which is about the same."
    )
    do(operations, alert, "resolve")
    with pytest.raises(FridgeError, match=r"See what is open with `fridge-assets alerts list --device d1`\.$"):
        do(operations, repeat, "resolve")


def test_what_the_status_does_not_allow_is_refused_with_who_brought_it_there_and_when(
    operations: Operations, alert: str
) -> None:
    do(operations, alert, "resolve", note="fan replaced")
    with pytest.raises(IllegalTransition) as refusal:
        do(operations, alert, "acknowledge", by="bob", at=LATER)
    assert str(refusal.value) == (
        f"an alert that is RESOLVED cannot take the action 'acknowledge': alert {alert[:8]} is RESOLVED since "
        "'resolve' by ann at 2026-06-01 00:14 UTC (fan replaced). It is possible while an alert is OPEN."
    )
    _, events = stored(operations, alert)
    assert events["actor"].tolist() == ["models", "ann"]


def test_who_looked_at_an_older_revision_is_told_what_happened_meanwhile(operations: Operations, alert: str) -> None:
    do(operations, alert, "acknowledge", revision=1)
    with pytest.raises(Outdated) as refusal:
        do(operations, alert, "resolve", by="bob", at=LATER, revision=1)
    assert str(refusal.value) == (
        f"alert {alert[:8]} is at revision 2, not 1: 'acknowledge' by ann at 2026-06-01 00:14 UTC; now it is "
        f"ACKNOWLEDGED at L1. Look at it again with `fridge-assets alerts show {alert[:8]}`."
    )
    assert do(operations, alert, "resolve", by="bob", at=LATER, revision=2).alert["revision"].iloc[0] == 3


def test_a_revision_that_never_was_is_refused(operations: Operations, alert: str) -> None:
    with pytest.raises(Outdated, match="is at revision 1, not 7: it never had that one"):
        do(operations, alert, "resolve", revision=7)


@pytest.mark.parametrize("looked_at", [1, None])
def test_of_two_people_at_once_one_wins_and_the_other_is_told_who(
    operations: Operations, alert: str, looked_at: int | None
) -> None:
    people, together = ("ann", "bob", "cy", "dan"), threading.Barrier(4)
    won: list[str] = []
    refused: dict[str, FridgeError] = {}

    def acknowledge(name: str) -> None:
        together.wait(timeout=10)
        try:
            do(Operations(operations.url), alert, "acknowledge", by=name, revision=looked_at)
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
    assert {type(refusal) for refusal in refused.values()} == {Outdated if looked_at else IllegalTransition}
    assert stored(operations, alert)[1]["actor"].tolist() == ["models", winner]


def test_nothing_is_written_over_a_revision_that_was_not_read(operations: Operations, alert: str) -> None:
    before, _ = stored(operations, alert)
    do(operations, alert, "acknowledge")
    request = ActionRequest("bob", LATER)
    with pytest.raises(Outdated, match="'acknowledge' by ann"), operations.transaction() as connection:
        acting._stored(connection, before, acting.acted_on(before, "resolve", request), request)
    assert stored(operations, alert)[0]["status"].tolist() == ["ACKNOWLEDGED"]


def test_a_deadline_that_had_passed_is_recorded_before_the_action(operations: Operations, alert: str) -> None:
    acted = do(operations, alert, "acknowledge", at=run_time(3))
    _, events = stored(operations, alert)
    assert events["action"].tolist() == ["detect", "breach", "acknowledge"]
    assert events["occurred_at"].tolist()[1:] == [pd.Timestamp(run_time(2)), pd.Timestamp(run_time(3))]
    assert acted.alert[["sla_breached", "escalation_level"]].iloc[0].tolist() == [True, "L2"]


def test_exactly_at_the_deadline_is_in_time(operations: Operations, alert: str) -> None:
    assert not do(operations, alert, "acknowledge", at=run_time(2)).alert["sla_breached"].iloc[0]


@pytest.mark.parametrize(
    ("actions", "labels"),
    [
        (["acknowledge", "start"], []),
        (["resolve"], ["confirmed"]),
        (["false_positive"], ["false_positive"]),
        (["resolve", "false_positive"], ["confirmed", "false_positive"]),
        (["false_positive", "confirm"], ["false_positive", "confirmed"]),
    ],
)
def test_closing_an_alert_leaves_a_label_and_the_newest_counts(
    operations: Operations, alert: str, actions: list[str], labels: list[str]
) -> None:
    for minute, action in enumerate(actions):
        do(operations, alert, action, at=SOON + timedelta(minutes=minute), note=action)
    assert [row["label"] for row in rows_of(operations, label_events)] == labels
    with operations.read() as connection:
        counts = labels_of(connection)
    assert counts["label"].tolist() == labels[-1:]
    assert counts["note"].tolist() == actions[-1:] * bool(labels)


def test_a_label_keeps_what_the_alert_was(operations: Operations, alert: str) -> None:
    row = do(operations, alert, "false_positive", note="door was open").alert.iloc[0]
    (label,) = rows_of(operations, label_events)
    shared = ("alert_id", "device_id", "site_id", "severity", "source", "model_id", "anomaly_score", "revision")
    assert {name: label[name] for name in shared} == {name: row[name] for name in shared}
    assert (label["actor"], label["labelled_at"], label["note"]) == ("ann", SOON, "door was open")


def test_labels_may_be_asked_for_from_a_moment_on(operations: Operations, fleet: Fleet, alert: str) -> None:
    do(operations, alert, "resolve", at=SOON)
    do(operations, id_of(fleet, "d2"), "false_positive", at=LATER)
    with operations.read() as connection:
        assert set(labels_of(connection)["device_id"]) == {"d1", "d2"}
        assert labels_of(connection, LATER)["device_id"].tolist() == ["d2"]


def test_maintenance_makes_a_work_order_and_a_window_in_which_the_device_raises_nothing(
    operations: Operations, fleet: Fleet
) -> None:
    alert, span = id_of(fleet, "d2"), (run_time(5), run_time(7))
    acted = do(operations, alert, "maintain", note="compressor is replaced", schedule=span)
    (order,) = (row for row in rows_of(operations, work_orders) if row["alert_id"] == alert)
    (silence,) = rows_of(operations, silences)
    assert (order["scheduled_from"], order["scheduled_to"], order["requested_by"]) == (*span, "ann")
    assert acted.alert["ontology_action_id"].tolist() == [order["work_order_id"]]
    assert (silence["kind"], silence["device_id"], silence["site_id"]) == ("maintenance", "d2", None)
    assert (silence["starts_at"], silence["ends_at"]) == span
    assert (silence["reason"], silence["work_order_id"]) == ("compressor is replaced", order["work_order_id"])
    _, events = stored(operations, alert)
    assert add_up(events)["ontology_action_id"].tolist() == [order["work_order_id"]]


def windows(operations: Operations) -> list[tuple[datetime, datetime]]:
    """Maintenance windows that hold anything."""
    spans = [(row["starts_at"], row["ends_at"]) for row in rows_of(operations, silences)]
    return sorted(span for span in spans if span[0] < span[1])


def test_another_date_takes_the_place_of_the_one_before(operations: Operations, fleet: Fleet) -> None:
    alert, second = id_of(fleet, "d2"), (run_time(30), run_time(32))
    do(operations, alert, "maintain", schedule=(run_time(5), run_time(7)))
    do(operations, alert, "maintain", schedule=second)
    assert windows(operations) == [second]


@pytest.mark.parametrize("action", ["resolve", "false_positive"])
def test_a_maintenance_window_ends_with_the_work(operations: Operations, fleet: Fleet, action: str) -> None:
    alert = id_of(fleet, "d2")
    do(operations, alert, "maintain", schedule=(SOON, LATER + timedelta(hours=5)))
    do(operations, alert, action, by="bob", at=LATER)
    assert windows(operations) == [(SOON, LATER)]
    assert [row["ended_by"] for row in rows_of(operations, silences)] == ["bob"]


def test_maintenance_that_is_over_already_is_refused(operations: Operations, alert: str) -> None:
    with pytest.raises(FridgeError, match=r"cannot be scheduled any more\. Name a later --from"):
        do(operations, alert, "maintain", at=LATER, schedule=(SOON - timedelta(hours=2), SOON))
    assert stored(operations, alert)[0]["status"].tolist() == ["OPEN"]


def test_maintenance_that_ends_before_it_begins_stores_nothing(operations: Operations, fleet: Fleet) -> None:
    alert, before = id_of(fleet, "d2"), rows_of(operations, work_orders)
    with pytest.raises(FridgeError, match="ends before it begins"):
        do(operations, alert, "maintain", schedule=(run_time(7), run_time(5)))
    assert stored(operations, alert)[0]["revision"].tolist() == [1]
    assert rows_of(operations, work_orders) == before


@pytest.mark.parametrize(("action", "status"), [("resolve", "done"), ("false_positive", "cancelled")])
def test_closing_an_alert_ends_its_work_order(operations: Operations, alert: str, action: str, status: str) -> None:
    do(operations, alert, "maintain", schedule=(SOON, LATER))
    do(operations, alert, action, at=LATER)
    assert [row["status"] for row in rows_of(operations, work_orders)] == [status]


def test_escalating_tells_the_next_channel_what_it_is_about(operations: Operations, alert: str) -> None:
    do(operations, alert, "escalate", note="needs an engineer")
    do(operations, alert, "escalate", by="bob", at=LATER)
    first, second = rows_of(operations, outbox)
    assert (first["channel"], second["channel"]) == ("on_call", "everyone")
    assert first["title"].startswith("HIGH, escalated to L2 by ann: d1 in s1: ")
    assert first["lines"][0] == "needs an engineer"
    assert [row["subject"] for row in rows_of(operations, outbox_subjects)] == [alert, alert]


def test_maintenance_and_nothing_else_has_a_schedule(operations: Operations, alert: str) -> None:
    with pytest.raises(ValueError, match="maintain has one"):
        do(operations, alert, "maintain")
    with pytest.raises(ValueError, match="maintain has one"):
        do(operations, alert, "start", schedule=(SOON, LATER))


def test_finding_an_alert_by_the_beginning_of_its_id_uses_the_index(operations: Operations, alert: str) -> None:
    with operations.read() as connection:
        asked: list[tuple[str, tuple[object, ...]]] = []
        sa.event.listen(connection, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
        acting.find_alert(connection, alert[:8])
        statement, bound = asked[-1]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound).all()
    assert "SEARCH" in plan[0][-1], plan

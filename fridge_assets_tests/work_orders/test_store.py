"""Orders change in the transaction that changes their alerts, whoever changes these (SPEC 6)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fridge_assets.alerting.act import act
from fridge_assets.alerting.actions import ActionRequest
from fridge_assets.alerting.store import apply
from fridge_assets.streaming.store import store_changes

from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.stores.operations import Operations, device_alerts, work_orders
from fridge_assets.streaming.engine import Onset, OnsetKey
from fridge_assets.work_orders.rules import order_id_of
from fridge_assets.work_orders.store import find_order, list_orders
from fridge_assets_tests.alerting.fleet import BASELINE, Fleet, run_time, score

RULE = "compressor_overload"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def orders(operations: Operations) -> list[Mapping[str, Any]]:
    with operations.read() as connection:
        return list(connection.execute(sa.select(work_orders).order_by(work_orders.c.created_at)).mappings())


def only(operations: Operations) -> Mapping[str, Any]:
    (one,) = orders(operations)
    return one


def runs(operations: Operations, fleet: Fleet, hour: float, value: float, models: int = 2) -> None:
    """A run of alerting on d1 in the window of ``hour``, stored."""
    rows = [score("d1", hour, value), score("d1", hour, value, BASELINE)][:models]
    with operations.transaction() as connection:
        apply(connection, fleet.run(*rows))


def streams(
    operations: Operations, settings: Settings, *at: datetime, gone: tuple[datetime, ...] = (), now: datetime = AT
) -> None:
    found = [Onset("d1", RULE, moment, 46.0, 40.0, 40.0) for moment in at]
    withdrawn = [OnsetKey("d1", RULE, moment) for moment in gone]
    with operations.transaction() as connection:
        store_changes(connection, found, withdrawn, {"d1": "s1"}, now, settings)


def acts(operations: Operations, action: str, at: datetime, schedule: tuple[datetime, datetime] | None = None) -> None:
    with operations.read() as connection:
        query = sa.select(device_alerts.c.alert_id).where(device_alerts.c.suppressed.is_(sa.false()))
        alert_id = connection.scalar(query.order_by(device_alerts.c.alert_created_at.desc()).limit(1))
    act(operations, str(alert_id), action, ActionRequest("ann", at, "because"), IncidentSettings(), schedule)


def test_the_same_run_twice_is_one_order_that_the_alert_names(operations: Operations) -> None:
    fleet = Fleet()
    runs(operations, fleet, 10, 0.9)
    runs(operations, fleet, 10, 0.9)
    order = only(operations)
    assert order["work_order_id"] == order_id_of(str(fleet.alerts["alert_id"].iloc[0]))
    assert list(fleet.alerts["ontology_action_id"]) == [order["work_order_id"]]
    assert (order["priority"], order["revision"], order["requested_by"]) == ("normal", 1, "models")
    assert order["due_at"] == fleet.alerts["sla_deadline"].iloc[0]


def test_no_order_for_medium_and_none_for_repeats(operations: Operations) -> None:
    fleet = Fleet()
    runs(operations, fleet, 9, 0.75, models=1)
    assert orders(operations) == []
    runs(operations, fleet, 10, 0.9)
    runs(operations, fleet, 11, 0.9)
    assert list(fleet.alerts["suppressed"]) == [False, False, True]
    assert only(operations)["revision"] == 1


def test_a_rise_from_high_to_critical_makes_the_same_order_urgent(operations: Operations) -> None:
    fleet = Fleet()
    runs(operations, fleet, 10, 0.9)
    runs(operations, fleet, 11, 0.97)
    order, risen = only(operations), fleet.alerts.iloc[-1]
    assert (order["priority"], order["revision"], order["alert_id"]) == ("urgent", 2, risen["alert_id"])
    assert order["due_at"] == risen["sla_deadline"]
    assert (risen["escalation_level"], risen["status"]) == ("L1", "OPEN")


def test_a_rise_within_one_window_makes_the_same_order_urgent(operations: Operations) -> None:
    fleet = Fleet()
    runs(operations, fleet, 10, 0.9)
    runs(operations, fleet, 10, 0.97)
    assert (only(operations)["priority"], only(operations)["revision"]) == ("urgent", 2)


def test_an_order_moves_on_with_an_anomaly_that_outlives_its_span(operations: Operations) -> None:
    fleet = Fleet()
    for hour in range(10, 16):
        runs(operations, fleet, hour, 0.9)
    active = fleet.alerts[fleet.alerts["status"] == "OPEN"]
    assert only(operations)["alert_id"] == active["alert_id"].iloc[0] != fleet.alerts["alert_id"].iloc[0]
    assert (only(operations)["status"], only(operations)["revision"]) == ("open", 2)


def test_a_recovery_cancels_the_order_and_a_return_opens_it_again(operations: Operations) -> None:
    fleet = Fleet()
    runs(operations, fleet, 10, 0.9)
    runs(operations, fleet, 11, 0.1)
    assert only(operations)["status"] == "open"
    runs(operations, fleet, 12, 0.1)
    assert (only(operations)["status"], only(operations)["reason"]) == (
        "cancelled",
        "Not flagged for 2 windows in a row",
    )
    runs(operations, fleet, 13, 0.9)
    assert (only(operations)["status"], only(operations)["revision"]) == ("open", 3)
    assert only(operations)["reason"] == "The anomaly is back"


@pytest.mark.parametrize(("action", "status"), [("resolve", "done"), ("false_positive", "cancelled")])
def test_what_a_person_says_of_the_alert_ends_the_order(operations: Operations, action: str, status: str) -> None:
    fleet = Fleet()
    runs(operations, fleet, 10, 0.9)
    acts(operations, action, run_time(10) + MINUTE)
    order = only(operations)
    assert (order["status"], order["revision"]) == (status, 2)
    assert "ann: because" in order["reason"]


def test_maintenance_of_a_medium_alert_asks_for_an_order_with_a_date(operations: Operations) -> None:
    begins = run_time(10) + HOUR
    fleet = Fleet()
    runs(operations, fleet, 10, 0.75, models=1)
    acts(operations, "maintain", run_time(10) + MINUTE, (begins, begins + HOUR))
    order = only(operations)
    assert (order["requested_by"], order["priority"], order["status"]) == ("ann", "normal", "open")
    assert (order["scheduled_from"], order["scheduled_to"]) == (begins, begins + HOUR)
    with operations.read() as connection:
        assert connection.scalar(sa.select(device_alerts.c.ontology_action_id)) == order["work_order_id"]


def test_maintenance_gives_the_order_there_is_a_date(operations: Operations) -> None:
    begins = run_time(10) + HOUR
    runs(operations, Fleet(), 10, 0.9)
    acts(operations, "maintain", run_time(10) + MINUTE, (begins, begins + HOUR))
    order = only(operations)
    assert (order["requested_by"], order["scheduled_from"], order["revision"]) == ("models", begins, 2)


def _store_and_die(operations: Operations, settings: Settings) -> None:
    with operations.transaction() as connection:
        store_changes(connection, [Onset("d1", RULE, AT, 46.0, 40.0, 40.0)], [], {"d1": "s1"}, AT, settings)
        assert connection.scalar(sa.select(work_orders.c.priority)) == "urgent"
        raise RuntimeError("killed before the commit")


def test_a_streaming_alert_has_an_urgent_order_in_the_same_transaction(
    operations: Operations, settings: Settings
) -> None:
    with pytest.raises(RuntimeError):
        _store_and_die(operations, settings)
    assert orders(operations) == []
    streams(operations, settings, AT)
    assert (only(operations)["priority"], only(operations)["requested_by"]) == ("urgent", "streaming")
    assert only(operations)["due_at"] == AT + settings.alerts.sla_critical


def test_a_withdrawn_onset_cancels_the_order(operations: Operations, settings: Settings) -> None:
    streams(operations, settings, AT)
    streams(operations, settings, gone=(AT,), now=AT + MINUTE)
    assert (only(operations)["status"], only(operations)["revision"]) == ("cancelled", 2)


def test_a_withdrawn_onset_leaves_the_order_to_whoever_has_taken_it(operations: Operations, settings: Settings) -> None:
    streams(operations, settings, AT)
    acts(operations, "start", AT + MINUTE)
    streams(operations, settings, gone=(AT,), now=AT + 2 * MINUTE)
    assert only(operations)["status"] == "open"
    assert only(operations)["reason"].endswith("`alerts confirm` or `false-positive` ends it")


def test_an_onset_in_the_place_of_another_takes_its_order_over(operations: Operations, settings: Settings) -> None:
    streams(operations, settings, AT)
    before = only(operations)
    streams(operations, settings, AT - HOUR, now=AT + MINUTE)
    assert only(operations)["work_order_id"] == before["work_order_id"]
    assert (only(operations)["status"], only(operations)["alert_id"] == before["alert_id"]) == ("open", False)


def test_a_repeat_that_late_readings_make_the_first_gets_an_order(operations: Operations, settings: Settings) -> None:
    streams(operations, settings, AT, AT + HOUR, now=AT + HOUR)
    assert len(orders(operations)) == 1
    streams(operations, settings, gone=(AT,), now=AT + HOUR + MINUTE)
    assert sorted(order["status"] for order in orders(operations)) == ["cancelled", "open"]


def test_orders_are_listed_open_and_urgent_ones_first(operations: Operations, settings: Settings) -> None:
    fleet = Fleet()
    runs(operations, fleet, 10, 0.9)
    streams(operations, settings, AT)
    with operations.read() as connection:
        assert list(list_orders(connection)["priority"]) == ["urgent", "normal"]
        assert len(list_orders(connection, limit=1)) == 1
        assert list_orders(connection, "done").empty
        (wanted,) = list_orders(connection, limit=1)["work_order_id"]
        assert list(find_order(connection, wanted[:8])["work_order_id"]) == [wanted]

"""Orders change in the transaction that changes their incidents, whoever changes these (SPEC 6)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fridge_assets.incidents.acting import act
from fridge_assets.incidents.observations import Act, Observation, Observed, Seen
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.terms import PersonsAction
from fridge_assets.incidents.together import Fleet
from fridge_assets.stores.operations import Operations, device_alerts, work_orders
from fridge_assets.work_orders.rules import order_id_of
from fridge_assets.work_orders.store import find_order, list_orders
from fridge_assets_tests.incidents.device import (
    CRITICAL,
    HIGH,
    MEDIUM,
    SETTINGS,
    onset,
    quiet,
    run_time,
    seen,
    withdrawn,
)
from fridge_assets_tests.incidents.given import incident_id, measured, see

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def orders(operations: Operations) -> list[Mapping[str, Any]]:
    with operations.read() as connection:
        return list(connection.execute(sa.select(work_orders).order_by(work_orders.c.created_at)).mappings())


def only(operations: Operations) -> Mapping[str, Any]:
    (one,) = orders(operations)
    return one


def observes(operations: Operations, hour: float, *observations: Observation) -> None:
    see(operations, run_time(hour), *observations)


def acts(
    operations: Operations, action: PersonsAction, at: datetime, schedule: tuple[datetime, datetime] | None = None
) -> None:
    act(operations, "d1", Act(action, "ann", "because"), at, SETTINGS, schedule)


def test_the_same_run_twice_is_one_order_that_the_alert_names(operations: Operations) -> None:
    observes(operations, 10, seen(10, HIGH))
    observes(operations, 10, seen(10, HIGH))
    order = only(operations)
    assert order["work_order_id"] == order_id_of(incident_id(operations))
    with operations.read() as connection:
        (alert,) = connection.execute(sa.select(device_alerts)).mappings()
    assert alert["ontology_action_id"] == order["work_order_id"]
    assert (order["priority"], order["revision"], order["requested_by"]) == ("normal", 1, "models")
    assert order["due_at"] == alert["sla_deadline"]


def test_no_order_for_medium_and_none_for_repeats(operations: Operations) -> None:
    observes(operations, 9, seen(9, MEDIUM, families=2))
    assert orders(operations) == []
    observes(operations, 10, seen(10, HIGH))
    observes(operations, 11, seen(11, HIGH))
    assert only(operations)["revision"] == 1


def test_a_rise_from_high_to_critical_makes_the_same_order_urgent(operations: Operations) -> None:
    observes(operations, 10, seen(10, HIGH))
    observes(operations, 11, seen(11, CRITICAL))
    order = only(operations)
    assert (order["priority"], order["revision"]) == ("urgent", 2)
    assert order["due_at"] == run_time(11) + SETTINGS.sla_critical


def test_an_order_stays_as_it_is_however_long_the_incident_lasts(operations: Operations) -> None:
    for hour in range(10, 16):
        observes(operations, hour, seen(hour, HIGH))
    assert (only(operations)["status"], only(operations)["revision"]) == ("open", 1)


def test_a_recovery_cancels_the_order_and_a_return_opens_it_again(operations: Operations) -> None:
    observes(operations, 10, seen(10, HIGH))
    observes(operations, 11, quiet(11))
    assert only(operations)["status"] == "open"
    observes(operations, 12, quiet(12))
    assert only(operations)["status"] == "cancelled"
    observes(operations, 13, seen(13, HIGH))
    assert (only(operations)["status"], only(operations)["revision"]) == ("open", 3)


@pytest.mark.parametrize(("action", "status"), [("resolve", "done"), ("false_positive", "cancelled")])
def test_what_a_person_says_of_the_incident_ends_the_order(
    operations: Operations, action: PersonsAction, status: str
) -> None:
    observes(operations, 10, seen(10, HIGH))
    acts(operations, action, run_time(10) + MINUTE)
    order = only(operations)
    assert (order["status"], order["revision"]) == (status, 2)
    assert "ann: because" in order["reason"]
    acts(operations, "undo", run_time(10) + 2 * MINUTE)
    assert (only(operations)["status"], only(operations)["revision"]) == ("open", 3)


def test_maintenance_of_a_medium_incident_asks_for_an_order_with_a_date(operations: Operations) -> None:
    begins = run_time(10) + HOUR
    observes(operations, 10, seen(10, MEDIUM, families=2))
    acts(operations, "maintain", run_time(10) + MINUTE, (begins, begins + HOUR))
    order = only(operations)
    assert (order["requested_by"], order["priority"], order["status"]) == ("ann", "normal", "open")
    assert (order["scheduled_from"], order["scheduled_to"]) == (begins, begins + HOUR)
    with operations.read() as connection:
        assert connection.scalar(sa.select(device_alerts.c.ontology_action_id)) == order["work_order_id"]


def test_maintenance_gives_the_order_there_is_a_date(operations: Operations) -> None:
    begins = run_time(10) + HOUR
    observes(operations, 10, seen(10, HIGH))
    acts(operations, "maintain", run_time(10) + MINUTE, (begins, begins + HOUR))
    order = only(operations)
    assert (order["requested_by"], order["scheduled_from"], order["revision"]) == ("models", begins, 2)


def _store_and_die(operations: Operations, found: Seen) -> None:
    with operations.transaction() as connection:
        observe(connection, [Observed("d1", found, measured(found))], Fleet({}), run_time(10), SETTINGS)
        assert connection.scalar(sa.select(work_orders.c.priority)) == "urgent"
        raise RuntimeError("killed before the commit")


def test_an_incident_of_the_stream_has_an_urgent_order_in_the_same_transaction(operations: Operations) -> None:
    with pytest.raises(RuntimeError):
        _store_and_die(operations, onset(10))
    assert orders(operations) == []
    observes(operations, 10, onset(10))
    assert (only(operations)["priority"], only(operations)["requested_by"]) == ("urgent", "streaming")
    assert only(operations)["due_at"] == run_time(10) + SETTINGS.sla_critical


def test_a_withdrawn_onset_cancels_the_order(operations: Operations) -> None:
    observes(operations, 10, onset(10))
    observes(operations, 10.1, withdrawn(10))
    assert (only(operations)["status"], only(operations)["revision"]) == ("cancelled", 2)


def test_a_withdrawn_onset_leaves_the_order_to_whoever_has_taken_it(operations: Operations) -> None:
    observes(operations, 10, onset(10))
    acts(operations, "start", run_time(10) + MINUTE)
    observes(operations, 10.1, withdrawn(10))
    assert only(operations)["status"] == "open"


def test_orders_are_listed_open_and_urgent_ones_first(operations: Operations) -> None:
    observes(operations, 10, seen(10, HIGH))
    observes(operations, 10, onset(10, device="d2"))
    with operations.read() as connection:
        assert list(list_orders(connection)["priority"]) == ["urgent", "normal"]
        assert len(list_orders(connection, limit=1)) == 1
        assert list_orders(connection, "done").empty
        (wanted,) = list_orders(connection, limit=1)["work_order_id"]
        assert list(find_order(connection, wanted[:8])["work_order_id"]) == [wanted]

"""What people do with incidents is seen in the graph, each action once (SPEC 6.1)."""

from datetime import datetime, timedelta

import dagster as dg

from fridge_assets.automation.peoples_actions import MOST, actions_report
from fridge_assets.incidents.acting import act
from fridge_assets.incidents.observations import Act
from fridge_assets.incidents.store import watch
from fridge_assets.incidents.terms import PersonsAction
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.incidents.device import SETTINGS, run_time, seen
from fridge_assets_tests.incidents.given import incident_id, see

WAIT = timedelta(seconds=20)
MINUTE = timedelta(minutes=1)


def report(operations: Operations, cursor: str | None, now: datetime, most: int = MOST) -> tuple[list[str], str]:
    """What is reported, and the cursor after it."""
    found = actions_report(operations, cursor, now, WAIT, most)
    if isinstance(found, dg.SkipReason):
        assert cursor is not None
        return [], cursor
    assert found.cursor is not None
    return [event.description or "" for event in found.asset_events], found.cursor


def does(operations: Operations, action: PersonsAction, at: datetime) -> None:
    act(operations, "d1", Act(action, "ann", "on my way"), at, SETTINGS)


def test_each_action_of_a_person_is_reported_once_from_the_first_look_on(operations: Operations) -> None:
    now = run_time(0)
    see(operations, now, seen(0))
    does(operations, "acknowledge", now)
    reported, cursor = report(operations, None, now + MINUTE)
    assert reported == []
    does(operations, "start", now + 2 * MINUTE)
    assert report(operations, cursor, now + 2 * MINUTE) == ([], cursor), "somebody may still wait to be stored"
    does(operations, "undo", now + 3 * MINUTE)
    reported, cursor = report(operations, cursor, now + 5 * MINUTE)
    assert reported == ["start by ann: d1 is IN_PROGRESS", "undo by ann: d1 is ACKNOWLEDGED"]
    assert report(operations, cursor, now + 6 * MINUTE) == ([], cursor)


def test_of_two_at_the_same_moment_none_is_lost(operations: Operations) -> None:
    now = run_time(0)
    see(operations, now, seen(0), seen(0, device="d2"))
    _, cursor = report(operations, None, now)
    for device in ("d1", "d2"):
        act(operations, device, Act("take", "ann"), now + MINUTE, SETTINGS)
    first, cursor = report(operations, cursor, now + 2 * MINUTE, most=1)
    second, cursor = report(operations, cursor, now + 2 * MINUTE, most=1)
    assert report(operations, cursor, now + 2 * MINUTE) == ([], cursor)
    assert sorted(first + second) == ["take by ann: d1 is ACKNOWLEDGED", "take by ann: d2 is ACKNOWLEDGED"]


def test_what_the_watch_over_deadlines_does_is_no_action_of_a_person(operations: Operations) -> None:
    now = run_time(0)
    see(operations, now, seen(0))
    _, cursor = report(operations, None, now)
    watch(operations, run_time(9), SETTINGS)
    assert report(operations, cursor, run_time(10)) == ([], cursor)


def test_an_observation_says_of_which_incident(operations: Operations) -> None:
    now = run_time(0)
    see(operations, now, seen(0))
    _, cursor = report(operations, None, now)
    does(operations, "take", now + MINUTE)
    found = actions_report(operations, cursor, now + 2 * MINUTE, WAIT)
    assert isinstance(found, dg.SensorResult)
    (event,) = found.asset_events
    assert event.asset_key == dg.AssetKey("device_alerts")
    said = {name: value.value for name, value in event.metadata.items()}
    assert (said["incident"], said["note"], said["revision"]) == (incident_id(operations), "on my way", 2)

"""What people do with incidents, take back, and may not do (SPEC 6.1)."""

from datetime import timedelta

import pytest

from fridge_assets.incidents.observations import Clock
from fridge_assets.incidents.people import NotAllowed, Outdated
from fridge_assets.incidents.terms import PersonsAction
from fridge_assets_tests.incidents.device import (
    CRITICAL,
    HIGH,
    MEDIUM,
    SETTINGS,
    SUPERHEAT,
    Device,
    act,
    at,
    quiet,
    run_time,
    seen,
)

EVERY_ACTION: tuple[tuple[PersonsAction, dict[str, object]], ...] = (
    ("acknowledge", {}),
    ("take", {}),
    ("start", {}),
    ("maintain", {}),
    ("snooze", {"until": at(9)}),
    ("resolve", {}),
    ("false_positive", {}),
    ("escalate", {}),
)


def with_high() -> Device:
    """A device with a HIGH incident since hour 1."""
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    return device


@pytest.mark.parametrize(("action", "more"), EVERY_ACTION, ids=[action for action, _ in EVERY_ACTION])
def test_every_action_can_be_taken_back_for_ten_minutes(action: PersonsAction, more: dict[str, object]) -> None:
    device = with_high()
    before = device.incident
    device.observe(act(action, **more), run_time(1.1))
    assert device.incident != before
    with pytest.raises(NotAllowed, match="more than 10 min ago"):
        device.decide(act("undo"), run_time(1.1) + timedelta(minutes=10, seconds=1))
    device.observe(act("undo", "bob"), run_time(1.1) + timedelta(minutes=10))
    assert vars(device.incident) == {**vars(before), "revision": 3}


def test_what_waited_to_be_told_waits_again_once_an_action_is_taken_back() -> None:
    device = Device()
    device.observe(seen(1, MEDIUM), run_time(1))
    device.observe(act("take"), run_time(1.1))
    assert (device.incident.waiting, device.incident.told) == (None, MEDIUM)
    device.observe(act("undo"), run_time(1.15))
    assert (device.incident.waiting, device.incident.told, device.incident.deadline) == ("opened", None, None)


def test_evidence_that_says_nothing_new_does_not_keep_people_from_taking_back() -> None:
    device = with_high()
    device.observe(act("take"), run_time(1.2))
    device.observe(seen(1.25, HIGH), run_time(1.25))
    device.observe(act("undo"), run_time(1.3))
    assert (device.incident.status, device.incident.owner) == ("OPEN", None)


def test_an_action_cannot_be_taken_back_once_the_incident_has_changed() -> None:
    device = with_high()
    device.observe(act("take"), run_time(1.2))
    device.observe(seen(1.25, CRITICAL), run_time(1.25))
    with pytest.raises(NotAllowed, match="it has changed since"):
        device.decide(act("undo"), run_time(1.3))


def test_taking_back_gives_people_the_time_to_act_on_what_fell_due_meanwhile() -> None:
    device = with_high()
    device.observe(act("acknowledge"), run_time(2.9))
    device.observe(act("undo"), run_time(3.05))
    assert device.incident.next_escalation_at == run_time(3.05)
    device.observe(Clock(), run_time(3.1))
    assert device.events[-1].occurred_at == run_time(3.05)


def test_a_closed_incident_is_not_opened_again_beside_a_newer_one() -> None:
    device = with_high()
    device.observe(act("false_positive"), run_time(1.1))
    older = device.incident
    device.observe(seen(1.25, HIGH, SUPERHEAT), run_time(1.25))
    assert len(device.incidents) == 2
    with pytest.raises(NotAllowed, match="the device has another one"):
        device.decide(act("undo"), run_time(1.26), older)


def test_of_two_people_at_once_one_wins_and_the_other_is_told() -> None:
    device = with_high()
    device.observe(act("take", "ann", expected_revision=1), run_time(1.1))
    with pytest.raises(Outdated, match="is at revision 2, not 1; now it is ACKNOWLEDGED"):
        device.decide(act("take", "bob", expected_revision=1), run_time(1.1))
    device.observe(act("take", "bob"), run_time(1.2))
    assert device.incident.owner == "bob"


@pytest.mark.parametrize(
    ("action", "more", "said"),
    [
        ("confirm", {}, "is OPEN and cannot take the action 'confirm'"),
        ("snooze", {}, "a snooze that ends before it begins"),
        ("snooze", {"until": at(1)}, "a snooze that ends before it begins"),
        ("snooze", {"until": at(24 * 40)}, "a snooze of .* is longer than 30 d"),
        ("undo", {}, "nobody has acted"),
        ("acknowledge", {"actor": " "}, "without a name"),
    ],
)
def test_a_refusal_says_what_is_wrong(action: PersonsAction, more: dict[str, object], said: str) -> None:
    device = with_high()
    before = len(device.events)
    with pytest.raises(NotAllowed, match=said):
        device.observe(act(action, **more), run_time(1.1))
    assert len(device.events) == before


def test_a_snoozed_incident_is_work_again_when_the_snooze_is_over() -> None:
    device = with_high()
    device.observe(act("snooze", until=at(10)), run_time(1.1))
    for hour in (2, 5, 9):
        device.observe(seen(hour, HIGH), run_time(hour))
    assert device.told == ["opened"]
    device.observe(Clock(), run_time(10))
    assert device.told == ["opened", "reminder"]
    assert (device.incident.status, device.incident.deadline) == ("OPEN", at(10) + SETTINGS.sla_high)


def test_a_snooze_ends_early_when_it_becomes_more_severe() -> None:
    device = with_high()
    device.observe(act("snooze", until=at(10)), run_time(1.1))
    device.observe(seen(2, CRITICAL), run_time(2))
    assert device.told == ["opened", "severity_rose"]
    assert (device.incident.status, device.incident.snoozed_until) == ("OPEN", None)


def test_what_is_quiet_when_its_snooze_ends_has_recovered() -> None:
    device = with_high()
    device.observe(act("snooze", until=at(5)), run_time(1.1))
    for hour in (2, 3, 4):
        device.observe(quiet(hour), run_time(hour))
    device.observe(Clock(), run_time(5))
    assert (device.incident.closed_because, device.incident.closed_at, device.told) == ("recovered", at(5), ["opened"])


def test_a_person_can_send_an_incident_up_to_the_highest_level() -> None:
    device = with_high()
    device.observe(act("escalate"), run_time(1.1))
    device.observe(act("escalate"), run_time(1.2))
    assert device.incident.level == "L3"
    with pytest.raises(NotAllowed, match="at L3 already"):
        device.decide(act("escalate"), run_time(1.3))
    device.observe(Clock(), run_time(3.1))
    assert (device.incident.breached, device.incident.level) == (True, "L3")

"""What people are told of an incident, and what is kept from them and why (SPEC 6.1)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fridge_assets.incidents.observations import Clock, Seen
from fridge_assets.incidents.terms import Sign
from fridge_assets_tests.incidents.device import (
    CRITICAL,
    HIGH,
    LOW,
    LOW_SIDE,
    MEDIUM,
    SETTINGS,
    SUPERHEAT,
    Device,
    act,
    at,
    onset,
    quiet,
    run_time,
    seen,
    span,
    withdrawn,
)


def held(device: Device) -> list[str]:
    """Why nobody was told, of every evidence that was held."""
    return [event.held for event in device.events if event.held is not None]


def test_a_contributor_that_flips_every_window_tells_once_for_each_sensor() -> None:
    device = Device()
    for hour in range(1, 8):
        device.observe(seen(hour, HIGH, (LOW_SIDE, SUPERHEAT)[hour % 2]), run_time(hour))
        device.observe(act("acknowledge") if hour == 1 else Clock(), run_time(hour))
    assert device.told == ["opened", "new_sensor"]
    assert {sign.sensor for sign in device.incident.named} == {"pressure_low_side", "superheat"}


def test_a_medium_of_one_family_waits_for_a_second_window_of_three() -> None:
    device = Device()
    device.observe(seen(1, MEDIUM), run_time(1))
    assert (device.incident.waiting, device.incident.deadline, device.told) == ("opened", None, [])
    device.observe(quiet(2), run_time(2))
    device.observe(seen(3, MEDIUM), run_time(3))
    assert device.told == ["opened"]
    assert device.incident.deadline == run_time(3) + SETTINGS.sla_medium


def test_a_daily_score_that_is_carried_along_does_not_confirm_itself() -> None:
    device = Device()
    device.observe(seen(1, MEDIUM), run_time(1))
    for hour in (2, 3):
        device.observe(seen(hour, MEDIUM, agreeing=0), run_time(hour))
    assert (device.told, held(device)) == ([], ["unconfirmed"] * 3)


@pytest.mark.parametrize(
    "evidence",
    [seen(1, HIGH), seen(1, MEDIUM, families=2), seen(1, MEDIUM, score=0.86), seen(1, LOW), onset(1)],
    ids=["HIGH", "two families", "a sure score", "LOW", "the stream"],
)
def test_other_evidence_does_not_wait(evidence: object) -> None:
    device = Device()
    device.observe(evidence, run_time(1))
    assert device.told == ["opened"]


@pytest.mark.parametrize(
    "evidence",
    [seen(1, MEDIUM, families=2, agreeing=1), seen(1, MEDIUM, families=2, score=0.65)],
    ids=["one of two families speaks of an earlier window", "two faint flags"],
)
def test_families_that_agree_by_chance_wait_for_another_window(evidence: Seen) -> None:
    device = Device()
    device.observe(evidence, run_time(1))
    assert (device.told, held(device)) == ([], ["unconfirmed"])
    device.observe(replace(evidence, evidence_id="next", window=span(1, 1.25)), run_time(1.25))
    assert device.told == ["opened"]


def test_windows_before_a_repair_confirm_nothing_after_it() -> None:
    device = Device()
    for hour in (1, 1.25):
        device.observe(seen(hour, MEDIUM), run_time(hour))
    device.observe(act("resolve"), run_time(1.3))
    device.observe(seen(3.5, MEDIUM), run_time(3.5))
    assert len(device.incidents) == 2
    assert device.told == ["opened"]
    assert device.incident.waiting == "opened"


def test_what_is_called_a_false_positive_is_not_told_again_for_a_week() -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    device.observe(act("false_positive"), run_time(1.5))
    for hour in range(2, 24):
        device.observe(seen(hour, HIGH), run_time(hour))
    assert device.told == ["opened"]
    assert set(held(device)) == {"known_benign"}
    device.observe(seen(24 * 7 + 2, HIGH), run_time(24 * 7 + 2))
    assert device.told == ["opened", "opened"]


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": CRITICAL},
        {"sign": SUPERHEAT},
        {"sign": Sign("pressure_low_side", "high")},
        {"release": "r2"},
        {"registry_entry": "e2"},
    ],
    ids=["more urgent", "another sensor", "the other way", "another release", "another registry entry"],
)
def test_a_false_positive_says_nothing_of_what_has_changed_since(changes: dict[str, object]) -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    device.observe(act("false_positive"), run_time(1.5))
    device.observe(seen(2, **changes), run_time(2))
    assert device.told == ["opened", "opened"]


def test_a_false_positive_of_an_older_incident_is_remembered_too() -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    device.observe(act("resolve"), run_time(1.5))
    device.observe(seen(4, HIGH, SUPERHEAT), run_time(4))
    older = next(iter(device.incidents.values()))
    device.observe(act("false_positive"), run_time(4.2), older)
    device.observe(seen(5, HIGH), run_time(5))
    assert held(device) == ["known_benign"]


def test_evidence_that_is_known_to_be_benign_confirms_nothing() -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    device.observe(act("false_positive"), run_time(1.1))
    for hour in (2, 3):
        device.observe(seen(hour, MEDIUM), run_time(hour))
    device.observe(seen(4, MEDIUM, SUPERHEAT), run_time(4))
    assert device.told == ["opened"]
    assert device.incident.waiting == "opened"


def test_a_repaired_device_may_return_to_normal_slowly_but_what_the_stream_sees_is_news() -> None:
    device = Device()
    device.observe(onset(1), run_time(1))
    device.observe(act("resolve"), run_time(1.2))
    device.observe(seen(2, HIGH), run_time(2))
    assert device.told == ["opened"]
    device.observe(onset(2.25), run_time(2.25))
    assert len(device.incidents) == 2


def test_nothing_is_told_in_a_silence_and_what_goes_on_is_told_after_it() -> None:
    device = Device()
    device.silences = (span(0.5, 3.5),)
    for hour in (1, 2, 3):
        device.observe(seen(hour, CRITICAL), run_time(hour))
    assert device.told == []
    device.observe(seen(4, HIGH), run_time(4))
    assert device.told == ["opened"]
    assert (device.incident.severity, device.incident.seen) == (HIGH, CRITICAL)


def test_a_rise_within_a_silence_is_told_after_it() -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    device.observe(act("acknowledge"), run_time(1.1))
    device.silences = (span(1.5, 3),)
    device.observe(seen(2, CRITICAL), run_time(2))
    assert device.told == ["opened"]
    device.observe(seen(3.5, CRITICAL), run_time(3.5))
    assert device.told == ["opened", "severity_rose"]


def test_a_member_of_a_site_that_is_told_of_as_one_counts_as_told() -> None:
    device = Device()
    device.sites = (span(1, 1.5),)
    device.observe(seen(1, HIGH), run_time(1))
    assert (device.told, held(device)) == ([], ["part_of_site"])
    assert device.incident.deadline == run_time(1) + SETTINGS.sla_high
    device.sites = ()
    device.observe(seen(2, HIGH), run_time(2))
    assert held(device) == ["part_of_site", "repeat"]


def test_nobody_is_reminded_of_what_somebody_has_taken() -> None:
    device = Device()
    device.observe(seen(1, LOW), run_time(1))
    device.observe(Clock(), run_time(5.1))
    assert device.told == ["opened", "reminder"]
    device.observe(act("take"), run_time(5.2))
    device.observe(Clock(), run_time(60))
    assert device.told == ["opened", "reminder"]


def test_who_looks_late_reminds_once() -> None:
    often, late = Device(), Device()
    for device in (often, late):
        device.observe(seen(1, LOW), run_time(1))
    for quarter in range(4, 80):
        often.observe(Clock(), run_time(quarter / 4))
    late.observe(Clock(), run_time(19.75))
    assert often.told == ["opened"] + ["reminder"] * 4
    assert late.told == ["opened", "reminder"]
    assert late.incident.remind_at == often.incident.remind_at == run_time(21)


def test_a_reminder_waits_for_the_end_of_a_silence() -> None:
    device = Device()
    device.observe(seen(1, LOW), run_time(1))
    device.silences = (span(4, 8), span(7, 9))
    device.observe(Clock(), run_time(8.5))
    assert device.told == ["opened"]
    device.observe(Clock(), run_time(9))
    assert device.events[-1].occurred_at == at(9)


def test_deadlines_pass_at_their_moments_however_late_anybody_looks() -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    device.observe(Clock(), run_time(3))
    assert device.told == ["opened"]
    device.observe(Clock(), run_time(8))
    steps = [(event.action, event.told, event.occurred_at) for event in device.events[1:]]
    assert steps == [
        ("breach", "deadline_passed", run_time(3)),
        ("escalate", "deadline_passed", run_time(5)),
    ]
    assert (device.incident.level, device.incident.breached) == ("L3", True)
    assert device.incident.next_escalation_at is None


def test_a_deadline_that_falls_together_with_a_reminder_is_told_alone() -> None:
    assert SETTINGS.sla_medium == SETTINGS.reminder
    device = Device()
    device.observe(seen(1, MEDIUM, families=2), run_time(1))
    device.observe(Clock(), run_time(5.1))
    assert device.told == ["opened", "deadline_passed"]


def test_a_rise_gives_people_a_deadline_of_its_own_and_leaves_the_work_with_whom_it_is() -> None:
    device = Device()
    device.observe(seen(1, MEDIUM, families=2), run_time(1))
    device.observe(act("take"), run_time(1.1))
    device.observe(seen(2, CRITICAL), run_time(2))
    assert device.told == ["opened", "severity_rose"]
    incident = device.incident
    assert (incident.status, incident.owner, incident.level) == ("ACKNOWLEDGED", "ann", "L1")
    assert (incident.deadline, incident.next_escalation_at) == (run_time(2) + SETTINGS.sla_critical, None)


def test_work_is_ordered_from_high_on() -> None:
    device = Device()
    device.observe(seen(1, MEDIUM, families=2), run_time(1))
    assert device.incident.work_order_id is None
    device.observe(seen(2, HIGH), run_time(2))
    ordered = device.incident.work_order_id
    assert ordered is not None
    device.observe(seen(3, CRITICAL), run_time(3))
    assert device.incident.work_order_id == ordered


def test_a_recovery_is_told_to_nobody_and_what_comes_back_is_the_same_incident() -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    for hour in (1.25, 1.5):
        device.observe(quiet(hour), run_time(hour))
    assert (device.incident.status, device.incident.closed_because) == ("RESOLVED", "recovered")
    device.observe(seen(5.5, HIGH), run_time(5.5) - timedelta(minutes=1))
    assert device.told == ["opened", "reopened"]
    assert len(device.incidents) == 1
    assert device.incident.first_detected_at == at(1)


def test_what_somebody_has_taken_is_closed_by_people_only() -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    device.observe(act("take"), run_time(1.1))
    for hour in (2, 3, 4):
        device.observe(quiet(hour), run_time(hour))
    assert (device.incident.status, device.incident.quiet_since) == ("ACKNOWLEDGED", at(2))
    device.observe(seen(5, HIGH), run_time(5))
    assert device.incident.quiet_since is None
    assert device.told == ["opened"]


def test_the_next_batch_confirms_what_the_stream_saw_or_finds_it_transient() -> None:
    confirmed, transient, between = Device(), Device(), Device()
    for device in (confirmed, transient, between):
        device.observe(onset(1), run_time(1))
        device.observe(act("acknowledge"), run_time(1.1))
    confirmed.observe(seen(2, MEDIUM, score=0.9), run_time(2))
    transient.observe(quiet(2), run_time(2))
    between.observe(seen(2, LOW), run_time(2))
    assert [device.incident.verdict for device in (confirmed, transient, between)] == [
        "confirmed",
        "transient",
        "unjudged",
    ]


def test_nobody_can_see_in_the_window_of_the_onset_whether_it_is_over() -> None:
    device = Device()
    device.observe(onset(1), run_time(1))
    device.observe(quiet(1), run_time(1))
    assert device.incident.status == "OPEN"
    device.observe(quiet(1.25), run_time(1.25))
    assert (device.incident.closed_because, device.incident.verdict) == ("recovered", "transient")


def test_the_rules_close_only_what_they_alone_have_seen() -> None:
    device = Device()
    device.observe(seen(1, HIGH), run_time(1))
    for hour in (1.25, 1.5, 1.75):
        device.observe(quiet(hour, "rules_fallback"), run_time(hour))
    assert device.incident.is_open
    alone = Device()
    alone.observe(seen(1, HIGH, source="rules_fallback"), run_time(1))
    for hour in (1.25, 1.5):
        alone.observe(quiet(hour, "rules_fallback"), run_time(hour))
    assert alone.incident.closed_because == "recovered"


def test_a_withdrawn_onset_leaves_what_others_have_seen() -> None:
    device = Device()
    device.observe(onset(1), run_time(1))
    device.observe(seen(1, HIGH), run_time(1))
    device.observe(withdrawn(1), run_time(1.2))
    assert device.incident.is_open
    assert (device.incident.onsets, device.incident.sources) == ((), {"models"})
    alone = Device()
    alone.observe(onset(1), run_time(1))
    alone.observe(withdrawn(1), run_time(1.2))
    assert alone.incident.closed_because == "withdrawn"

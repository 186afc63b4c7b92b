"""What every observation makes of an incident in every state (SPEC 6.1)."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from fridge_assets.incidents.observations import Clock, Observation, Span
from fridge_assets.incidents.people import NotAllowed
from fridge_assets_tests.incidents.device import (
    CRITICAL,
    HIGH,
    LOW,
    MEDIUM,
    SUPERHEAT,
    Device,
    act,
    at,
    onset,
    quiet,
    run_time,
    seen,
    withdrawn,
)

History = Callable[[Device], datetime]


def _after(*steps: tuple[float, Observation], then: float) -> History:
    """Observations, each at its hour, and when the next one comes."""

    def live(device: Device) -> datetime:
        for hour, observation in steps:
            device.observe(observation, run_time(hour))
        return run_time(then)

    return live


HIGH_SINCE_1 = (1.0, seen(1, HIGH))

STATES: dict[str, History] = {
    "nothing yet": _after(then=2),
    "LOW": _after((1, seen(1, LOW)), then=2),
    "unconfirmed MEDIUM": _after((1, seen(1, MEDIUM)), then=2),
    "HIGH": _after(HIGH_SINCE_1, then=2),
    "HIGH past its deadline": _after(HIGH_SINCE_1, then=4),
    "HIGH, one quiet window": _after(HIGH_SINCE_1, (1.5, quiet(1.5)), then=2),
    "acknowledged": _after(HIGH_SINCE_1, (1.9, act("acknowledge")), then=2),
    "taken and quiet": _after(HIGH_SINCE_1, (1.2, act("take")), (1.5, quiet(1.5)), then=2),
    "in progress": _after(HIGH_SINCE_1, (1.2, act("start")), then=2),
    "snoozed": _after(HIGH_SINCE_1, (1.2, act("snooze", until=at(5))), then=2),
    "snooze over": _after(HIGH_SINCE_1, (1.2, act("snooze", until=at(1.5))), then=2),
    "seen by the stream": _after((1, onset(1)), then=1.25),
    "raised by the rules": _after((1, seen(1, HIGH, source="rules_fallback")), then=2),
    "recovered": _after(HIGH_SINCE_1, (1.5, quiet(1.5)), (1.75, quiet(1.75)), then=2),
    "recovered long ago": _after(HIGH_SINCE_1, (1.5, quiet(1.5)), (1.75, quiet(1.75)), then=6),
    "unconfirmed, recovered": _after((1, seen(1, MEDIUM)), (1.5, quiet(1.5)), (1.75, quiet(1.75)), then=2),
    "resolved": _after(HIGH_SINCE_1, (1.2, act("resolve")), then=2),
    "resolved long ago": _after(HIGH_SINCE_1, (1.2, act("resolve")), then=4),
    "false positive": _after(HIGH_SINCE_1, (1.2, act("false_positive")), then=2),
    "false positive long ago": _after(HIGH_SINCE_1, (1.2, act("false_positive")), then=24 * 8),
    "withdrawn": _after((1, onset(1)), (1.2, withdrawn(1)), then=2),
}

Observed = Callable[[float], Observation]
OBSERVATIONS: dict[str, Observed] = {
    "LOW": lambda hour: seen(hour, LOW),
    "MEDIUM": lambda hour: seen(hour, MEDIUM),
    "MEDIUM other sensor": lambda hour: seen(hour, MEDIUM, SUPERHEAT, families=2),
    "HIGH": lambda hour: seen(hour, HIGH),
    "HIGH again": lambda _: seen(1, HIGH),
    "CRITICAL": lambda hour: seen(hour, CRITICAL),
    "onset": lambda hour: onset(hour, SUPERHEAT),
    "rules MEDIUM": lambda hour: seen(hour, MEDIUM, source="rules_fallback"),
    "HIGH silenced": lambda hour: seen(hour, HIGH),
    "HIGH in a site": lambda hour: seen(hour, HIGH),
    "quiet": quiet,
    "quiet to the rules": lambda hour: quiet(hour, "rules_fallback"),
    "withdrawn": lambda _: withdrawn(1),
    "clock": lambda _: Clock(),
    "acknowledge": lambda _: act("acknowledge"),
    "take": lambda _: act("take", "bob"),
    "start": lambda _: act("start"),
    "maintain": lambda _: act("maintain"),
    "snooze": lambda hour: act("snooze", until=at(hour + 8)),
    "resolve": lambda _: act("resolve"),
    "false positive": lambda _: act("false_positive"),
    "confirm": lambda _: act("confirm"),
    "escalate": lambda _: act("escalate"),
    "undo": lambda _: act("undo"),
}


def outcome(state: str, observation: str) -> str:
    """What happened, what was told or (held), and the status after it; ``-`` where nothing happens."""
    device = Device()
    now = STATES[state](device)
    hour = (now - run_time(0)) / timedelta(hours=1)
    observed = OBSERVATIONS[observation](hour)
    if observation == "HIGH silenced":
        device.silences = (Span(now - timedelta(hours=1), now + timedelta(hours=1)),)
    if observation == "HIGH in a site":
        device.sites = (Span(now, now + timedelta(minutes=30)),)
    try:
        decision = device.decide(observed, now)
    except NotAllowed:
        return "refused"
    if not decision.events:
        return f"- ({decision.held})" if decision.held else "-"
    said = [
        " ".join([event.action, *([event.told] if event.told else []), *([f"({event.held})"] if event.held else [])])
        for event in decision.events
    ]
    return f"{', '.join(said)}: {decision.events[-1].to_status}"


TABLE: dict[str, dict[str, str]] = {
    "nothing yet": {
        "open opened: OPEN": "LOW, MEDIUM other sensor, HIGH, HIGH again, CRITICAL, onset",
        "open (unconfirmed): OPEN": "MEDIUM, rules MEDIUM",
        "open (silenced): OPEN": "HIGH silenced",
        "open (part_of_site): OPEN": "HIGH in a site",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, false positive, confirm, escalate, undo",
    },
    "LOW": {
        "join (repeat): OPEN": "LOW",
        "join (unconfirmed): OPEN": "MEDIUM, rules MEDIUM",
        "join severity_rose: OPEN": "MEDIUM other sensor, HIGH, HIGH again, CRITICAL, onset",
        "join (silenced): OPEN": "HIGH silenced",
        "join (part_of_site): OPEN": "HIGH in a site",
        "quiet: OPEN": "quiet",
        "-": "quiet to the rules, withdrawn, clock",
        "acknowledge: ACKNOWLEDGED": "acknowledge",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "refused": "confirm, undo",
        "escalate: OPEN": "escalate",
    },
    "unconfirmed MEDIUM": {
        "join (unconfirmed): OPEN": "LOW",
        "join opened: OPEN": "MEDIUM, MEDIUM other sensor, HIGH, HIGH again, CRITICAL, onset, rules MEDIUM",
        "join (silenced): OPEN": "HIGH silenced",
        "join (part_of_site): OPEN": "HIGH in a site",
        "quiet: OPEN": "quiet",
        "-": "quiet to the rules, withdrawn, clock",
        "acknowledge: ACKNOWLEDGED": "acknowledge",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "refused": "confirm, undo",
        "escalate: OPEN": "escalate",
    },
    "HIGH": {
        "join (repeat): OPEN": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH in a site",
        "join new_sensor: OPEN": "MEDIUM other sensor",
        "- (repeat)": "HIGH again",
        "join severity_rose: OPEN": "CRITICAL, onset",
        "join (silenced): OPEN": "HIGH silenced",
        "quiet: OPEN": "quiet",
        "-": "quiet to the rules, withdrawn, clock",
        "acknowledge: ACKNOWLEDGED": "acknowledge",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "refused": "confirm, undo",
        "escalate: OPEN": "escalate",
    },
    "HIGH past its deadline": {
        "breach deadline_passed, join (repeat): OPEN": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH in a site",
        "breach deadline_passed, join new_sensor: OPEN": "MEDIUM other sensor",
        "breach deadline_passed: OPEN": "HIGH again, quiet to the rules, withdrawn, clock",
        "breach deadline_passed, join severity_rose: OPEN": "CRITICAL, onset",
        "breach (silenced), join (silenced): OPEN": "HIGH silenced",
        "breach deadline_passed, quiet: OPEN": "quiet",
        "breach deadline_passed, acknowledge: ACKNOWLEDGED": "acknowledge",
        "breach deadline_passed, take: ACKNOWLEDGED": "take",
        "breach deadline_passed, start: IN_PROGRESS": "start",
        "breach deadline_passed, maintain: ACKNOWLEDGED": "maintain",
        "breach deadline_passed, snooze: ACKNOWLEDGED": "snooze",
        "breach deadline_passed, resolve: RESOLVED": "resolve",
        "breach deadline_passed, false_positive: FALSE_POSITIVE": "false positive",
        "refused": "confirm, undo",
        "breach deadline_passed, escalate: OPEN": "escalate",
    },
    "HIGH, one quiet window": {
        "join (repeat): OPEN": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH in a site",
        "join new_sensor: OPEN": "MEDIUM other sensor",
        "- (repeat)": "HIGH again",
        "join severity_rose: OPEN": "CRITICAL, onset",
        "join (silenced): OPEN": "HIGH silenced",
        "recover: RESOLVED": "quiet",
        "-": "quiet to the rules, withdrawn, clock",
        "acknowledge: ACKNOWLEDGED": "acknowledge",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "refused": "confirm, undo",
        "escalate: OPEN": "escalate",
    },
    "acknowledged": {
        "join (being_worked_on): ACKNOWLEDGED": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH in a site",
        "join new_sensor: ACKNOWLEDGED": "MEDIUM other sensor",
        "- (repeat)": "HIGH again",
        "join severity_rose: ACKNOWLEDGED": "CRITICAL, onset",
        "join (silenced): ACKNOWLEDGED": "HIGH silenced",
        "quiet: ACKNOWLEDGED": "quiet",
        "-": "quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, confirm",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "escalate: ACKNOWLEDGED": "escalate",
        "undo: OPEN": "undo",
    },
    "taken and quiet": {
        "join (being_worked_on): ACKNOWLEDGED": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH in a site",
        "join new_sensor: ACKNOWLEDGED": "MEDIUM other sensor",
        "- (repeat)": "HIGH again",
        "join severity_rose: ACKNOWLEDGED": "CRITICAL, onset",
        "join (silenced): ACKNOWLEDGED": "HIGH silenced",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, confirm, undo",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "escalate: ACKNOWLEDGED": "escalate",
    },
    "in progress": {
        "join (being_worked_on): IN_PROGRESS": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH in a site",
        "join new_sensor: IN_PROGRESS": "MEDIUM other sensor",
        "- (repeat)": "HIGH again",
        "join severity_rose: IN_PROGRESS": "CRITICAL, onset",
        "join (silenced): IN_PROGRESS": "HIGH silenced",
        "quiet: IN_PROGRESS": "quiet",
        "-": "quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, start, snooze, confirm, undo",
        "take: IN_PROGRESS": "take",
        "maintain: IN_PROGRESS": "maintain",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "escalate: IN_PROGRESS": "escalate",
    },
    "snoozed": {
        "join (being_worked_on): ACKNOWLEDGED": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH in a site",
        "join new_sensor: ACKNOWLEDGED": "MEDIUM other sensor",
        "- (repeat)": "HIGH again",
        "join severity_rose: OPEN": "CRITICAL, onset",
        "join (silenced): ACKNOWLEDGED": "HIGH silenced",
        "quiet: ACKNOWLEDGED": "quiet",
        "-": "quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, confirm, undo",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "escalate: ACKNOWLEDGED": "escalate",
    },
    "snooze over": {
        "wake reminder, join (repeat): OPEN": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH in a site",
        "wake reminder, join new_sensor: OPEN": "MEDIUM other sensor",
        "wake reminder: OPEN": "HIGH again, quiet to the rules, withdrawn, clock",
        "wake reminder, join severity_rose: OPEN": "CRITICAL, onset",
        "wake (silenced), join (silenced): OPEN": "HIGH silenced",
        "wake reminder, quiet: OPEN": "quiet",
        "wake reminder, acknowledge: ACKNOWLEDGED": "acknowledge",
        "wake reminder, take: ACKNOWLEDGED": "take",
        "wake reminder, start: IN_PROGRESS": "start",
        "wake reminder, maintain: ACKNOWLEDGED": "maintain",
        "wake reminder, snooze: ACKNOWLEDGED": "snooze",
        "wake reminder, resolve: RESOLVED": "resolve",
        "wake reminder, false_positive: FALSE_POSITIVE": "false positive",
        "refused": "confirm, undo",
        "wake reminder, escalate: OPEN": "escalate",
    },
    "seen by the stream": {
        "join (repeat): OPEN": "LOW, MEDIUM, HIGH, HIGH again, CRITICAL, rules MEDIUM, HIGH in a site",
        "join new_sensor: OPEN": "MEDIUM other sensor, onset",
        "join (silenced): OPEN": "HIGH silenced",
        "recover: RESOLVED": "quiet",
        "-": "quiet to the rules, clock",
        "withdraw: RESOLVED": "withdrawn",
        "acknowledge: ACKNOWLEDGED": "acknowledge",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "refused": "confirm, undo",
        "escalate: OPEN": "escalate",
    },
    "raised by the rules": {
        "join (repeat): OPEN": "LOW, MEDIUM, HIGH, HIGH again, rules MEDIUM, HIGH in a site",
        "join new_sensor: OPEN": "MEDIUM other sensor",
        "join severity_rose: OPEN": "CRITICAL, onset",
        "join (silenced): OPEN": "HIGH silenced",
        "recover: RESOLVED": "quiet",
        "quiet: OPEN": "quiet to the rules",
        "-": "withdrawn, clock",
        "acknowledge: ACKNOWLEDGED": "acknowledge",
        "take: ACKNOWLEDGED": "take",
        "start: IN_PROGRESS": "start",
        "maintain: ACKNOWLEDGED": "maintain",
        "snooze: ACKNOWLEDGED": "snooze",
        "resolve: RESOLVED": "resolve",
        "false_positive: FALSE_POSITIVE": "false positive",
        "refused": "confirm, undo",
        "escalate: OPEN": "escalate",
    },
    "recovered": {
        "reopen (unconfirmed): OPEN": "LOW, MEDIUM, rules MEDIUM",
        "reopen reopened: OPEN": "MEDIUM other sensor, HIGH, CRITICAL, onset",
        "- (repeat)": "HIGH again",
        "reopen (silenced): OPEN": "HIGH silenced",
        "reopen (part_of_site): OPEN": "HIGH in a site",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, escalate, undo",
        "false_positive: FALSE_POSITIVE": "false positive",
        "confirm: RESOLVED": "confirm",
    },
    "recovered long ago": {
        "open opened: OPEN": "LOW, MEDIUM other sensor, HIGH, CRITICAL, onset",
        "open (unconfirmed): OPEN": "MEDIUM, rules MEDIUM",
        "- (repeat)": "HIGH again",
        "open (silenced): OPEN": "HIGH silenced",
        "open (part_of_site): OPEN": "HIGH in a site",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, escalate, undo",
        "false_positive: FALSE_POSITIVE": "false positive",
        "confirm: RESOLVED": "confirm",
    },
    "unconfirmed, recovered": {
        "reopen (unconfirmed): OPEN": "LOW, MEDIUM, rules MEDIUM",
        "reopen opened: OPEN": "MEDIUM other sensor, HIGH, CRITICAL, onset",
        "- (repeat)": "HIGH again",
        "reopen (silenced): OPEN": "HIGH silenced",
        "reopen (part_of_site): OPEN": "HIGH in a site",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, escalate, undo",
        "false_positive: FALSE_POSITIVE": "false positive",
        "confirm: RESOLVED": "confirm",
    },
    "resolved": {
        "join (repeat): RESOLVED": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH silenced, HIGH in a site",
        "open opened: OPEN": "MEDIUM other sensor, CRITICAL, onset",
        "- (repeat)": "HIGH again",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, escalate, undo",
        "false_positive: FALSE_POSITIVE": "false positive",
        "confirm: RESOLVED": "confirm",
    },
    "resolved long ago": {
        "open opened: OPEN": "LOW, MEDIUM other sensor, HIGH, CRITICAL, onset",
        "open (unconfirmed): OPEN": "MEDIUM, rules MEDIUM",
        "- (repeat)": "HIGH again",
        "open (silenced): OPEN": "HIGH silenced",
        "open (part_of_site): OPEN": "HIGH in a site",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, escalate, undo",
        "false_positive: FALSE_POSITIVE": "false positive",
        "confirm: RESOLVED": "confirm",
    },
    "false positive": {
        "join (known_benign): FALSE_POSITIVE": "LOW, MEDIUM, HIGH, rules MEDIUM, HIGH silenced, HIGH in a site",
        "open opened: OPEN": "MEDIUM other sensor, CRITICAL, onset",
        "- (repeat)": "HIGH again",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, false positive, escalate, undo",
        "confirm: RESOLVED": "confirm",
    },
    "false positive long ago": {
        "open opened: OPEN": "LOW, MEDIUM other sensor, HIGH, CRITICAL, onset",
        "open (unconfirmed): OPEN": "MEDIUM, rules MEDIUM",
        "- (repeat)": "HIGH again",
        "open (silenced): OPEN": "HIGH silenced",
        "open (part_of_site): OPEN": "HIGH in a site",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, false positive, escalate, undo",
        "confirm: RESOLVED": "confirm",
    },
    "withdrawn": {
        "open opened: OPEN": "LOW, MEDIUM other sensor, HIGH, HIGH again, CRITICAL, onset",
        "open (unconfirmed): OPEN": "MEDIUM, rules MEDIUM",
        "open (silenced): OPEN": "HIGH silenced",
        "open (part_of_site): OPEN": "HIGH in a site",
        "-": "quiet, quiet to the rules, withdrawn, clock",
        "refused": "acknowledge, take, start, maintain, snooze, resolve, escalate, undo",
        "false_positive: FALSE_POSITIVE": "false positive",
        "confirm: RESOLVED": "confirm",
    },
}
"""State → outcome → the observations that have it, as of :func:`outcome`."""


@pytest.mark.parametrize("state", STATES)
def test_every_state_and_observation(state: str) -> None:
    found: dict[str, list[str]] = {}
    for observation in OBSERVATIONS:
        found.setdefault(outcome(state, observation), []).append(observation)
    assert {result: ", ".join(observations) for result, observations in found.items()} == TABLE[state]

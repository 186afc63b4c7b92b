"""What holds for every history of models, stream, fallback, silences and people (SPEC 6.1)."""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import get_args

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fridge_assets.incidents.observations import Act, Clock, Observation, Quiet, Seen, Span
from fridge_assets.incidents.people import NotAllowed, Outdated
from fridge_assets.incidents.state import incident_of
from fridge_assets.incidents.terms import HoldReason, PersonsAction, Severity, TellReason
from fridge_assets_tests.incidents.device import (
    LOW_SIDE,
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
from fridge_assets_tests.incidents.fleet import Fleet

HOURS, DEVICES = 14, 12
NAMES = [f"d{number}" for number in range(DEVICES)]

severities = st.sampled_from(Severity)
signs = st.sampled_from([LOW_SIDE, SUPERHEAT])
sources = st.sampled_from(["models", "models", "models", "rules_fallback"])
models_seen = st.tuples(st.just("seen"), severities, signs, sources)
happenings = st.one_of(
    models_seen,
    models_seen,
    st.tuples(st.just("quiet"), sources),
    st.tuples(st.just("quiet"), sources),
    st.tuples(st.just("onset"), signs),
    st.tuples(st.just("withdrawn"), st.integers(1, 3)),
    st.tuples(st.just("act"), st.sampled_from(get_args(PersonsAction))),
    st.just(("clock",)),
)
lives = st.lists(happenings, min_size=HOURS, max_size=HOURS)
silences = st.lists(st.tuples(st.integers(1, HOURS), st.integers(1, 4)), max_size=2)


def observation_of(happening: Sequence[object], hour: int, device: Device, name: str = "d1") -> Observation:
    """What happens at ``hour``; a person acts on the incident that they see."""
    match happening:
        case ("seen", severity, sign, source):
            return seen(hour, severity, sign, source, name)
        case ("quiet", source):
            return quiet(hour, source)
        case ("onset", sign):
            return onset(hour, sign, name)
        case ("withdrawn", back):
            return withdrawn(hour - back, name)
        case ("act", action):
            device.observe(Clock(), run_time(hour))  # they see what has become due
            until = at(hour + 3) if action == "snooze" else None
            revision = None if device.newest is None else device.newest.revision
            return act(action, until=until, expected_revision=revision)
    return Clock()


def silenced(device: Device, spans: Sequence[tuple[int, int]]) -> None:
    """Keep the device silent for some hours, each from its first one on."""
    device.silences = tuple(Span(at(first), at(first + length)) for first, length in spans)


@settings(max_examples=200, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(life=lives, spans=silences, repeats=st.booleans())
def test_invariants_of_one_device(life: list[tuple[object, ...]], spans: list[tuple[int, int]], repeats: bool) -> None:
    device = Device()
    silenced(device, spans)
    said: list[Seen | Quiet] = []
    for hour, happening in enumerate(life, 1):
        observation, now = observation_of(happening, hour, device), run_time(hour)
        with suppress(NotAllowed):
            decision = device.observe(observation, now)
            assert decision.incident == device.newest
            if isinstance(observation, Seen | Quiet):
                said.append(observation)
            twice_changes_nothing(device, observation, hour)
            a_telling_has_one_reason(device, decision.events)
        the_events_add_up(device)
        at_most_one_is_open(device)
        what_an_incident_says_agrees(device)
    if repeats:
        device.observe(Clock(), run_time(HOURS + 1))
        for observation in said:
            if observation.source != "streaming":
                assert device.decide(observation, run_time(HOURS + 1)).events == ()


def twice_changes_nothing(device: Device, observation: Observation, hour: int) -> None:
    """The same again: no event; a person who did it twice is told that it has changed."""
    if isinstance(observation, Act):
        with suppress(NotAllowed, Outdated):
            raise AssertionError(device.decide(observation, run_time(hour)))
    else:
        assert device.decide(observation, run_time(hour)).events == ()


def a_telling_has_one_reason(device: Device, events: Sequence[object]) -> None:
    """Nothing is told and held at once, and nothing is told in a silence or for no reason of SPEC 6.1."""
    for event in device.events[len(device.events) - len(events) :]:
        assert event.told is None or event.told in get_args(TellReason)
        assert event.held is None or event.held in get_args(HoldReason)
        assert event.told is None or event.held is None
        if event.action in ("open", "reopen", "join"):
            assert (event.told is None) != (event.held is None)
        if event.told is not None and event.action not in ("open", "reopen", "join"):
            assert not any(span.covers(event.occurred_at) for span in device.silences)


def the_events_add_up(device: Device) -> None:
    """Folding the events of every incident gives what is stored, and their numbers are whole."""
    for identity, incident in device.incidents.items():
        history = [event for event in device.events if event.incident_id == identity]
        assert incident_of(history) == incident
        assert [event.number for event in history] == list(range(1, incident.revision + 1))
        assert history[-1].to_status == incident.status
        for one, following in pairwise(history):
            assert one.to_status == following.from_status
            assert one.occurred_at <= following.occurred_at


def at_most_one_is_open(device: Device) -> None:
    open_ones = [incident for incident in device.incidents.values() if incident.is_open]
    assert len(open_ones) <= 1
    assert all(incident is device.newest for incident in open_ones)


def what_an_incident_says_agrees(device: Device) -> None:
    """Status, deadline, reminder and owner of every incident fit each other."""
    for incident in device.incidents.values():
        closed = incident.status in ("RESOLVED", "FALSE_POSITIVE")
        assert closed == (incident.closed_at is not None) == (incident.closed_because is not None)
        if incident.status != "OPEN" or incident.waiting is not None:
            assert incident.next_escalation_at is None
            assert incident.remind_at is None
        else:
            assert incident.told is not None
            assert incident.remind_at is not None
            assert incident.next_escalation_at is not None or incident.level == "L3"
        if incident.snoozed_until is not None:
            assert incident.status == "ACKNOWLEDGED"
        if incident.waiting is None and not closed:
            assert incident.deadline is not None
        sensors = [sign.sensor for sign in incident.named]
        assert len(sensors) == len(set(sensors))


@settings(max_examples=20, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(fleet_lives=st.lists(lives, min_size=DEVICES, max_size=DEVICES), seed=st.integers(0, 1000))
def test_the_order_of_devices_changes_nothing(fleet_lives: list[list[tuple[object, ...]]], seed: int) -> None:
    in_order, shuffled = Fleet(NAMES), Fleet(NAMES)
    order = list(NAMES)
    for hour in range(1, HOURS + 1):
        random.Random(seed + hour).shuffle(order)
        for fleet, names in ((in_order, NAMES), (shuffled, order)):
            seen_by_run = {}
            for name in names:
                device = fleet.devices[name]
                observation = observation_of(fleet_lives[NAMES.index(name)][hour - 1], hour, device, name)
                if isinstance(observation, Act):
                    with suppress(NotAllowed):
                        device.observe(observation, run_time(hour))
                else:
                    seen_by_run[name] = observation
            fleet.run(seen_by_run, run_time(hour))
    for name in NAMES:
        assert in_order.devices[name].events == shuffled.devices[name].events
        assert in_order.devices[name].incidents == shuffled.devices[name].incidents
    assert in_order.news == shuffled.news


@settings(max_examples=100, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(severity=st.sampled_from([Severity.HIGH, Severity.CRITICAL]), flips=st.lists(signs, min_size=2, max_size=30))
def test_a_contributor_that_flips_tells_once_per_new_sensor(severity: Severity, flips: list[object]) -> None:
    device = Device()
    for quarter, sign in enumerate(flips):
        hour = 1 + quarter / 4
        device.observe(seen(hour, severity, sign), run_time(hour))
        if quarter == 0:
            device.observe(act("acknowledge"), run_time(hour))
    assert device.told == ["opened"] + ["new_sensor"] * (len(set(flips)) - 1)


def test_a_site_is_told_of_once_in_place_of_its_devices() -> None:
    fleet = Fleet(NAMES)
    members = NAMES[::2]
    fleet.run({name: seen(1, Severity.HIGH, device=name) for name in members[:2]}, run_time(1))
    fleet.run({name: seen(1.25, Severity.HIGH, device=name) for name in members[2:]}, run_time(1.25))
    assert [fleet.devices[name].told for name in members] == [["opened"], ["opened"], [], [], [], []]
    assert [(group.scope, len(group.devices)) for group in fleet.news] == [("s0", 6)]
    assert {fleet.devices[name].events[0].held for name in members[2:]} == {"part_of_site"}
    worse = replace(seen(1.5, Severity.CRITICAL, device=members[0]), sign=SUPERHEAT)
    fleet.run({members[0]: worse}, run_time(1.5))
    assert fleet.devices[members[0]].events[-1].held == "part_of_site"

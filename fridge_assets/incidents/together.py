"""What a run has observed of many devices, decided together: each alone, and sites and storms as one (SPEC 6.1)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from fridge_assets.incidents.decide import Decision, advance
from fridge_assets.incidents.grouping import FLEET, Group, GroupRule, Opening, groups_of, is_news
from fridge_assets.incidents.observations import Benign, Observed, Seen, Span, Surroundings, Withdrawn
from fridge_assets.incidents.state import Incident
from fridge_assets.settings import IncidentSettings

_OPENS = ("opened", "reopened")


@dataclass(frozen=True)
class Silences:
    """The spans in which nobody is to hear of a device or site.

    Args:
        of_devices: device → its spans.
        of_sites: site → its spans.
    """

    of_devices: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    of_sites: Mapping[str, Sequence[Span]] = field(default_factory=dict)

    def around(self, device_id: str, site_id: str) -> tuple[Span, ...]:
        """The spans that hold a device: its own, and those of its site."""
        return (*self.of_devices.get(device_id, ()), *self.of_sites.get(site_id, ()))

    def and_of_devices(self, spans: Mapping[str, Sequence[Span]]) -> "Silences":
        """These, and further ``spans`` of devices."""
        more = {device: (*self.of_devices.get(device, ()), *own) for device, own in spans.items()}
        return replace(self, of_devices={**self.of_devices, **more})


@dataclass(frozen=True)
class Known:
    """What is stored of the devices concerned.

    Args:
        incidents: by id.
        newest: device → its newest incident.
        opened_by: evidence → the incident that it belongs to.
        silences: of the devices and their sites.
        benign: device → what people have called false positives of it.
        openings: incidents that were opened lately, of whatever device.
        groups: scope → what is told of as one until now.
        ended: scope → the spans in which it was told of as one and that have ended since something was due.
    """

    incidents: Mapping[str, Incident] = field(default_factory=dict)
    newest: Mapping[str, str] = field(default_factory=dict)
    opened_by: Mapping[str, str] = field(default_factory=dict)
    silences: Silences = field(default_factory=Silences)
    benign: Mapping[str, Sequence[Benign]] = field(default_factory=dict)
    openings: Sequence[Opening] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    ended: Mapping[str, Sequence[Span]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fleet:
    """The devices of which groups are made.

    Args:
        sizes: site → number of its active devices; one that is not in it is never told of as one.
        storm: when acute trouble of the whole fleet is told of as one; None where a run does not ask.
    """

    sizes: Mapping[str, int]
    storm: GroupRule | None = None


@dataclass(frozen=True)
class Step:
    """What one observation has led to.

    Args:
        observed: the observation.
        before: the incident before it; None where the device had none. One that is closed has nothing due, so that
            all events of a step are of one incident.
        decision: what became of it.
    """

    observed: Observed
    before: Incident | None
    decision: Decision


@dataclass(frozen=True)
class Decided:
    """What a run has led to.

    Args:
        steps: in the order of the observations.
        groups: scope → what is told of as one now.
        news: those of which people are told.
    """

    steps: Sequence[Step]
    groups: Mapping[str, Group]
    news: Sequence[Group]


def decide_together(
    observed: Sequence[Observed], known: Known, fleet: Fleet, now: datetime, settings: IncidentSettings
) -> Decided:
    """Decide what a run has observed: first each device alone, then again those whose site is told of as one.

    What a message about a site stands for is no part of a storm.

    Args:
        observed: what was observed, of each device in the order in which it is to be decided.
        known: what is stored of these devices.
        fleet: sizes of the sites.
        now: the moment of the decision.
        settings: every number of SPEC 6.1.
    """
    rule = GroupRule(settings.site_devices, settings.site_share, settings.site_span)
    of_sites = {scope: group for scope, group in known.groups.items() if scope != FLEET}
    steps = _decided(observed, known, {}, now, settings)
    openings = [one for one in known.openings if one.scope != FLEET] + _openings(steps, now)
    running = {scope: group for scope, group in of_sites.items() if group.span.covers(now)}
    groups = running | groups_of(openings, fleet.sizes, of_sites, now, rule)
    if groups:
        steps = _decided(observed, known, groups, now, settings)
    if fleet.storm is not None:
        acute = [one for one in known.openings if one.scope == FLEET]
        acute += [replace(one, scope=FLEET) for one in _openings(steps, now, only_acute=True)]
        sizes = {FLEET: max(sum(fleet.sizes.values()), fleet.storm.devices)}
        before = {FLEET: known.groups[FLEET]} if FLEET in known.groups else {}
        storm = groups_of(acute, sizes, before, now, fleet.storm)
        if storm:
            groups |= storm
            steps = _decided(observed, known, groups, now, settings)
    news = [group for scope, group in sorted(groups.items()) if is_news(group, known.groups.get(scope))]
    return Decided(steps, groups, news)


def _decided(
    observed: Iterable[Observed],
    known: Known,
    groups: Mapping[str, Group],
    now: datetime,
    settings: IncidentSettings,
) -> list[Step]:
    incidents, newest = dict(known.incidents), dict(known.newest)
    steps = []
    for one in observed:
        identity = _meant(one, known) or newest.get(one.device_id)
        before = None if identity is None else incidents[identity]
        around = _around(one, before, known, groups)
        decision = advance(before, replace(one.observation, around=around), now, settings)
        after = decision.incident
        if after is not None:
            if after.incident_id not in incidents:
                newest[one.device_id] = after.incident_id
            incidents[after.incident_id] = after
        steps.append(Step(one, before, decision))
    return steps


def _meant(one: Observed, known: Known) -> str | None:
    """The older incident that the stream's evidence belongs to already; None where the newest one is meant."""
    match one.observation:
        case Withdrawn(evidence_id=evidence):
            return known.opened_by.get(evidence)
        case Seen(source="streaming", evidence_id=evidence):
            identity = known.opened_by.get(evidence)
            stands = identity is not None and any(
                onset.evidence_id == evidence for onset in known.incidents[identity].onsets
            )
            return identity if stands else None
    return None


def _around(one: Observed, incident: Incident | None, known: Known, groups: Mapping[str, Group]) -> Surroundings:
    seen = one.observation if isinstance(one.observation, Seen) else None
    site = seen.site_id if seen is not None else "" if incident is None else incident.site_id
    group = groups.get(site) if site else None
    if group is None and seen is not None and seen.source == "streaming":
        group = groups.get(FLEET)
    spans = (*known.ended.get(site, ()), *(() if group is None else (group.span,)))
    return Surroundings(known.silences.around(one.device_id, site), spans, tuple(known.benign.get(one.device_id, ())))


def _openings(steps: Iterable[Step], now: datetime, *, only_acute: bool = False) -> list[Opening]:
    """The incidents of which people would be told because they opened."""
    found = []
    for step in steps:
        seen = step.observed.observation
        if not isinstance(seen, Seen) or not step.decision.events or (only_acute and seen.source != "streaming"):
            continue
        if step.decision.events[-1].told in _OPENS:
            found.append(Opening(seen.device_id, seen.site_id, seen.severity, now))
    return found


def spans_by(pairs: Iterable[tuple[str, Span]]) -> dict[str, list[Span]]:
    """Name → its spans."""
    found: dict[str, list[Span]] = defaultdict(list)
    for name, span in pairs:
        found[name].append(span)
    return found

"""One device whose observations are decided one after another, and kept as the store would."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fridge_assets.incidents.decide import Decision, advance
from fridge_assets.incidents.memory import benign_of
from fridge_assets.incidents.observations import Act, Observation, Quiet, Seen, Span, Surroundings, Withdrawn
from fridge_assets.incidents.state import Incident, IncidentEvent, incident_of
from fridge_assets.incidents.terms import PersonsAction, Severity, Sign, Source
from fridge_assets.settings import IncidentSettings

EPOCH = datetime(2026, 6, 1, tzinfo=UTC)
SETTINGS = IncidentSettings()
LOW_SIDE, SUPERHEAT = Sign("pressure_low_side", "low"), Sign("superheat", "high")
LOW, MEDIUM, HIGH, CRITICAL = Severity


def at(hour: float) -> datetime:
    """The moment ``hour`` hours after the beginning."""
    return EPOCH + timedelta(hours=hour)


def run_time(hour: float) -> datetime:
    """When the window that ends at ``hour`` is decided about."""
    return at(hour) + timedelta(minutes=4)


def span(begin: float, end: float) -> Span:
    """From one hour to another."""
    return Span(at(begin), at(end))


def seen(
    hour: float,
    severity: Severity = HIGH,
    sign: Sign = LOW_SIDE,
    source: Source = "models",
    device: str = "d1",
    **changes: Any,
) -> Seen:
    """Evidence of the window that ends at ``hour``; MEDIUM is what one family says with a score of 0.75."""
    usual = {LOW: (1, 0.65), MEDIUM: (1, 0.75), HIGH: (2, 0.90), CRITICAL: (2, 0.97)}
    families, score = usual[severity] if source == "models" else (0, 0.0)
    evidence = Seen(
        evidence_id=f"{device} {source} {hour:g}",
        device_id=device,
        site_id="s1",
        source=source,
        at=at(hour),
        window=span(hour - 0.25, hour),
        severity=severity,
        sign=sign,
        families=families,
        agreeing=changes.get("families", max(1, families)),
        score=score,
        release="r1",
        registry_entry="e1",
    )
    return replace(evidence, **changes)


def onset(hour: float, sign: Sign = LOW_SIDE, device: str = "d1", **changes: Any) -> Seen:
    """What the stream has seen two minutes before ``hour``, in the window that ends there."""
    changes = {"evidence_id": f"{device} onset {hour:g}", "at": at(hour) - timedelta(minutes=2), **changes}
    return seen(hour, CRITICAL, sign, "streaming", device, **changes)


def quiet(hour: float, source: Source = "models") -> Quiet:
    """Nothing is flagged in the window that ends at ``hour``."""
    return Quiet(source, at(hour))


def withdrawn(hour: float, device: str = "d1") -> Withdrawn:
    """What the stream had seen before ``hour`` was nothing."""
    return Withdrawn(f"{device} onset {hour:g}")


def act(action: PersonsAction, actor: str = "ann", **more: Any) -> Act:
    """A person acts."""
    return Act(action, actor, **more)


class Device:
    """Its incidents and their events, as the store would keep them."""

    def __init__(self, settings: IncidentSettings = SETTINGS) -> None:
        self.settings = settings
        self.incidents: dict[str, Incident] = {}
        self.events: list[IncidentEvent] = []
        self.silences: tuple[Span, ...] = ()
        self.sites: tuple[Span, ...] = ()

    @property
    def newest(self) -> Incident | None:
        """Its newest incident, open or closed."""
        return next(reversed(self.incidents.values()), None)

    @property
    def incident(self) -> Incident:
        """The same, where there must be one."""
        assert self.newest is not None
        return self.newest

    @property
    def told(self) -> list[str]:
        """What people were told: the reason of each telling, in order."""
        return [event.told for event in self.events if event.told is not None]

    @property
    def around(self) -> Surroundings:
        """What else holds for it."""
        benign = [benign_of(incident, self.settings) for incident in self.incidents.values()]
        return Surroundings(self.silences, self.sites, tuple(one for one in benign if one is not None))

    def decide(self, observation: Observation, now: datetime, incident: Incident | None = None) -> Decision:
        """What the observation would lead to: of the newest incident, or of ``incident``."""
        meant = incident or self.newest
        newest = self.newest
        followed = meant is not None and newest is not None and newest.incident_id != meant.incident_id
        around = replace(self.around, followed=followed)
        return advance(meant, replace(observation, around=around), now, self.settings)

    def observe(self, observation: Observation, now: datetime, incident: Incident | None = None) -> Decision:
        """Decide and keep it; what is stored is always what the events add up to."""
        decision = self.decide(observation, now, incident)
        self.events += decision.events
        for identity in dict.fromkeys(event.incident_id for event in decision.events):
            history = [event for event in self.events if event.incident_id == identity]
            self.incidents[identity] = incident_of(history)
        return decision

"""What an observation makes of a device's incident; nothing else decides (SPEC 6.1)."""

from dataclasses import dataclass
from datetime import datetime

from fridge_assets.incidents.deadlines import overdue
from fridge_assets.incidents.evidence import seen_in
from fridge_assets.incidents.observations import Act, Clock, Observation, Quiet, Seen, Withdrawn
from fridge_assets.incidents.people import done_to
from fridge_assets.incidents.recovery import quiet_in, withdrawn_from
from fridge_assets.incidents.state import Incident, IncidentEvent, incident_of
from fridge_assets.incidents.terms import HoldReason, TellReason
from fridge_assets.settings import IncidentSettings


@dataclass(frozen=True)
class Decision:
    """What an observation has led to.

    Args:
        incident: the newest one of the device, as it is now; None where it has none.
        events: what happened, oldest first: what had become due, then what the observation means. Where an incident
            was opened, its first event comes last.
        held: why people are not told of the evidence that was observed; None where they are, or it was something else.
    """

    incident: Incident | None
    events: tuple[IncidentEvent, ...] = ()
    held: HoldReason | None = None

    @property
    def told(self) -> tuple[TellReason, ...]:
        """The reasons of what people are told, in its order."""
        return tuple(event.told for event in self.events if event.told is not None)


def advance(incident: Incident | None, observation: Observation, now: datetime, settings: IncidentSettings) -> Decision:
    """What ``observation`` makes of ``incident``; the same observation again makes nothing of it.

    Args:
        incident: the newest one of the device, open or closed; None for a device that never had one. A person may
            mean an older one.
        observation: what was seen, heard or done.
        now: the moment of the decision, timezone-aware.
        settings: every number of SPEC 6.1.

    Raises:
        NotAllowed: a person's action that the incident's state does not admit.
        Outdated: somebody changed it after that person had looked at it.
    """
    due = () if incident is None else tuple(overdue(incident, now, observation.around, settings))
    for event in due:
        assert incident is not None
        incident = incident.after(event)
    made, held = _event(incident, observation, now, settings)
    if made is None:
        return Decision(incident, due, held)
    opens = incident is None or made.incident_id != incident.incident_id
    after = incident_of([made]) if incident is None or opens else incident.after(made)
    return Decision(after, (*due, made), held)


def _event(
    incident: Incident | None, observation: Observation, now: datetime, settings: IncidentSettings
) -> tuple[IncidentEvent | None, HoldReason | None]:
    match observation:
        case Seen():
            return seen_in(incident, observation, now, settings)
        case Act():
            return done_to(incident, observation, now, settings), None
        case Quiet() if incident is not None:
            return quiet_in(incident, observation, now, settings), None
        case Withdrawn() if incident is not None:
            return withdrawn_from(incident, observation, now), None
        case Quiet() | Withdrawn() | Clock():
            return None, None

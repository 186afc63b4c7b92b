"""What people do with an incident, from which status to which; every refusal says the way out (SPEC 6.1)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.core.moments import spoken
from fridge_assets.incidents.deadlines import new_deadline
from fridge_assets.incidents.observations import Act
from fridge_assets.incidents.state import Incident, IncidentEvent, Undo, changed
from fridge_assets.incidents.terms import LEVELS, PersonsAction, Status
from fridge_assets.settings import IncidentSettings
from fridge_assets.work_orders.rules import order_id_of

_OPEN: Final[tuple[Status, ...]] = ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS")

WAYS: Final[Mapping[PersonsAction, Mapping[Status, Status]]] = {
    "acknowledge": {"OPEN": "ACKNOWLEDGED"},
    "take": {"OPEN": "ACKNOWLEDGED", "ACKNOWLEDGED": "ACKNOWLEDGED", "IN_PROGRESS": "IN_PROGRESS"},
    "start": {"OPEN": "IN_PROGRESS", "ACKNOWLEDGED": "IN_PROGRESS"},
    "maintain": {"OPEN": "ACKNOWLEDGED", "ACKNOWLEDGED": "ACKNOWLEDGED", "IN_PROGRESS": "IN_PROGRESS"},
    "snooze": {"OPEN": "ACKNOWLEDGED", "ACKNOWLEDGED": "ACKNOWLEDGED"},
    "resolve": dict.fromkeys(_OPEN, "RESOLVED"),
    "false_positive": dict.fromkeys((*_OPEN, "RESOLVED"), "FALSE_POSITIVE"),
    "confirm": {"RESOLVED": "RESOLVED", "FALSE_POSITIVE": "RESOLVED"},
    "escalate": {status: status for status in _OPEN},
}
"""Action → status before → status after; ``undo`` leads back to wherever it was."""


class NotAllowed(FridgeError):
    """An action that the state of the incident does not admit."""


class Outdated(FridgeError):
    """Somebody changed the incident after the person who acts had looked at it."""


def done_to(incident: Incident | None, act: Act, now: datetime, settings: IncidentSettings) -> IncidentEvent:
    """What a person's action makes of an incident.

    Args:
        incident: the one that they mean; None where there is none.
        act: what they do.
        now: when.
        settings: how long an action can be taken back, the longest snooze.

    Raises:
        NotAllowed: there is no incident, nobody is named, or its state does not admit the action.
        Outdated: it is not at the revision that they were looking at.
    """
    if not act.actor.strip():
        raise NotAllowed("an action on an incident without a name", "Say who acts.")
    if incident is None:
        raise NotAllowed("the device has no incident", "See what there is with `incidents list`.")
    if act.expected_revision not in (None, incident.revision):
        raise Outdated(
            f"incident {_name(incident)} is at revision {incident.revision}, not {act.expected_revision}; now it is "
            f"{incident.status} at {incident.level}",
            "Look at it again, then act on what it is now.",
        )
    if act.action == "undo":
        return _taken_back(incident, act, now, settings)
    after = WAYS[act.action].get(incident.status)
    if after is None:
        possible = ", ".join(WAYS[act.action])
        raise NotAllowed(
            f"incident {_name(incident)} is {incident.status} and cannot take the action '{_said(act.action)}'",
            f"It is possible while an incident is {possible}.",
        )
    known = _known_to_people(incident, now, settings)
    changes = {**known, "status": after, **_effect(replace(incident, **known), act, now, settings)}
    made = {name: value for name, value in changes.items() if getattr(incident, name) != value}
    undo = Undo(act.action, act.actor, now, {name: getattr(incident, name) for name in made})
    return changed(incident, act.action, now, act.actor, act.note.strip(), {**made, "undoable": undo})


def _known_to_people(incident: Incident, now: datetime, settings: IncidentSettings) -> dict[str, Any]:
    """Who acts on what waited to be told knows of it, as urgent as it was seen to be."""
    if incident.waiting is None:
        return {}
    told = max(incident.seen, incident.severity)
    return {"waiting": None, "told": told, **new_deadline(told, now, settings)}


def _effect(incident: Incident, act: Act, now: datetime, settings: IncidentSettings) -> dict[str, Any]:
    if act.action == "escalate":
        return _escalated(incident)
    effect: dict[str, Any] = {"next_escalation_at": None, "remind_at": None, "snoozed_until": None}
    match act.action:
        case "take" if incident.owner == act.actor and incident.is_taken:
            raise NotAllowed(f"{act.actor} has taken incident {_name(incident)} already", "There is nothing to do.")
        case "take":
            effect["owner"] = act.actor
        case "start":
            effect["owner"] = incident.owner or act.actor
        case "maintain":
            effect["work_order_id"] = incident.work_order_id or order_id_of(incident.incident_id)
        case "snooze":
            effect["snoozed_until"] = _end_of_snooze(act, now, settings)
        case "resolve" | "confirm":
            effect |= {"closed_at": incident.closed_at or now, "closed_because": "resolved", "labelled_at": now}
        case "false_positive":
            effect |= {"closed_at": incident.closed_at or now, "closed_because": "false_positive", "labelled_at": now}
    return effect


def _end_of_snooze(act: Act, now: datetime, settings: IncidentSettings) -> datetime:
    if act.until is None or act.until <= now:
        raise NotAllowed("a snooze that ends before it begins", "Name a later end.")
    if act.until - now > settings.longest_silence:
        raise NotAllowed(
            f"a snooze of {spoken(act.until - now)} is longer than {spoken(settings.longest_silence)}",
            "Make a shorter one; when it ends, snooze it again if that is still right.",
        )
    return act.until


def _escalated(incident: Incident) -> dict[str, Any]:
    if incident.level == LEVELS[-1]:
        raise NotAllowed(
            f"incident {_name(incident)} is at {incident.level} already, the highest level", "Take it, or start work."
        )
    level = LEVELS[LEVELS.index(incident.level) + 1]
    # A deadline that is still to come is watched at any level; after it there is nothing left above the highest.
    ends = incident.breached and level == LEVELS[-1]
    return {"level": level, "next_escalation_at": None if ends else incident.next_escalation_at}


def _taken_back(incident: Incident, act: Act, now: datetime, settings: IncidentSettings) -> IncidentEvent:
    undo = incident.undoable
    if undo is None:
        raise NotAllowed(
            f"nothing of incident {_name(incident)} can be taken back: nobody has acted, or it has changed since",
            "Do what is right for it as it is now.",
        )
    what = f"'{_said(undo.action)}' by {undo.actor} at {undo.at:%Y-%m-%d %H:%M} UTC"
    if now - undo.at > settings.undo_within:
        raise NotAllowed(
            f"{what} was more than {spoken(settings.undo_within)} ago", "Do what is right for it as it is now."
        )
    if act.around.followed and "closed_at" in undo.before and undo.before["closed_at"] is None:
        raise NotAllowed(
            f"incident {_name(incident)} would be open again, and the device has another one by now",
            "Act on that one.",
        )
    before = dict(undo.before)
    for due in ("next_escalation_at", "remind_at"):
        if before.get(due) is not None:
            before[due] = max(before[due], now)  # nobody could act on what fell due while it was taken
    note = f"Took back {what}" + (f": {act.note.strip()}" if act.note.strip() else "")
    return changed(incident, "undo", now, act.actor, note, {**before, "undoable": None})


def _name(incident: Incident) -> str:
    return incident.incident_id[:SHORT_ID]


def _said(action: str) -> str:
    return action.replace("_", " ")

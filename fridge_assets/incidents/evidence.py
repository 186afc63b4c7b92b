"""What new evidence means: an incident opens, joins what is known, is told or held, and why (SPEC 6.1)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from fridge_assets.core.identity import deterministic_id
from fridge_assets.incidents.deadlines import new_deadline
from fridge_assets.incidents.memory import is_benign, still_returning
from fridge_assets.incidents.observations import Seen
from fridge_assets.incidents.state import Incident, IncidentEvent, Onset, Window, changed, opening
from fridge_assets.incidents.terms import Action, HoldReason, Severity, TellReason
from fridge_assets.incidents.windows import confirms, is_judged, with_window
from fridge_assets.settings import IncidentSettings
from fridge_assets.work_orders.rules import order_id_of

_TOLD: Final[Mapping[TellReason, str]] = {
    "opened": "Told as {severity}",
    "reopened": "It is back, told as {severity}",
    "severity_rose": "Severity rose to {severity}",
    "new_sensor": "Another sensor stands out: {sensor}",
}
_HELD: Final[Mapping[HoldReason, str]] = {
    "repeat": "Nothing new",
    "being_worked_on": "Nothing new, and it is being worked on",
    "unconfirmed": "Waits for MEDIUM evidence in another window",
    "silenced": "A silence of the device or its site holds it",
    "known_benign": "The same was called a false positive",
    "part_of_site": "Its site is told of as one",
}
_RETURNING = "Seen while the repaired device may still return to normal"


def seen_in(
    incident: Incident | None, seen: Seen, now: datetime, settings: IncidentSettings
) -> tuple[IncidentEvent | None, HoldReason | None]:
    """What becomes of ``seen``.

    Args:
        incident: the newest one of the device, open or closed; None for the device's first.
        seen: the evidence.
        now: when it is decided.
        settings: confirmation, memory, deadlines.

    Returns:
        The event, None where nothing changes; and why nobody is told of the evidence, None where they are.
    """
    if incident is None:
        event = _opened(None, seen, now, settings)
    elif _is_known(incident, seen):
        return None, "repeat"
    elif any(is_benign(seen, benign, now) for benign in seen.around.benign):
        event = _kept(incident, seen, now, settings, "known_benign", _HELD["known_benign"])
    elif incident.is_open:
        event = _joined(incident, seen, now, settings)
    elif _comes_back(incident, now, settings):
        event = _reopened(incident, seen, now, settings)
    elif still_returning(incident, seen, now, settings):
        event = _kept(incident, seen, now, settings, "repeat", _RETURNING)
    else:
        event = _opened(incident, seen, now, settings)
    return event, event.held


def _is_known(incident: Incident, seen: Seen) -> bool:
    if seen.source == "streaming":
        return any(onset.evidence_id == seen.evidence_id for onset in incident.onsets)
    return is_judged(incident.windows, seen.window.ends_at, seen.source, seen.severity)


def _comes_back(incident: Incident, now: datetime, settings: IncidentSettings) -> bool:
    closed = incident.closed_at
    return incident.closed_because == "recovered" and closed is not None and now - closed < settings.reopen_within


def _opened(previous: Incident | None, seen: Seen, now: datetime, settings: IncidentSettings) -> IncidentEvent:
    # What was said before of the device is known, but confirms nothing of what begins now.
    before = () if previous is None else tuple(replace(window, counts=False) for window in previous.windows)
    # Made of its fields, since a copy of so many takes longer, and of each incident that opens there are three.
    fields: dict[str, Any] = {
        "incident_id": deterministic_id(
            seen.device_id, seen.evidence_id, previous.incident_id if previous else "", "incident"
        ),
        "device_id": seen.device_id,
        "site_id": seen.site_id,
        "first_detected_at": seen.at,
        "seen": seen.severity,
        "waiting": "opened",
        "named": (seen.sign,),
        "evidence_id": seen.evidence_id,
        "windows": before,
        "sources": frozenset(),
        "onsets": (),
        "verdict": "",
        "last_window": seen.window.ends_at,
        "release": seen.release,
        "registry_entry": seen.registry_entry,
    }
    fields |= _recorded(Incident(**fields), seen, settings)
    changes, told, held, note = _telling(Incident(**fields), seen, now, settings)
    return opening(Incident(**fields | changes), now, note, seen.source, told, held, seen.evidence_id)


def _reopened(incident: Incident, seen: Seen, now: datetime, settings: IncidentSettings) -> IncidentEvent:
    waits = incident.waiting or "reopened"
    back = {"status": "OPEN", "closed_at": None, "closed_because": None, "owner": None, "waiting": waits}
    return _joined(incident, seen, now, settings, "reopen", back)


def _joined(
    incident: Incident,
    seen: Seen,
    now: datetime,
    settings: IncidentSettings,
    action: Action = "join",
    back: Mapping[str, Any] | None = None,
) -> IncidentEvent:
    recorded = {**(back or {}), **_recorded(incident, seen, settings)}
    telling, told, held, note = _telling(replace(incident, **recorded), seen, now, settings)
    changes = {**recorded, **telling}
    return changed(
        incident, action, now, seen.source, note, changes, told=told, held=held, evidence_id=seen.evidence_id
    )


def _kept(
    incident: Incident, seen: Seen, now: datetime, settings: IncidentSettings, held: HoldReason, note: str
) -> IncidentEvent:
    """Evidence that is no news whatever it says: it confirms nothing, and makes nothing more urgent."""
    window = Window(seen.window.ends_at, seen.source, seen.severity)
    changes: dict[str, Any] = {
        "windows": with_window(incident.windows, window, settings),
        "onsets": _onsets(incident, seen),
    }
    if incident.is_open:
        changes |= {"last_window": max(incident.last_window, window.end), "quiet_since": None}
    return changed(incident, "join", now, seen.source, note, changes, held=held, evidence_id=seen.evidence_id)


def _recorded(incident: Incident, seen: Seen, settings: IncidentSettings) -> dict[str, Any]:
    """What the evidence changes whether or not people are told."""
    counts = seen.severity >= Severity.MEDIUM and seen.agreeing > 0
    window = Window(seen.window.ends_at, seen.source, seen.severity, counts)
    return {
        "first_detected_at": min(incident.first_detected_at, seen.at),
        "seen": max(incident.seen, seen.severity),
        "windows": with_window(incident.windows, window, settings),
        "sources": incident.sources | {seen.source},
        "onsets": _onsets(incident, seen),
        "verdict": _verdict(incident, seen, settings),
        "last_window": max(incident.last_window, window.end),
        "quiet_since": None,
        "probable_cause": seen.cause or incident.probable_cause,
        "release": seen.release,
        "registry_entry": seen.registry_entry,
    }


def _onsets(incident: Incident, seen: Seen) -> tuple[Onset, ...]:
    if seen.source != "streaming":
        return incident.onsets
    return tuple(sorted({*incident.onsets, Onset(seen.evidence_id, seen.window.ends_at)}))


def _verdict(incident: Incident, seen: Seen, settings: IncidentSettings) -> str:
    if seen.source == "streaming":
        return "unjudged"
    is_judge = seen.source == "models" and seen.score > settings.high_score
    after_onset = all(seen.window.ends_at >= onset.window_end for onset in incident.onsets)
    return "confirmed" if incident.verdict == "unjudged" and is_judge and after_onset else incident.verdict


def _telling(
    incident: Incident, seen: Seen, now: datetime, settings: IncidentSettings
) -> tuple[dict[str, Any], TellReason | None, HoldReason | None, str]:
    """Whether people are told, once the evidence is recorded: what that changes, the reason, why not, a note."""
    reason = _reason(incident, seen)
    held = _hold(incident, seen, reason, now, settings)
    if reason is None or (held is not None and held != "part_of_site"):
        assert held is not None
        silence = seen.silence if held == "silenced" else None
        return {}, None, held, f"Held by {silence.said}" if silence and silence.said else _HELD[held]
    # What the message about the site stands for counts as told.
    changes = _as_told(incident, seen, reason, now, settings)
    note = _HELD[held] if held else _TOLD[reason].format(severity=seen.severity.name, sensor=seen.sign.sensor)
    return changes, None if held else reason, held, note


def _reason(incident: Incident, seen: Seen) -> TellReason | None:
    if incident.waiting is not None:
        return incident.waiting
    if seen.severity > incident.severity:
        return "severity_rose"
    is_new = bool(seen.sign.sensor) and not incident.has_named(seen.sign.sensor)
    return "new_sensor" if is_new and seen.severity >= Severity.MEDIUM else None


def _hold(
    incident: Incident, seen: Seen, reason: TellReason | None, now: datetime, settings: IncidentSettings
) -> HoldReason | None:
    if seen.silence is not None:
        return "silenced"
    if reason is None:
        return "being_worked_on" if incident.is_taken else "repeat"
    if not _is_sure(incident, seen, settings):
        return "unconfirmed"
    return "part_of_site" if any(site.covers(now) for site in seen.around.sites) else None


def _is_sure(incident: Incident, seen: Seen, settings: IncidentSettings) -> bool:
    if seen.source == "streaming" or seen.severity >= Severity.HIGH:
        return True
    if seen.severity == Severity.LOW:
        # It is told as LOW, but says nothing of the more urgent evidence that waits.
        return incident.seen == Severity.LOW
    return _agree(seen, settings) or seen.score > settings.sure_score or confirms(incident.windows, settings)


def _agree(seen: Seen, settings: IncidentSettings) -> bool:
    """Whether families agree on this window, one of them at least on more than a faint flag.

    Two faint flags are chance: each family flags 1 % of healthy windows, so that of 100,000 healthy devices the two
    hourly ones would bother 240 a day, and a daily score that is carried along 770.
    """
    return seen.agreeing >= settings.medium_families and seen.score > settings.medium_score


def _as_told(
    incident: Incident, seen: Seen, reason: TellReason, now: datetime, settings: IncidentSettings
) -> dict[str, Any]:
    named = incident.named if incident.has_named(seen.sign.sensor) else (*incident.named, seen.sign)
    told = seen.severity if incident.told is None else max(incident.told, seen.severity)
    changes: dict[str, Any] = {"named": named, "told": told, "waiting": None, "evidence_id": seen.evidence_id}
    if reason == "new_sensor":
        return changes if incident.is_taken else {**changes, "remind_at": now + settings.reminder}
    changes |= new_deadline(told, now, settings)
    if told >= Severity.HIGH and incident.work_order_id is None:
        changes["work_order_id"] = order_id_of(incident.incident_id)
    if reason == "severity_rose" and incident.snoozed_until is not None:
        return {**changes, "status": "OPEN", "snoozed_until": None}
    return {**changes, "next_escalation_at": None, "remind_at": None} if incident.is_taken else changes

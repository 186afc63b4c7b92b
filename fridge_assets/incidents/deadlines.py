"""What becomes due of an incident that nobody has taken: deadlines, reminders, the end of a snooze (SPEC 6.1).

A step happens at the moment at which it was due, however late anybody looks; what is due at the moment of the look is
still in time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from fridge_assets.incidents.observations import Surroundings, after_all
from fridge_assets.incidents.state import Incident, IncidentEvent, changed
from fridge_assets.incidents.terms import LEVELS, Action, HoldReason, Severity, TellReason
from fridge_assets.settings import IncidentSettings

WATCH = "sla"
"""Who does what becomes due."""


def time_for(severity: Severity, settings: IncidentSettings) -> timedelta:
    """How long people have to take an incident of ``severity``."""
    return (settings.sla_low, settings.sla_medium, settings.sla_high, settings.sla_critical)[severity]


def new_deadline(severity: Severity, now: datetime, settings: IncidentSettings) -> dict[str, Any]:
    """The fields of an incident whose time begins ``now``, for the first time or again."""
    deadline = now + time_for(severity, settings)
    return {
        "level": LEVELS[0],
        "deadline": deadline,
        "breached": False,
        "next_escalation_at": deadline,
        "remind_at": now + settings.reminder,
    }


def overdue(
    incident: Incident, now: datetime, around: Surroundings, settings: IncidentSettings
) -> Iterator[IncidentEvent]:
    """What was due before ``now`` and has not happened yet, in its order; each step builds on the one before it.

    Args:
        incident: as it is stored.
        now: the moment of the look.
        around: silences and the spans of the site, which hold what would be told.
        settings: spans of the severities, and between reminders.
    """
    while (event := _next_step(incident, now, around, settings)) is not None:
        yield event
        incident = incident.after(event)


def _next_step(
    incident: Incident, now: datetime, around: Surroundings, settings: IncidentSettings
) -> IncidentEvent | None:
    if not incident.is_open:
        return None
    if incident.snoozed_until is not None and incident.snoozed_until < now:
        return _end_of_snooze(incident, incident.snoozed_until, around, settings)
    remind_at = _reminder(incident, around)
    escalate_at = incident.next_escalation_at
    # The deadline first where both fall together: it begins the time until the next reminder anew.
    if escalate_at is not None and escalate_at < now and (remind_at is None or escalate_at <= remind_at):
        return _passed_deadline(incident, escalate_at, around, settings)
    if remind_at is not None and remind_at < now:
        return _reminded(incident, remind_at, now, settings)
    return None


def _passed_deadline(
    incident: Incident, at: datetime, around: Surroundings, settings: IncidentSettings
) -> IncidentEvent:
    level = LEVELS[min(LEVELS.index(incident.level) + 1, len(LEVELS) - 1)]
    changes = {
        "level": level,
        "breached": True,
        "next_escalation_at": None if level == LEVELS[-1] else at + time_for(incident.severity, settings),
        "remind_at": at + settings.reminder,
    }
    what = "Still nobody has taken it" if incident.breached else "Nobody had taken it by its deadline"
    where = f"it stays at {level}" if level == incident.level else f"{incident.level} to {level}"
    held = held_at(at, around)
    told: TellReason | None = None if held else "deadline_passed"
    action: Action = "escalate" if incident.breached else "breach"
    return changed(incident, action, at, WATCH, f"{what}: {where}", changes, told=told, held=held)


def _reminder(incident: Incident, around: Surroundings) -> datetime | None:
    """When the reminder is due: not while a silence holds the device, or its site is told of as one."""
    if incident.remind_at is None:
        return None
    return after_all(incident.remind_at, (*around.silences, *around.sites))


def _reminded(incident: Incident, at: datetime, now: datetime, settings: IncidentSettings) -> IncidentEvent:
    # Who looks late reminds once, not once for every span that has passed.
    missed = (now - at - timedelta(microseconds=1)) // settings.reminder
    latest = at + missed * settings.reminder
    changes = {"remind_at": latest + settings.reminder}
    return changed(incident, "remind", latest, WATCH, "Nobody has taken it yet", changes, told="reminder")


def _end_of_snooze(incident: Incident, at: datetime, around: Surroundings, settings: IncidentSettings) -> IncidentEvent:
    if incident.quiet_since is not None:
        note = f"The snooze is over, and nothing was seen since {incident.quiet_since:%Y-%m-%d %H:%M} UTC"
        return changed(incident, "recover", at, WATCH, note, closed_by_recovery(at))
    changes = {"status": "OPEN", "snoozed_until": None, **new_deadline(incident.severity, at, settings)}
    held = held_at(at, around)
    told: TellReason | None = None if held else "reminder"
    return changed(incident, "wake", at, WATCH, "The snooze is over", changes, told=told, held=held)


def closed_by_recovery(at: datetime) -> dict[str, Any]:
    """The fields of an incident that is over by itself."""
    return {
        "status": "RESOLVED",
        "closed_at": at,
        "closed_because": "recovered",
        "next_escalation_at": None,
        "remind_at": None,
        "snoozed_until": None,
    }


def held_at(moment: datetime, around: Surroundings) -> HoldReason | None:
    """Why nobody is told at ``moment`` what would be told; None where they are."""
    if any(silence.covers(moment) for silence in around.silences):
        return "silenced"
    return "part_of_site" if any(site.covers(moment) for site in around.sites) else None

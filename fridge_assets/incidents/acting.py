"""Storing what people do with incidents, with all that follows from it, in one transaction (SPEC 6.1).

Two people may act on one incident at once: everything is read and written while it is locked, so that one of them comes
first and the other is told so, or acts on what the first one left.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.engine import Connection

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.incidents.channels import channel_of
from fridge_assets.incidents.decide import advance
from fridge_assets.incidents.known import (
    ended_groups,
    incidents_by_id,
    lock,
    newest_incidents,
    running_groups,
    silences_around,
    spans_of_site,
    words_of,
)
from fridge_assets.incidents.labels import store_label, take_back_label
from fridge_assets.incidents.messages import Telling, messages_of, single_message
from fridge_assets.incidents.observations import Act, Observed, Surroundings
from fridge_assets.incidents.people import NotAllowed, Outdated
from fridge_assets.incidents.queries import events_of
from fridge_assets.incidents.silences import Silence, add_silence, end_silences_of
from fridge_assets.incidents.state import Incident, IncidentEvent, Undo
from fridge_assets.incidents.store import apply, tellings_of
from fridge_assets.incidents.together import Step
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.beginnings import Ids, id_beginning_with
from fridge_assets.stores.operations import Operations, incidents
from fridge_assets.work_orders.rules import Schedule

_IDS: Final = Ids(incidents.c.incident_id, "incident", "incidents list --all")
_ENDS_WORK: Final = frozenset({"resolve", "false_positive"})


def act(
    operations: Operations,
    identity: str,
    done: Act,
    now: datetime,
    settings: IncidentSettings,
    schedule: Schedule | None = None,
) -> tuple[Incident, IncidentEvent]:
    """Store an action of a person, and all that follows from it.

    A deadline that had passed by then is recorded before it. ``resolve``, ``confirm`` and ``false_positive`` leave a
    label; ``resolve`` and ``false_positive`` end the work order; ``maintain`` makes sure that there is one and that
    nobody is told of the device meanwhile; ``escalate`` tells those who are responsible from then on; ``undo`` takes
    all of that back but what people were told.

    Args:
        operations: where incidents are.
        identity: a device, whose newest incident is meant, or an incident's id, or a beginning of it that no other has.
        done: what the person does.
        now: when, timezone-aware.
        settings: every number of SPEC 6.1.
        schedule: when maintenance is; for ``maintain`` and nothing else.

    Returns:
        The incident after the action, and the event that records it.

    Raises:
        NotAllowed: the incident's state does not admit it; names who brought it there and when.
        Outdated: the incident is not at the expected revision; says who did what meanwhile.
        FridgeError: no such incident, or several; nothing was stored.
    """
    if (done.action == "maintain") != (schedule is not None):
        raise ValueError(f"{done.action} with the schedule {schedule}: maintain has one, nothing else does")
    if schedule is not None and schedule[1] <= now:
        raise FridgeError(
            f"maintenance that ended at {schedule[1]:%Y-%m-%d %H:%M} UTC cannot be scheduled any more",
            "Name a later beginning, or a longer time.",
        )
    with operations.transaction() as connection:
        lock(connection)
        before = incidents_by_id(connection, [find_incident(connection, identity)]).popitem()[1]
        observation = replace(done, around=_around(connection, before, now))
        try:
            decision = advance(before, observation, now, settings)
        except (NotAllowed, Outdated) as refusal:
            history = events_of(connection, before.incident_id)
            raise type(refusal)(f"{refusal.problem}: {_why(refusal, before, done, history)}", refusal.remedy) from None
        after, event = decision.incident, decision.events[-1]
        assert after is not None  # a person acts on what there is
        step = Step(Observed(before.device_id, observation), before, decision)
        apply(connection, [step], now, _dates(before, after, event, schedule))
        if schedule is not None:
            _silence(connection, after, event, schedule, settings)
        _follow(connection, before, after, event)
        messages = messages_of(tellings_of(connection, [step]), "", settings)
        channel = channel_of(after.severity, after.level)
        if event.action == "escalate" and channel is not None:
            words = words_of(connection, [after.evidence_id])[after.evidence_id]
            messages.append(single_message(Telling(after, event, *words), channel, actor=event.actor))
        enqueue(connection, messages, now)
    return after, event


def find_incident(connection: Connection, identity: str) -> str:
    """The id of the incident that is meant: a device's newest, or the one whose id begins so.

    Raises:
        UnknownName: there is none, or more than one, or it is too short to be meant.
    """
    newest = newest_incidents(connection, [identity])[1]
    return newest[identity] if identity in newest else id_beginning_with(connection, _IDS, identity)


def _around(connection: Connection, incident: Incident, now: datetime) -> Surroundings:
    silences = silences_around(connection, [incident], (), now).around(incident.device_id, incident.site_id)
    newest = newest_incidents(connection, [incident.device_id])[1][incident.device_id]
    ended, running = ended_groups(connection, [incident], now), running_groups(connection, now)
    sites = spans_of_site(incident.site_id, ended, running)
    return Surroundings(silences, sites, followed=newest != incident.incident_id)


def _why(refusal: FridgeError, incident: Incident, done: Act, history: Sequence[IncidentEvent]) -> str:
    """Who did what, so that the incident is not what the person who acts takes it for."""
    if isinstance(refusal, Outdated):
        meanwhile = [event for event in history if event.number > (done.expected_revision or 0)]
        return ", ".join(map(_said, meanwhile)) or "it never had that one"
    arrivals = [event for event in history if event.to_status == incident.status != event.from_status]
    return f"it is {incident.status} since {_said(arrivals[-1])}"


def _said(event: IncidentEvent) -> str:
    note = f" ({event.note})" if event.note else ""
    return f"'{event.action.replace('_', ' ')}' by {event.actor} at {event.occurred_at:%Y-%m-%d %H:%M} UTC{note}"


def _dates(
    before: Incident, after: Incident, event: IncidentEvent, schedule: Schedule | None
) -> dict[str, Schedule | None]:
    """The order that gets a date, or loses it because that was taken back."""
    taken_back = event.action == "undo" and before.undoable is not None and before.undoable.action == "maintain"
    if after.work_order_id is None or (schedule is None and not taken_back):
        return {}
    return {after.work_order_id: schedule}


def _silence(
    connection: Connection, incident: Incident, event: IncidentEvent, schedule: Schedule, settings: IncidentSettings
) -> None:
    """Let nobody be told of the device while it is maintained; another date takes the place of the one before."""
    assert incident.work_order_id is not None
    end_silences_of(connection, incident.work_order_id, event.actor, event.occurred_at)
    title, _ = words_of(connection, [incident.evidence_id])[incident.evidence_id]
    silence = Silence(
        kind="maintenance",
        device_id=incident.device_id,
        site_id=None,
        starts_at=schedule[0],
        ends_at=schedule[1],
        actor=event.actor,
        reason=event.note or f"{title} (incident {incident.incident_id[:SHORT_ID]})",
        created_at=event.occurred_at,
        work_order_id=incident.work_order_id,
    )
    add_silence(connection, silence, settings)


def _follow(connection: Connection, before: Incident, after: Incident, event: IncidentEvent) -> None:
    """Labels and silences after the action."""
    undone: Undo | None = before.undoable if event.action == "undo" else None
    order = before.work_order_id
    if order is not None and (event.action in _ENDS_WORK or (undone is not None and undone.action == "maintain")):
        end_silences_of(connection, order, event.actor, event.occurred_at)
    store_label(connection, after, event)
    if undone is not None:
        take_back_label(connection, after.incident_id, undone)

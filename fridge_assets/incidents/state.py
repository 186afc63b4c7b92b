"""The state of one device's trouble, as the sum of the events in its history (SPEC 1.7, 6.1)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from fridge_assets.incidents.terms import (
    TAKEN,
    Action,
    ClosedBecause,
    HoldReason,
    Level,
    PersonsAction,
    Severity,
    Sign,
    Source,
    Status,
    TellReason,
    Verdict,
)

_LIFE: Final = frozenset(
    {
        "status",
        "level",
        "deadline",
        "breached",
        "next_escalation_at",
        "snoozed_until",
        "owner",
        "work_order_id",
        "closed_at",
        "closed_because",
        "labelled_at",
    }
)
"""Where one of these changes after a person's action, that action can no longer be taken back."""


class Onset(NamedTuple):
    """What the stream has seen: its identity, and the end of the window that it falls into."""

    evidence_id: str
    window_end: datetime


@dataclass(frozen=True)
class Window:
    """What one source has said of one window of the device.

    Args:
        end: end of the window.
        source: who judged it.
        severity: how urgent; None where it was quiet.
        counts: whether it counts as MEDIUM evidence of its own window.
    """

    end: datetime
    source: Source
    severity: Severity | None
    counts: bool = False


@dataclass(frozen=True)
class Undo:
    """What a person did last, and how it was before.

    Args:
        action: what they did.
        actor: who.
        at: when.
        before: values of the fields that it changed.
    """

    action: PersonsAction
    actor: str
    at: datetime
    before: Mapping[str, Any]


@dataclass(frozen=True)
class Incident:
    """One device's trouble from first sight to closure, and what people work on.

    Args:
        incident_id: UUIDv5 of the device, the evidence that opened it and the incident before it.
        device_id: device.
        site_id: site it stands in.
        first_detected_at: when it was first seen, by whatever source.
        status: where it stands.
        seen: the highest severity that was seen, told or not.
        told: the highest severity that people were told of; None before they were.
        waiting: the reason with which it will be told once its evidence is confirmed and no silence holds it; None
            where nothing waits.
        named: what stood out of what people were told, each sensor once, in that order; of one that was not told
            what opened it.
        evidence_id: the evidence that says best what people were told; of one that was not told what opened it.
        windows: what was said of the device's last windows, oldest first.
        sources: who has seen something.
        onsets: what the stream has seen and not withdrawn.
        verdict: what the models say of that.
        last_window: end of the newest window in which something was seen.
        level: who is responsible.
        deadline: by when somebody must have taken it; None before it was told.
        breached: nobody had.
        next_escalation_at: when it goes up a level if nobody takes it; None when it does not.
        remind_at: when people are reminded if nobody takes it; None when they are not.
        snoozed_until: when it is work again by itself; None where it is not snoozed.
        quiet_since: end of the first window since which nothing was seen; None where something was in the last one.
        owner: who has taken it; None for nobody by name.
        work_order_id: the work made from it; None for none.
        closed_at: when it was closed; None while it is open.
        closed_because: why.
        labelled_at: when a person said whether it was real; None before they did.
        probable_cause: the newest that its evidence has made clear, in a technician's words; empty where none was.
        release: the released models at its newest evidence.
        registry_entry: the device's entry in the registry at its newest evidence.
        undoable: the last action of a person, while it can be taken back.
        revision: number of its newest event.
    """

    incident_id: str
    device_id: str
    site_id: str
    first_detected_at: datetime
    seen: Severity
    waiting: Literal["opened", "reopened"] | None
    named: tuple[Sign, ...]
    evidence_id: str
    windows: tuple[Window, ...]
    sources: frozenset[Source]
    onsets: tuple[Onset, ...]
    verdict: Verdict
    last_window: datetime
    release: str
    registry_entry: str
    status: Status = "OPEN"
    told: Severity | None = None
    level: Level = "L1"
    deadline: datetime | None = None
    breached: bool = False
    next_escalation_at: datetime | None = None
    remind_at: datetime | None = None
    snoozed_until: datetime | None = None
    quiet_since: datetime | None = None
    owner: str | None = None
    work_order_id: str | None = None
    closed_at: datetime | None = None
    closed_because: ClosedBecause | None = None
    labelled_at: datetime | None = None
    probable_cause: str = ""
    undoable: Undo | None = None
    revision: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is somebody's work, or will be."""
        return self.closed_at is None

    @property
    def is_taken(self) -> bool:
        """Whether somebody sees to it."""
        return self.status in TAKEN

    @property
    def severity(self) -> Severity:
        """The highest that people were told of; before that the highest that was seen."""
        return self.seen if self.told is None else self.told

    def has_named(self, sensor: str) -> bool:
        """Whether people were told of ``sensor``."""
        return any(sign.sensor == sensor for sign in self.named)

    def after(self, event: "IncidentEvent") -> "Incident":
        """The state once ``event`` has happened."""
        return replace(self, **event.changes, revision=event.number)


@dataclass(frozen=True)
class IncidentEvent:
    """One entry of an incident's history, never changed.

    Args:
        incident_id: the incident.
        number: 1, 2, … within the incident.
        occurred_at: when it happened, which may be before anybody looked.
        actor: who: a person, a source or ``sla``.
        action: what happened.
        from_status: the status before; None for a new incident.
        to_status: the status after it.
        note: why, in words.
        told: the one reason why people are told of it; None where they are not.
        held: why they are not told of the evidence; None where there is none, or they are.
        evidence_id: the evidence that it is about; empty for none.
        changes: the fields of the incident that it sets.
    """

    incident_id: str
    number: int
    occurred_at: datetime
    actor: str
    action: Action
    from_status: Status | None
    to_status: Status
    note: str
    told: TellReason | None = None
    held: HoldReason | None = None
    evidence_id: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)


def changed(
    incident: Incident,
    action: Action,
    at: datetime,
    actor: str,
    note: str,
    changes: Mapping[str, Any],
    *,
    told: TellReason | None = None,
    held: HoldReason | None = None,
    evidence_id: str = "",
) -> IncidentEvent:
    """The event with which ``changes`` are made of ``incident``; what has that value already is left out.

    A change of its life that is no person's own takes away what could be undone.
    """
    made = {name: value for name, value in changes.items() if getattr(incident, name) != value}
    if incident.undoable is not None and "undoable" not in changes and not _LIFE.isdisjoint(made):
        made["undoable"] = None
    return IncidentEvent(
        incident_id=incident.incident_id,
        number=incident.revision + 1,
        occurred_at=at,
        actor=actor,
        action=action,
        from_status=incident.status,
        to_status=made.get("status", incident.status),
        note=note,
        told=told,
        held=held,
        evidence_id=evidence_id,
        changes=made,
    )


def opening(
    incident: Incident,
    at: datetime,
    note: str,
    actor: str,
    told: TellReason | None,
    held: HoldReason | None,
    evidence: str,
) -> IncidentEvent:
    """The first event of ``incident``, which holds all of it."""
    return IncidentEvent(
        incident_id=incident.incident_id,
        number=1,
        occurred_at=at,
        actor=actor,
        action="open",
        from_status=None,
        to_status=incident.status,
        note=note,
        told=told,
        held=held,
        evidence_id=evidence,
        changes={name: value for name, value in vars(incident).items() if name != "revision"},
    )


def states_of(history: Iterable[IncidentEvent]) -> Iterator[tuple[Incident, IncidentEvent]]:
    """Each event of a ``history``, oldest first and all of them, with the incident as it was after it."""
    incident: Incident | None = None
    for event in history:
        incident = incident_of([event]) if incident is None else incident.after(event)
        yield incident, event


def incident_of(history: Iterable[IncidentEvent], at: datetime | None = None) -> Incident:
    """The state of an incident after its ``history``, or as it was at the moment ``at``.

    Args:
        history: all events of one incident, oldest first; at least the first.
        at: only what happened by then; None for everything.
    """
    events = iter(history)
    first = next(events)
    incident = Incident(**first.changes, revision=first.number)
    for event in events:
        if at is None or event.occurred_at <= at:
            incident = incident.after(event)
    return incident

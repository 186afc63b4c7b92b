"""Incidents and their events as rows of the operations store, and back (SPEC 1.7)."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import RowMapping

from fridge_assets.contracts import INCIDENTS
from fridge_assets.core.identity import deterministic_id
from fridge_assets.incidents.state import Incident, IncidentEvent, Onset, Undo, Window
from fridge_assets.incidents.terms import Severity, Sign

_SEVERITIES: Final = frozenset({"seen", "told"})
_MOMENTS: Final = frozenset(
    column.name for column in INCIDENTS.columns if column.type == "timestamp" and column.name != "opened_at"
)

_moment = datetime.fromisoformat

Row = Mapping[str, Any] | RowMapping
"""A row as the store returns it, or as it is written."""


def _windows(windows: Iterable[Window]) -> list[Any]:
    return [
        [one.end.isoformat(), one.source, None if one.severity is None else one.severity.name, one.counts]
        for one in windows
    ]


def _undo(undo: Undo | None) -> Any:
    if undo is None:
        return None
    return [undo.action, undo.actor, undo.at.isoformat(), _plain_of(undo.before)]


_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "named": lambda signs: [list(sign) for sign in signs],
    "windows": _windows,
    "sources": sorted,
    "onsets": lambda onsets: [[onset.evidence_id, onset.window_end.isoformat()] for onset in onsets],
    "undoable": _undo,
}
"""Fields whose values become lists: as JSON keeps them, in events and in the incident's row."""

_WHOLE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "named": lambda signs: tuple(Sign(*sign) for sign in signs),
    "windows": lambda windows: tuple(
        Window(_moment(end), source, None if name is None else Severity[name], counts)
        for end, source, name, counts in windows
    ),
    "sources": frozenset,
    "onsets": lambda onsets: tuple(Onset(name, _moment(end)) for name, end in onsets),
    "undoable": lambda undo: None if undo is None else Undo(undo[0], undo[1], _moment(undo[2]), _whole_of(undo[3])),
}


def _plain_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(name, value) for name, value in values.items()}


def _plain(name: str, value: Any) -> Any:
    if name in _PLAIN:
        return _PLAIN[name](value)
    if value is None:
        return None
    if name in _MOMENTS:
        return value.isoformat()
    return value.name if name in _SEVERITIES else value


def _whole_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _whole(name, value) for name, value in values.items()}


def _whole(name: str, value: Any) -> Any:
    if name in _WHOLE:
        return _WHOLE[name](value)
    if value is None:
        return None
    if name in _MOMENTS:
        return _moment(value)
    return Severity[value] if name in _SEVERITIES else value


_FIELDS: Final = tuple(field.name for field in fields(Incident))


def incident_row(incident: Incident) -> dict[str, Any]:
    """The row of ``incident`` but for when it was opened: INCIDENTS columns."""
    row: dict[str, Any] = {"severity": incident.severity.name}
    for name in _FIELDS:
        value = getattr(incident, name)
        if name in _PLAIN:
            plain = _PLAIN[name](value)
            row[name] = None if plain is None else json.dumps(plain)
        elif name in _SEVERITIES:
            row[name] = None if value is None else value.name
        else:
            row[name] = value
    return row


def incident_from(row: Row) -> Incident:
    """The incident of a row; columns that are none of its fields are left behind."""
    values: dict[str, Any] = {}
    for name in _FIELDS:
        value = row[name]
        if name in _WHOLE:
            value = _WHOLE[name](None if value is None else json.loads(value))
        elif name in _SEVERITIES:
            value = None if value is None else Severity[value]
        values[name] = value
    return Incident(**values)


def event_row(event: IncidentEvent) -> dict[str, Any]:
    """The row of ``event``: INCIDENT_EVENTS columns."""
    return {
        "event_id": event_id_of(event.incident_id, event.number),
        "incident_id": event.incident_id,
        "revision": event.number,
        "occurred_at": event.occurred_at,
        "actor": event.actor,
        "action": event.action,
        "from_status": event.from_status,
        "to_status": event.to_status,
        "note": event.note,
        "told": event.told,
        "held": event.held,
        "evidence_id": event.evidence_id,
        "changes": json.dumps(_plain_of(event.changes)),
    }


def event_from(row: Row) -> IncidentEvent:
    """The event of a row."""
    return IncidentEvent(
        incident_id=row["incident_id"],
        number=row["revision"],
        occurred_at=row["occurred_at"],
        actor=row["actor"],
        action=row["action"],
        from_status=row["from_status"],
        to_status=row["to_status"],
        note=row["note"],
        told=row["told"],
        held=row["held"],
        evidence_id=row["evidence_id"],
        changes=_whole_of(json.loads(row["changes"])),
    )


def event_id_of(incident_id: str, revision: int) -> str:
    """The same for the same incident and revision, always."""
    return deterministic_id(incident_id, revision)

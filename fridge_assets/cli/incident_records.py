"""Incidents and their events as programs read them: what the store keeps as JSON is part of the document."""

import json
from collections.abc import Mapping
from typing import Any, Final

from fridge_assets.incidents.queries import Listed
from fridge_assets.incidents.rows import event_row, incident_row
from fridge_assets.incidents.state import Incident, IncidentEvent

_JSON: Final = ("named", "windows", "sources", "onsets", "undoable")


def incident_record(incident: Incident) -> dict[str, Any]:
    """INCIDENTS columns but for when it was opened."""
    return _with_json(incident_row(incident), _JSON)


def listed_record(listed: Listed) -> dict[str, Any]:
    """INCIDENTS columns, and ``title`` and ``description`` of the evidence that says best what people were told."""
    words = {"title": listed.title, "description": listed.description}
    return {**incident_record(listed.incident), "opened_at": listed.opened_at, **words}


def event_record(event: IncidentEvent) -> dict[str, Any]:
    """INCIDENT_EVENTS columns."""
    return _with_json(event_row(event), ("changes",))


def _with_json(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {**row, **{name: None if row[name] is None else json.loads(row[name]) for name in names}}

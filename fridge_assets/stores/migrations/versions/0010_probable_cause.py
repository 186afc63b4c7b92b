"""The probable cause as a column of its own, of incidents and their evidence; it was in the words alone (SPEC 6.2)."""

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_TITLE = re.compile(r"Probable ([^:]+): ")
_SENTENCE = re.compile(r"Probable cause: ([^(]+) \((.*?)(?:; not seen: (.*?))?\)\.")
_PIECE = 1000
_ADDED = {
    "incidents": ("probable_cause",),
    "alert_evidence": ("probable_cause", "signs_for", "signs_against"),
}


def upgrade() -> None:
    """Add the columns, and fill them with what titles and descriptions say."""
    for table, columns in _ADDED.items():
        for name in columns:
            kind, empty = (sa.JSON(), "[]") if name.startswith("signs") else (sa.Text(), "")
            op.add_column(table, sa.Column(name, kind, nullable=False, server_default=empty))
    causes = dict(_fill_evidence())
    _fill_incidents(causes)
    if op.get_bind().dialect.name != "sqlite":
        for table, columns in _ADDED.items():
            for name in columns:
                op.alter_column(table, name, server_default=None)
    op.create_index("ix_incidents_probable_cause_closed_at", "incidents", ["probable_cause", "closed_at"])


def _fill_evidence() -> Iterator[tuple[str, str]]:
    """Fill the evidence that names a cause; yields its alert and the cause."""
    connection = op.get_bind()
    said = sa.text("SELECT alert_id, number, title, description FROM alert_evidence WHERE title LIKE 'Probable %'")
    update = sa.text(
        "UPDATE alert_evidence SET probable_cause = :cause, signs_for = :signs_for, signs_against = :signs_against "
        "WHERE alert_id = :alert_id AND number = :number"
    )
    rows: list[dict[str, Any]] = []
    for alert_id, number, title, description in connection.execute(said).all():
        named = _TITLE.match(title)
        if named is None:
            continue
        sentence = _SENTENCE.search(description)
        signs = ("", "") if sentence is None else (sentence[2], sentence[3] or "")
        seen, missing = (json.dumps(words.split(", ") if words else []) for words in signs)
        key = {"alert_id": alert_id, "number": number}
        rows.append({**key, "cause": named[1], "signs_for": seen, "signs_against": missing})
        yield alert_id, named[1]
    for first in range(0, len(rows), _PIECE):
        connection.execute(update, rows[first : first + _PIECE])


def _fill_incidents(causes: dict[str, str]) -> None:
    """An incident has the cause of what says best what people were told; its first event, which holds all, says so."""
    connection = op.get_bind()
    of = connection.execute(sa.text("SELECT incident_id, evidence_id FROM incidents")).all()
    rows = [{"incident_id": incident, "cause": causes[alert]} for incident, alert in of if alert in causes]
    first_event = sa.text("SELECT changes FROM incident_events WHERE incident_id = :incident_id AND revision = 1")
    events = []
    for row in rows:
        changes = connection.scalar(first_event, {"incident_id": row["incident_id"]})
        if changes is not None:
            said = json.dumps(json.loads(changes) | {"probable_cause": row["cause"]})
            events.append({"incident_id": row["incident_id"], "changes": said})
    for statement, values in (
        ("UPDATE incidents SET probable_cause = :cause WHERE incident_id = :incident_id", rows),
        ("UPDATE incident_events SET changes = :changes WHERE incident_id = :incident_id AND revision = 1", events),
    ):
        for first in range(0, len(values), _PIECE):
            connection.execute(sa.text(statement), values[first : first + _PIECE])

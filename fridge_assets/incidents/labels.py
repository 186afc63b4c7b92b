"""What people said of incidents, a real failure or not (SPEC 6.1)."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts import LABEL_EVENTS
from fridge_assets.core.identity import deterministic_id
from fridge_assets.incidents.state import Incident, IncidentEvent, Undo
from fridge_assets.incidents.terms import Action
from fridge_assets.stores.operations import device_alerts, insert_missing, label_events

if TYPE_CHECKING:  # people act as quickly as they type: only lists need pandas
    import pandas as pd

LABEL_OF: Final[dict[Action, str]] = {
    "resolve": "confirmed",
    "confirm": "confirmed",
    "false_positive": "false_positive",
}
"""Actions that say whether an incident was real, and what they say."""

_OF_THE_EVIDENCE: Final = (
    "alert_id",
    "device_id",
    "site_id",
    "severity",
    "source",
    "model_id",
    "anomaly_score",
    "first_detected_at",
    "window_end",
)


def store_label(connection: Connection, incident: Incident, event: IncidentEvent) -> None:
    """Store what ``event`` says of ``incident``; nothing for an action that says nothing.

    Args:
        connection: of the transaction that stores the event.
        incident: as it is after the event.
        event: what a person did.
    """
    if event.action not in LABEL_OF:
        return
    columns = [device_alerts.c[name] for name in _OF_THE_EVIDENCE]
    query = sa.select(*columns).where(device_alerts.c.alert_id == incident.evidence_id)
    label = {
        **connection.execute(query).mappings().one(),
        "label_id": deterministic_id(incident.incident_id, event.number),
        "incident_id": incident.incident_id,
        "revision": event.number,
        "label": LABEL_OF[event.action],
        "labelled_at": event.occurred_at,
        "actor": event.actor,
        "note": event.note,
    }
    insert_missing(connection, label_events, [label])


def take_back_label(connection: Connection, incident_id: str, undo: Undo) -> None:
    """Remove the label that came with an action that was taken back; none where it left none."""
    columns = label_events.c
    own = sa.and_(columns.incident_id == incident_id, columns.labelled_at == undo.at)
    connection.execute(sa.delete(label_events).where(own))


def labels_of(connection: Connection, until: datetime | None = None) -> "pd.DataFrame":
    """What counts of what people said: the newest label of each incident.

    Args:
        connection: an open connection.
        until: what was said later does not count; None for all.

    Returns:
        LABEL_EVENTS rows, one per incident, by ``incident_id``.
    """
    import pandas as pd  # noqa: PLC0415

    columns = label_events.c
    newest = sa.select(columns.incident_id, sa.func.max(columns.revision).label("revision"))
    if until is not None:
        newest = newest.where(columns.labelled_at <= until)
    last = newest.group_by(columns.incident_id).subquery()
    is_last = sa.and_(columns.incident_id == last.c.incident_id, columns.revision == last.c.revision)
    rows = connection.execute(sa.select(label_events).join(last, is_last).order_by(columns.incident_id)).all()
    frame = pd.DataFrame(rows, columns=list(LABEL_EVENTS.column_names))
    labels: pd.DataFrame = LABEL_EVENTS.to_arrow(frame).to_pandas()
    return labels

"""What people said of alerts, a real failure or not, in the operations store (SPEC 6)."""

from datetime import datetime
from typing import Final

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.frames import conform
from fridge_assets.contracts import LABEL_EVENTS
from fridge_assets.core.identity import deterministic_id
from fridge_assets.stores.operations import insert_missing, label_events

LABEL_OF: Final = {"resolve": "confirmed", "confirm": "confirmed", "false_positive": "false_positive"}
"""Actions that say whether an alert was real, and what they say."""

_OF_THE_ALERT = (
    "alert_id",
    "revision",
    "device_id",
    "site_id",
    "severity",
    "source",
    "model_id",
    "anomaly_score",
    "first_detected_at",
    "window_end",
)


def label_of(alert: pd.DataFrame, action: str, actor: str, at: datetime, note: str) -> pd.DataFrame:
    """What ``action`` says of an alert.

    Args:
        alert: one DEVICE_ALERTS row as it is after the action.
        action: one of :data:`LABEL_OF`.
        actor: who.
        at: when, timezone-aware.
        note: why.

    Returns:
        One LABEL_EVENTS row.
    """
    identity = deterministic_id(alert["alert_id"].iloc[0], alert["revision"].iloc[0])
    said = alert[list(_OF_THE_ALERT)].assign(
        label_id=identity, label=LABEL_OF[action], labelled_at=pd.Timestamp(at), actor=actor, note=note
    )
    return conform([said], LABEL_EVENTS)


def store_labels(connection: Connection, labels: pd.DataFrame) -> None:
    """Store LABEL_EVENTS rows in the transaction of ``connection``; those that are there are left alone."""
    insert_missing(connection, label_events, LABEL_EVENTS.to_arrow(labels).to_pylist())


def labels_of(connection: Connection, since: datetime | None = None) -> pd.DataFrame:
    """What counts of what people said: the newest label of each alert.

    Args:
        connection: an open connection.
        since: leave out alerts whose newest label is older than this; None for all.

    Returns:
        LABEL_EVENTS rows, one per alert, by ``alert_id``.
    """
    columns = label_events.c
    newest = sa.select(columns.alert_id, sa.func.max(columns.revision).label("revision")).group_by(columns.alert_id)
    last = newest.subquery()
    query = (
        sa.select(label_events)
        .join(last, sa.and_(columns.alert_id == last.c.alert_id, columns.revision == last.c.revision))
        .order_by(columns.alert_id)
    )
    if since is not None:
        query = query.where(columns.labelled_at >= since)
    rows = connection.execute(query).all()
    return conform([pd.DataFrame(rows, columns=list(LABEL_EVENTS.column_names))], LABEL_EVENTS)

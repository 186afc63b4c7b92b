"""What the operations store knows of an alert: its life, its device's earlier alerts, work, silences and messages."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.silences import silences_between
from fridge_assets.alerting.store import events_of_alerts
from fridge_assets.contracts import LABEL_EVENTS, SILENCES, WORK_ORDERS
from fridge_assets.contracts.silences import SILENCE_KINDS
from fridge_assets.notifications.outbox import Delivery, StoredMessage, messages_about
from fridge_assets.stores.operations import alert_events, device_alerts, label_events, work_orders

_PREVIOUS_SPAN = timedelta(days=30)
_PREVIOUS_ALERTS = 20
_MESSAGE = ["message_id", "channel", "kind", "title", "created_at"]
_DELIVERY = [field.name for field in fields(Delivery)]


def of_people(connection: Connection, row: dict[str, Any], window: timedelta) -> dict[str, pd.DataFrame]:
    """The parts of the story that come from the operations store.

    Args:
        connection: an open connection.
        row: DEVICE_ALERTS columns by name.
        window: length of a window.
    """
    identity, messages = row["alert_id"], messages_about(connection, row["alert_id"])
    labels = sa.select(label_events).where(label_events.c.alert_id == identity).order_by(label_events.c.revision)
    work = sa.select(work_orders).where(work_orders.c.work_order_id == row["ontology_action_id"])
    return {
        "previous": _previous(connection, row),
        "events": events_of_alerts(connection, [identity]),
        "labels": conform([_rows(connection, labels)], LABEL_EVENTS),
        "silences": _silences(connection, row, window),
        "messages": pd.DataFrame(_deliveries(messages), columns=[*_MESSAGE, *_DELIVERY]),
        "work_order": conform([_rows(connection, work)], WORK_ORDERS),
    }


def _deliveries(messages: Iterable[StoredMessage]) -> Iterator[dict[str, Any]]:
    """What became of each message at each destination; a message that none was tried at waits."""
    for message in messages:
        own = {name: getattr(message, name) for name in _MESSAGE}
        untried = Delivery("", message.status, 0, False, "", None, "", "", "")
        for delivery in message.deliveries or (untried,):
            yield own | asdict(delivery)


def _previous(connection: Connection, row: dict[str, Any]) -> pd.DataFrame:
    columns, newest = device_alerts.c, alert_events.c
    ended = sa.and_(newest.alert_id == columns.alert_id, newest.revision == columns.revision)
    wanted = (
        sa.select(*columns["alert_id", "first_detected_at", "severity", "title", "status"])
        .add_columns(newest.action, newest.actor, newest.note.label("event_note"))
        .outerjoin_from(device_alerts, alert_events, ended)
        .where(columns.device_id == row["device_id"], columns.alert_id != row["alert_id"])
        .where(columns.window_end <= row["window_end"], columns.window_end > row["window_end"] - _PREVIOUS_SPAN)
        .where(columns.suppressed.is_(sa.false()))
        .order_by(columns.window_end.desc(), columns.alert_created_at.desc())
        .limit(_PREVIOUS_ALERTS)
    )
    return _rows(connection, wanted)


def _silences(connection: Connection, row: dict[str, Any], window: timedelta) -> pd.DataFrame:
    if row["suppressed_because"] not in SILENCE_KINDS:
        return SILENCES.empty()
    known = silences_between(connection, row["window_end"] - window, row["window_end"])
    own = known["device_id"].eq(row["device_id"]) | known["site_id"].eq(row["site_id"])
    holding: pd.DataFrame = known[own.fillna(value=False) & (known["kind"] == row["suppressed_because"])]
    return holding.reset_index(drop=True)


def _rows(connection: Connection, wanted: sa.Select[Any]) -> pd.DataFrame:
    found = connection.execute(wanted)
    return pd.DataFrame(list(map(tuple, found)), columns=list(found.keys()))

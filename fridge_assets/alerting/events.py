"""The immutable record of what happened to an alert, and the alert that it adds up to (SPEC 1.7)."""

import json
from datetime import datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from fridge_assets.alerting.lifecycle import check_transition
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.core.identity import deterministic_id

LIFE: Final = (
    "severity",
    "alert_type",
    "first_detected_at",
    "suppressed",
    "suppressed_because",
    "ontology_action_id",
    "status",
    "resolved_at",
    "escalation_level",
    "sla_deadline",
    "sla_breached",
    "next_escalation_at",
    "note",
)
"""Columns of an alert that its events tell; the others say what was measured."""

_MOMENTS = [name for name in LIFE if DEVICE_ALERTS.column(name).type == "timestamp"]
_SCHEMA = pa.schema([DEVICE_ALERTS.arrow_schema.field(name) for name in LIFE])


def events_of(changes: pd.DataFrame, before: pd.DataFrame, actor: str, now: datetime) -> pd.DataFrame:
    """One ALERT_EVENTS row for each changed alert.

    Args:
        changes: alerts after the change, with ``from_status`` (null for a new one), ``action``, ``event_note`` and the
            ``revision`` that the event becomes; ``event_at`` where it did not happen now.
        before: the same alerts as they were, those that are new left out; others do no harm.
        actor: who changed them.
        now: when.

    Raises:
        IllegalTransition: the state machine has no such change.
    """
    was = dict(zip(before["alert_id"], _states(before), strict=True))
    moments = changes["event_at"] if "event_at" in changes else [pd.Timestamp(now)] * len(changes)
    rows = zip(
        changes["alert_id"],
        changes["revision"],
        moments,
        changes["action"],
        [None if pd.isna(status) else str(status) for status in changes["from_status"]],
        changes["status"],
        changes["event_note"],
        _states(changes),
        strict=True,
    )
    events = []
    for alert, revision, moment, action, from_status, status, note, state in rows:
        check_transition(action, from_status, status)
        known = was.get(alert, {})
        changed = {name: value for name, value in state.items() if name not in known or known[name] != value}
        identity = deterministic_id(alert, revision)
        said = json.dumps(changed)
        events.append((identity, alert, revision, moment, actor, action, from_status, status, note, said))
    return pd.DataFrame(events, columns=list(ALERT_EVENTS.column_names))


def add_up(events: pd.DataFrame) -> pd.DataFrame:
    """What the events of alerts add up to.

    Args:
        events: ALERT_EVENTS rows, for each alert all of them from its first to any later one, in any order.

    Returns:
        ``alert_id``, ``revision`` and the columns of :data:`LIFE`, one row per alert.
    """
    states: dict[str, dict[str, Any]] = {}
    for event in events.sort_values(["alert_id", "revision"]).itertuples():
        state = states.setdefault(str(event.alert_id), dict.fromkeys(LIFE))
        state |= {"revision": event.revision, **json.loads(str(event.changes))}
    rows = pd.DataFrame.from_dict(states, orient="index", columns=["revision", *LIFE])
    for name in _MOMENTS:
        rows[name] = pd.to_datetime(rows[name], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    return rows.rename_axis("alert_id").reset_index()


def _states(alerts: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.Table.from_pandas(
        alerts[list(LIFE)], schema=_SCHEMA, preserve_index=False
    ).to_pylist()
    for row in rows:
        for name in _MOMENTS:
            row[name] = None if row[name] is None else row[name].isoformat()
    return rows

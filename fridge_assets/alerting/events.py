"""The immutable record of what happened to an alert (SPEC 1.7)."""

import pandas as pd

from fridge_assets.contracts import ALERT_EVENTS
from fridge_assets.identity import deterministic_id


def events_of(changes: pd.DataFrame, actor: str, now: pd.Timestamp) -> pd.DataFrame:
    """One ALERT_EVENTS row for each changed alert.

    Args:
        changes: alerts after the change, with ``from_status`` (null for a new one) and ``event_note``.
        actor: who changed them.
        now: when.
    """
    before = [None if pd.isna(status) else str(status) for status in changes["from_status"]]
    rows = zip(changes["alert_id"], before, changes["status"], changes["event_note"], strict=True)
    when = now.isoformat()
    return pd.DataFrame(
        [
            (deterministic_id(alert, when, was, becomes, note), alert, now, actor, was, becomes, note)
            for alert, was, becomes, note in rows
        ],
        columns=list(ALERT_EVENTS.column_names),
    )

"""What people do with an alert: acknowledge, start work, schedule maintenance, resolve, and say whether it was real."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd

from fridge_assets.alerting.frames import TIMESTAMP
from fridge_assets.alerting.lifecycle import IllegalTransition, status_after
from fridge_assets.contracts.device_alerts import ESCALATION_LEVELS

PEOPLES_ACTIONS: Final = ("acknowledge", "start", "maintain", "resolve", "false_positive", "confirm", "escalate")
"""Actions that are commands, jobs and functions."""


@dataclass(frozen=True)
class ActionRequest:
    """Who acts, when and why.

    Args:
        actor: a person's name.
        at: when, timezone-aware.
        note: why; the event keeps it.
        expected_revision: revision of the alert that the person was looking at; None to act on whatever it is now.
    """

    actor: str
    at: datetime
    note: str = ""
    expected_revision: int | None = None


def acted_on(alert: pd.DataFrame, action: str, request: ActionRequest) -> pd.DataFrame:
    """The alert as it is after ``action``.

    Args:
        alert: one DEVICE_ALERTS row.
        action: one of :data:`PEOPLES_ACTIONS`.
        request: who acts, when and why.

    Returns:
        The row with ``from_status``, ``action`` and ``event_note`` for its event.

    Raises:
        IllegalTransition: the alert's status, or level, does not allow it.
    """
    before = str(alert["status"].iloc[0])
    after = status_after(action, before)
    changed = alert.assign(
        from_status=before, action=action, event_note=request.note, status=after, revision=alert["revision"] + 1
    )
    if action == "escalate":
        level = _next_level(str(alert["escalation_level"].iloc[0]))
        # A deadline that is still to come is watched at any level; after it there is nothing left above the highest.
        ends = alert["sla_breached"].astype(bool) & (level == ESCALATION_LEVELS[-1])
        next_at = alert["next_escalation_at"]
        return changed.assign(escalation_level=level, next_escalation_at=next_at.where(~ends))
    if after in ("RESOLVED", "FALSE_POSITIVE"):
        changed["resolved_at"] = alert["resolved_at"].fillna(pd.Timestamp(request.at).as_unit("us"))
    return changed.assign(next_escalation_at=pd.Series(pd.NaT, index=alert.index, dtype=TIMESTAMP))


def _next_level(level: str) -> str:
    place = ESCALATION_LEVELS.index(level) + 1
    if place == len(ESCALATION_LEVELS):
        raise IllegalTransition(f"the alert is at {level} already, the highest level", "Acknowledge it, or start work.")
    return ESCALATION_LEVELS[place]

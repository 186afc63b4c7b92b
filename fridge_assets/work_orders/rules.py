"""Which alerts need work, and how the order for it follows them (SPEC 6).

An order belongs to a problem, not to a row: an alert that continues another takes its order over, and the order moves
on to it. Orders are mappings of WORK_ORDERS columns, alerts of DEVICE_ALERTS columns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pandas as pd

from fridge_assets.contracts.device_alerts import ACTIVE_STATUSES
from fridge_assets.contracts.work_orders import PRIORITIES
from fridge_assets.core.identity import deterministic_id

Row = Mapping[str, Any]
Schedule = tuple[datetime, datetime]
"""When work begins and when it ends, timezone-aware."""

_PRIORITY: Final = {"CRITICAL": "urgent", "HIGH": "normal"}
"""Severities that ask for work by themselves."""
_ASKING: Final = ["alert_id", "severity", "suppressed"]
_NEWS: Final = ("reopen", "raise", "tell")
"""Actions after which an order stands as it does because of them, even where nothing else about it changes."""


@dataclass(frozen=True)
class Change:
    """What happened to an alert.

    Args:
        alert: DEVICE_ALERTS columns after it.
        action: what happened, of ALERT_ACTIONS.
        from_status: status before; None for a new alert.
        actor: who did it.
        note: why.
        at: when.
    """

    alert: Row
    action: str
    from_status: str | None
    actor: str
    note: str
    at: datetime

    @property
    def active(self) -> bool:
        """Whether the alert is work for somebody."""
        return self.alert["status"] in ACTIVE_STATUSES


def order_id_of(alert_id: str) -> str:
    """The same for the alert that first asked, always."""
    return deterministic_id("work_order", alert_id)


def order_for(alert: Row) -> str | None:
    """The order that a told alert needs when there is none yet; None for one that needs none."""
    needed = alert["severity"] in _PRIORITY and not alert["suppressed"]
    return order_id_of(alert["alert_id"]) if needed else None


def orders_for(alerts: pd.DataFrame, earlier: pd.Series) -> pd.Series:
    """Orders of alerts that are about to be stored.

    Args:
        alerts: ``alert_id``, ``severity`` and ``suppressed``.
        earlier: order of the alert that each of them continues, or that it was; null for none.

    Returns:
        Ids by the index of ``alerts``: the earlier one, else a new one for those that need one, else null.
    """
    rows = ({str(name): value for name, value in row.items()} for row in alerts[_ASKING].to_dict(orient="records"))
    ids = [order_for(row) if pd.isna(known) else str(known) for row, known in zip(rows, earlier, strict=True)]
    return pd.Series(ids, index=alerts.index, dtype="object")


def leading(changes: Iterable[Change], alert_id: str | None) -> Change | None:
    """Of the changes of alerts that name one order, the one that the order follows.

    An active alert comes first; without one only the alert that the order is for counts.

    Args:
        changes: of alerts that name the order.
        alert_id: the alert that the order is for; None while there is no order.
    """
    wanted = [change for change in changes if change.active or change.alert["alert_id"] == alert_id]
    return max(wanted, key=lambda change: (change.active, change.alert["alert_created_at"]), default=None)


def opened(alert: Row, order_id: str, requested_by: str, reason: str, at: datetime) -> dict[str, Any]:
    """The first revision of an order."""
    return {
        "work_order_id": order_id,
        "device_id": alert["device_id"],
        "site_id": alert["site_id"],
        "priority": PRIORITIES[0],
        "requested_by": requested_by,
        "created_at": at,
        "scheduled_from": None,
        "scheduled_to": None,
        "updated_at": at,
        "revision": 1,
        "delivered_revision": 0,
        "attempts": 0,
        "next_attempt_at": None,
        "last_error": "",
        "delivered_to": "",
        "external_reference": "",
        **_of_alert(alert, PRIORITIES[0]),
        "reason": reason,
    }


def followed(order: Row | None, change: Change) -> dict[str, Any] | None:
    """The order as it is after what happened to its alert.

    Args:
        order: as it was; None when there is none yet.
        change: of the alert that it follows.

    Returns:
        The order, equal to ``order`` when it stays as it is; None when a closed alert never had one.
    """
    alert = change.alert
    if change.active:
        if order is None:
            return opened(alert, alert["ontology_action_id"], alert["source"], change.note, change.at)
        return _goes_on(order, change)
    if order is None or order["status"] != "open":
        return None if order is None else dict(order)
    return dict(order) | _ended(order, change)


def dated(order: Row, alert: Row, actor: str, schedule: Schedule) -> dict[str, Any]:
    """The order with a date; one that was closed is open again."""
    begins, ends = schedule
    reason = f"{actor} scheduled it for {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC"
    dates = {"scheduled_from": begins, "scheduled_to": ends}
    return dict(order) | _of_alert(alert, order["priority"]) | dates | {"reason": reason}


def _goes_on(order: Row, change: Change) -> dict[str, Any]:
    values = _of_alert(change.alert, order["priority"])
    new = change.action in _NEWS or any(order[name] != values[name] for name in ("alert_id", "status", "priority"))
    return dict(order) | values | ({"reason": change.note} if new else {})


def _ended(order: Row, change: Change) -> dict[str, Any]:
    match change.action:
        case "resolve" | "confirm":
            return {"status": "done", "reason": _said(f"Resolved by {change.actor}", change.note)}
        case "false_positive":
            return {"status": "cancelled", "reason": _said(f"False positive, says {change.actor}", change.note)}
        case _ if change.from_status == "OPEN" and order["scheduled_from"] is None:
            return {"status": "cancelled", "reason": change.note}
        case _:
            # Whoever works on it, or is to come, is told and decides.
            return {"reason": f"{change.note}; somebody had taken it: `alerts confirm` or `false-positive` ends it"}


def _of_alert(alert: Row, priority: str) -> dict[str, Any]:
    """What an open order says of its alert; it never becomes less urgent."""
    wanted = _PRIORITY.get(alert["severity"], PRIORITIES[0])
    return {
        "alert_id": alert["alert_id"],
        "status": "open",
        "title": alert["title"],
        "description": alert["description"],
        "due_at": alert["sla_deadline"],
        "priority": max(priority, wanted, key=PRIORITIES.index),
    }


def _said(what: str, note: str) -> str:
    return f"{what}: {note}" if note else what

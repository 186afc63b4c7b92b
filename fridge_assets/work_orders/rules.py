"""How a work order follows the incident that asked for it (SPEC 6).

Orders are mappings of WORK_ORDERS columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fridge_assets.contracts.work_orders import PRIORITIES
from fridge_assets.core.identity import deterministic_id

Row = Mapping[str, Any]
Schedule = tuple[datetime, datetime]
"""When work begins and when it ends, timezone-aware."""

_PRIORITY: Final = {"CRITICAL": "urgent", "HIGH": "normal"}
"""Severities that ask for work by themselves."""
_NEWS: Final = ("reopen", "undo")
"""Actions after which an order stands as it does because of them, even where nothing else about it changes."""


@dataclass(frozen=True)
class Trouble:
    """What an order says of its incident.

    Args:
        incident_id: the incident.
        device_id: device.
        site_id: site it stands in.
        severity: how urgent.
        title: one line.
        description: sentences for a technician.
        due_at: its deadline.
        is_open: whether it is work for somebody.
    """

    incident_id: str
    device_id: str
    site_id: str
    severity: str
    title: str
    description: str
    due_at: datetime
    is_open: bool


@dataclass(frozen=True)
class Change:
    """What happened to an incident that names an order.

    Args:
        trouble: the incident after it.
        action: what happened, of INCIDENT_ACTIONS.
        from_status: status before; None for a new incident.
        actor: who did it.
        note: why.
        at: when.
        asks: whether it names the order after it; not where that was taken back.
    """

    trouble: Trouble
    action: str
    from_status: str | None
    actor: str
    note: str
    at: datetime
    asks: bool = True


def order_id_of(incident_id: str) -> str:
    """The same for the same incident, always."""
    return deterministic_id("work_order", incident_id)


def followed(order: Row | None, change: Change) -> dict[str, Any] | None:
    """The order as it is after what happened to its incident.

    Args:
        order: as it was; None when there is none yet.
        change: of the incident.

    Returns:
        The order, equal to ``order`` when it stays as it is; None when there is none and none is needed.
    """
    if not change.asks:
        return None if order is None else dict(order) | {"status": "cancelled", "reason": change.note}
    if change.trouble.is_open:
        return _opened(change) if order is None else _goes_on(order, change)
    if order is None or order["status"] != "open":
        return None if order is None else dict(order)
    return dict(order) | _ended(order, change)


def dated(order: Row, actor: str, schedule: Schedule | None) -> dict[str, Any]:
    """The order with a date; without one for None."""
    if schedule is None:
        return dict(order) | {"scheduled_from": None, "scheduled_to": None, "reason": f"{actor} took its date back"}
    begins, ends = schedule
    reason = f"{actor} scheduled it for {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC"
    return dict(order) | {"scheduled_from": begins, "scheduled_to": ends, "reason": reason}


def _opened(change: Change) -> dict[str, Any]:
    """The first revision of an order."""
    trouble = change.trouble
    return {
        "work_order_id": order_id_of(trouble.incident_id),
        "device_id": trouble.device_id,
        "site_id": trouble.site_id,
        "requested_by": change.actor,
        "created_at": change.at,
        "scheduled_from": None,
        "scheduled_to": None,
        "updated_at": change.at,
        "revision": 1,
        "delivered_revision": 0,
        "attempts": 0,
        "next_attempt_at": None,
        "last_error": "",
        "delivered_to": "",
        "external_reference": "",
        **_of_trouble(trouble, PRIORITIES[0]),
        "reason": f"{change.actor} asked for it" if change.action == "maintain" else change.note,
    }


def _goes_on(order: Row, change: Change) -> dict[str, Any]:
    values = _of_trouble(change.trouble, order["priority"])
    new = change.action in _NEWS or any(order[name] != values[name] for name in ("status", "priority"))
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
            note = f"{change.note}; somebody had taken it: `incidents confirm` or `false-positive` ends it"
            return {"reason": note}


def _of_trouble(trouble: Trouble, priority: str) -> dict[str, Any]:
    """What an open order says of its incident; it never becomes less urgent."""
    wanted = _PRIORITY.get(trouble.severity, PRIORITIES[0])
    return {
        "incident_id": trouble.incident_id,
        "status": "open",
        "title": trouble.title,
        "description": trouble.description,
        "due_at": trouble.due_at,
        "priority": max(priority, wanted, key=PRIORITIES.index),
    }


def _said(what: str, note: str) -> str:
    return f"{what}: {note}" if note else what

"""Work orders in the operations store: they change together with the alerts that they are for (SPEC 6)."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS, WORK_ORDERS
from fridge_assets.stores.beginnings import Ids, id_beginning_with
from fridge_assets.stores.operations import work_orders
from fridge_assets.work_orders.rules import Change, Row, Schedule, dated, followed, leading, opened, order_id_of

DELIVERY = ("delivered_revision", "attempts", "next_attempt_at", "last_error", "delivered_to", "external_reference")
"""Columns that say how the handing over goes; the others are what is handed over."""

_FIXED = ("work_order_id", "device_id", "site_id", "requested_by", "created_at")
_CONTENT = [n for n in WORK_ORDERS.column_names if n not in (*_FIXED, *DELIVERY, "updated_at", "revision")]
_PIECE = 500
"""Orders that one query names."""

_IDS = Ids(work_orders.c.work_order_id, "order", "work-orders list")


def follow(connection: Connection, alerts: pd.DataFrame, events: pd.DataFrame) -> None:
    """Open, change and close the orders of changed alerts, in the transaction that stores these; again changes nothing.

    Args:
        connection: of that transaction.
        alerts: DEVICE_ALERTS rows after the change; those without an order are passed over.
        events: ALERT_EVENTS rows of the change, one or more for each alert.
    """
    asking = alerts[alerts["ontology_action_id"].notna()]
    if asking.empty:
        return
    newest = {event["alert_id"]: event for event in ALERT_EVENTS.to_arrow(events.sort_values("revision")).to_pylist()}
    changes: dict[str, list[Change]] = defaultdict(list)
    for alert in DEVICE_ALERTS.to_arrow(asking).to_pylist():
        changes[alert["ontology_action_id"]].append(_change(alert, newest[alert["alert_id"]]))
    known = _locked(connection, changes)
    written: list[tuple[Row | None, Row, datetime]] = []
    for order_id, of_order in sorted(changes.items()):
        order = known.get(order_id)
        change = leading(of_order, None if order is None else order["alert_id"])
        after = None if change is None else followed(order, change)
        if change is not None and after is not None:
            written.append((order, after, change.at))
    _write(connection, written)


def ensure_order(
    connection: Connection,
    alert: "Mapping[str, Any] | pd.Series[Any]",
    requested_by: str,
    now: datetime,
    scheduled: Schedule | None = None,
) -> str:
    """Make sure that an active alert has an order, and give it a date.

    Args:
        connection: of the transaction that stores the alert with the id that comes back.
        alert: DEVICE_ALERTS columns by name, of any severity.
        requested_by: a person's name.
        now: when it is asked for.
        scheduled: when the work begins and ends; None to leave that as it is.

    Returns:
        Id of the order.
    """
    (row,) = DEVICE_ALERTS.to_arrow(pd.DataFrame([dict(alert)])).to_pylist()
    order_id = row["ontology_action_id"] or order_id_of(row["alert_id"])
    before = _locked(connection, [order_id]).get(order_id)
    after = before or opened(row, order_id, requested_by, f"{requested_by} asked for it", now)
    if scheduled is not None:
        after = dated(after, row, requested_by, scheduled)
    _write(connection, [(before, after, now)])
    return str(order_id)


def list_orders(connection: Connection, status: str | None = None, limit: int = 100) -> pd.DataFrame:
    """WORK_ORDERS rows, the urgent ones first, then by deadline.

    Args:
        connection: to read with.
        status: only with this status.
        limit: at most this many.
    """
    columns = work_orders.c
    # By name `urgent` comes after `normal`, `open` after `done` and `cancelled`.
    query = sa.select(work_orders).order_by(
        columns.status.desc(), columns.priority.desc(), columns.due_at, columns.work_order_id
    )
    if status is not None:
        query = query.where(columns.status == status)
    return _frame(connection, query.limit(limit))


def find_order(connection: Connection, beginning: str) -> pd.DataFrame:
    """The WORK_ORDERS row whose id begins with ``beginning``.

    Raises:
        UnknownName: there is none, or more than one, or it is too short to be meant.
    """
    identity = id_beginning_with(connection, _IDS, beginning)
    return _frame(connection, sa.select(work_orders).where(work_orders.c.work_order_id == identity))


def _change(alert: Row, event: Row) -> Change:
    return Change(alert, event["action"], event["from_status"], event["actor"], event["note"], event["occurred_at"])


def _locked(connection: Connection, order_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for piece in _pieces(order_ids):
        query = sa.select(work_orders).where(work_orders.c.work_order_id.in_(piece)).with_for_update()
        found |= {row["work_order_id"]: dict(row) for row in connection.execute(query).mappings()}
    return found


def _write(connection: Connection, changes: Collection[tuple[Row | None, Row, datetime]]) -> None:
    """Insert orders that were none before, and count the others up where what they say has changed."""
    new = [dict(after) for before, after, _ in changes if before is None]
    if new:
        connection.execute(sa.insert(work_orders), new)
    updates = [
        {"key": after["work_order_id"], **{f"new_{name}": after[name] for name in _CONTENT}, "at": at}
        for before, after, at in changes
        if before is not None and any(before[name] != after[name] for name in _CONTENT)
    ]
    if updates:
        values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in _CONTENT}
        statement = sa.update(work_orders).where(work_orders.c.work_order_id == sa.bindparam("key"))
        counted = {"updated_at": sa.bindparam("at"), "revision": work_orders.c.revision + 1}
        connection.execute(statement.values(values | counted), updates)


def _pieces(ids: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    return (ordered[first : first + _PIECE] for first in range(0, len(ordered), _PIECE))


def _frame(connection: Connection, query: sa.Select[tuple[object, ...]]) -> pd.DataFrame:
    rows = connection.execute(query).all()
    frame: pd.DataFrame = WORK_ORDERS.to_arrow(pd.DataFrame(rows, columns=list(WORK_ORDERS.column_names))).to_pandas()
    return frame

"""Work orders in the operations store: they change together with the incidents that they are for (SPEC 6)."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts import WORK_ORDERS
from fridge_assets.stores.beginnings import Ids, id_beginning_with
from fridge_assets.stores.operations import work_orders
from fridge_assets.work_orders.rules import Change, Row, Schedule, dated, followed

if TYPE_CHECKING:  # people act as quickly as they type: only lists need pandas
    import pandas as pd

DELIVERY = ("delivered_revision", "attempts", "next_attempt_at", "last_error", "delivered_to", "external_reference")
"""Columns that say how the handing over goes; the others are what is handed over."""

_FIXED = ("work_order_id", "device_id", "site_id", "requested_by", "created_at")
_CONTENT = [n for n in WORK_ORDERS.column_names if n not in (*_FIXED, *DELIVERY, "updated_at", "revision")]
_PIECE = 500
"""Orders that one query names."""

_IDS = Ids(work_orders.c.work_order_id, "order", "work-orders list")


def follow(
    connection: Connection, changes: Mapping[str, Change], schedules: Mapping[str, Schedule | None] | None = None
) -> None:
    """Open, change and close orders, in the transaction that changes their incidents; again changes nothing.

    Args:
        connection: of that transaction.
        changes: order → what happened to its incident.
        schedules: order → when its work begins and ends, of those that get a date; None of those that lose theirs.
    """
    known = _locked(connection, changes)
    written: list[tuple[Row | None, Row, datetime]] = []
    for order_id, change in sorted(changes.items()):
        before = known.get(order_id)
        after = followed(before, change)
        if after is None:
            continue
        if schedules and order_id in schedules:
            after = dated(after, change.actor, schedules[order_id])
        written.append((before, after, change.at))
    _write(connection, written)


def list_orders(connection: Connection, status: str | None = None, limit: int = 100) -> "pd.DataFrame":
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


def find_order(connection: Connection, beginning: str) -> "pd.DataFrame":
    """The WORK_ORDERS row whose id begins with ``beginning``.

    Raises:
        UnknownName: there is none, or more than one, or it is too short to be meant.
    """
    identity = id_beginning_with(connection, _IDS, beginning)
    return _frame(connection, sa.select(work_orders).where(work_orders.c.work_order_id == identity))


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


def _frame(connection: Connection, query: sa.Select[tuple[object, ...]]) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415

    rows = connection.execute(query).all()
    frame: pd.DataFrame = WORK_ORDERS.to_arrow(pd.DataFrame(rows, columns=list(WORK_ORDERS.column_names))).to_pandas()
    return frame

"""Handing over the work orders that have changed: at least once each revision, urgent ones first (SPEC 6)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from fridge_assets.core.moments import retry_delay
from fridge_assets.settings import WorkOrderSettings
from fridge_assets.stores.operations import Operations, is_undelivered, work_orders
from fridge_assets.work_orders.receivers import NotTaken, Receipt, Receiver

_TIMEOUTS_PER_LEASE: Final = 3
"""Connecting, sending and answering may take one each."""
_columns = work_orders.c


@dataclass(frozen=True)
class DeliveryReport:
    """What one delivery did.

    Args:
        delivered: orders that were taken.
        failed: attempts that failed.
        waiting: orders whose newest revision still waits.
    """

    delivered: int = 0
    failed: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class Waiting:
    """What waits to be handed over.

    Args:
        orders: how many.
        since: since when the longest of them waits; None when there are none.
        reason: why its newest delivery failed; empty when it was not tried.
    """

    orders: int
    since: datetime | None
    reason: str


def deliver_orders(
    operations: Operations, receiver: Receiver, settings: WorkOrderSettings, wall_time: Callable[[], datetime]
) -> DeliveryReport:
    """Hand over what is due, until nothing is, the time budget is used up or the receiver fails.

    Safe to call from several processes at once: each takes an order for itself before it hands it over. Whoever finds
    an order that another took and never reported hands it over again, under the same key. A receiver that fails is left
    alone until the next delivery, since the other orders would meet the same.

    Args:
        operations: the store with the orders.
        receiver: what they are handed to.
        settings: patience and budget.
        wall_time: the actual time; not that of a run, which recorded data may set back.

    Raises:
        FridgeError: the store cannot be read or written.
    """
    report = DeliveryReport()
    deadline = time.monotonic() + settings.budget.total_seconds()
    while time.monotonic() < deadline:
        order = _claim(operations, wall_time(), _TIMEOUTS_PER_LEASE * settings.timeout)
        if order is None:
            break
        try:
            receipt = receiver.take(order)
        except NotTaken as error:
            report = replace(report, failed=report.failed + 1)
            _record_failure(operations, order, error, settings, wall_time())
            if not error.refused:
                break
        else:
            report = replace(report, delivered=report.delivered + 1)
            _record_success(operations, order, receipt)
    return replace(report, waiting=waiting(operations).orders)


def waiting(operations: Operations) -> Waiting:
    """Orders whose newest revision was not handed over yet."""
    since = sa.case((_columns.delivered_revision == 0, _columns.created_at), else_=_columns.updated_at)
    oldest = sa.select(since, _columns.last_error).where(is_undelivered).order_by(since).limit(1)
    with operations.read() as connection:
        number = connection.scalar(sa.select(sa.func.count()).select_from(work_orders).where(is_undelivered)) or 0
        first = connection.execute(oldest).one_or_none()
    return Waiting(number, *(first or (None, "")))


def _claim(operations: Operations, now: datetime, lease: timedelta) -> Mapping[str, Any] | None:
    """The first order that is due, as it is now, and nobody else's until the lease is over; None when none is due."""
    due = sa.and_(is_undelivered, sa.or_(_columns.next_attempt_at.is_(None), _columns.next_attempt_at <= now))
    # By name `urgent` comes after `normal`.
    first = (
        sa.select(work_orders)
        .where(due)
        .order_by(_columns.priority.desc(), _columns.created_at, _columns.work_order_id)
        .limit(1)
    )
    while True:
        with operations.transaction() as connection:
            order = connection.execute(first).mappings().one_or_none()
            if order is None:
                return None
            own = sa.update(work_orders).where(
                _columns.work_order_id == order["work_order_id"], _columns.revision == order["revision"], due
            )
            if connection.execute(own.values(next_attempt_at=now + lease)).rowcount == 1:
                return dict(order)
            # Another deliverer was faster: on PostgreSQL both may have read the same one.


def _record_success(operations: Operations, order: Mapping[str, Any], receipt: Receipt) -> None:
    """What the receiver has now is what it was handed last, even if that is not the newest: then it is due again."""
    known = {"external_reference": receipt.reference} if receipt.reference else {}
    row = sa.update(work_orders).where(_columns.work_order_id == order["work_order_id"])
    values = {
        "delivered_revision": order["revision"],
        "attempts": 0,
        "next_attempt_at": None,
        "last_error": "",
        "delivered_to": receipt.delivered_to,
    }
    with operations.transaction() as connection:
        connection.execute(row.values(values | known))


def _record_failure(
    operations: Operations, order: Mapping[str, Any], error: NotTaken, settings: WorkOrderSettings, now: datetime
) -> None:
    failures = order["attempts"] + 1
    wait = settings.max_retry if error.refused else error.retry_after or retry_delay(failures, settings)
    # Unless another deliverer has handed it over meanwhile.
    row = sa.update(work_orders).where(
        _columns.work_order_id == order["work_order_id"], _columns.delivered_revision < order["revision"]
    )
    others = sa.or_(_columns.next_attempt_at.is_(None), _columns.next_attempt_at < now + wait)
    with operations.transaction() as connection:
        connection.execute(row.values(attempts=failures, next_attempt_at=now + wait, last_error=error.reason))
        if error.retry_after is not None:  # it asks to be left alone, with whatever order
            connection.execute(sa.update(work_orders).where(is_undelivered, others).values(next_attempt_at=now + wait))

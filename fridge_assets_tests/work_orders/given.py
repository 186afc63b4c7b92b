"""Orders in the store, and what became of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fridge_assets.contracts import WORK_ORDERS
from fridge_assets.settings import Settings, WorkOrderSettings
from fridge_assets.stores.operations import Operations, work_orders
from fridge_assets.work_orders.deliver import DeliveryReport, deliver_orders
from fridge_assets.work_orders.receivers import receiver_of
from fridge_assets_tests.notifications.given import WallClock

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

_UNDELIVERED = {
    "priority": "normal", "status": "open", "title": "High pressure is 45 °C off", "created_at": NOON,
    "updated_at": NOON, "revision": 1, "delivered_revision": 0, "attempts": 0, "next_attempt_at": None,
    "last_error": "", "delivered_to": "", "external_reference": "", "scheduled_from": None, "scheduled_to": None,
}  # fmt: skip


def order_of(identity: str, **changed: object) -> dict[str, Any]:
    """A WORK_ORDERS row that was just made."""
    (row,) = WORK_ORDERS.to_arrow(WORK_ORDERS.sample(1)).to_pylist()
    return row | _UNDELIVERED | {"work_order_id": identity, "incident_id": f"incident of {identity}"} | changed


def store(operations: Operations, *orders: Mapping[str, Any]) -> None:
    with operations.transaction() as connection:
        connection.execute(sa.insert(work_orders), list(orders))


def change(operations: Operations, identity: str, **changed: object) -> None:
    """The next revision of an order."""
    row = sa.update(work_orders).where(work_orders.c.work_order_id == identity)
    with operations.transaction() as connection:
        connection.execute(row.values(revision=work_orders.c.revision + 1, **changed))


def stored(operations: Operations, identity: str = "a") -> dict[str, Any]:
    with operations.read() as connection:
        query = sa.select(work_orders).where(work_orders.c.work_order_id == identity)
        return dict(connection.execute(query).mappings().one())


def posting_to(settings: Settings, url: str, **changed: object) -> Settings:
    """``settings`` with a webhook that may take a second."""
    chosen = {"webhook_url": url, "timeout": timedelta(seconds=1), "webhook_token": "secret-token"} | changed
    return settings.model_copy(update={"work_orders": WorkOrderSettings.model_validate(chosen)})


def delivered(operations: Operations, settings: Settings, clock: WallClock) -> DeliveryReport:
    return deliver_orders(operations, receiver_of(settings), settings.work_orders, clock)

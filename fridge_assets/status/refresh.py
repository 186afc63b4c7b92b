"""Keeping the stored and the published status up to date, writing no more than what has changed (SPEC 1.8)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts import DEVICE_STATUS, SITE_STATUS, Contract
from fridge_assets.contracts.validation import enforce
from fridge_assets.incidents.queries import open_summary
from fridge_assets.settings import StalenessSettings
from fridge_assets.status.compute import refreshed_status, site_status
from fridge_assets.stores.frames import query, registered
from fridge_assets.stores.operations import Operations, status_due
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse, store_changed

_PIECE = 500
"""Events that one statement names."""


@dataclass(frozen=True)
class Refreshed:
    """What bringing the status up to date with the incidents has changed.

    Args:
        changed: dataset → rows that were written.
        devices: devices whose incidents had changed.
    """

    changed: dict[str, int]
    devices: int


def open_incidents(connection: Connection) -> pd.DataFrame:
    """``device_id``, ``open_alerts`` and ``worst_severity`` of devices with open incidents that no silence holds."""
    rows = [(device, count, worst) for device, (count, worst) in open_summary(connection).items()]
    return pd.DataFrame(rows, columns=["device_id", "open_alerts", "worst_severity"])


def due_events(connection: Connection) -> pd.DataFrame:
    """``event_id`` and ``device_id`` of the events of incidents that the status does not show yet."""
    rows = connection.execute(sa.select(status_due)).all()
    return pd.DataFrame(rows, columns=["event_id", "device_id"], dtype="str")


def is_due(connection: Connection) -> bool:
    """Whether an incident has changed since the status was made; one look, however many did."""
    return connection.execute(sa.select(status_due.c.event_id).limit(1)).first() is not None


def settle_events(connection: Connection, event_ids: Collection[str]) -> None:
    """Note in the transaction of ``connection`` that the status shows these events, and no others."""
    ordered = sorted(event_ids)
    for first in range(0, len(ordered), _PIECE):
        piece = ordered[first : first + _PIECE]
        connection.execute(sa.delete(status_due).where(status_due.c.event_id.in_(piece)))


def store_status(
    warehouse: Warehouse, published: Published, contract: Contract, rows: pd.DataFrame, *, whole: bool = True
) -> int:
    """Store the rows of a status that changed, and publish all of it if that differs from what is published.

    Args:
        warehouse: where it is stored.
        published: where other programs read it.
        contract: DEVICE_STATUS or SITE_STATUS.
        rows: its rows.
        whole: whether ``rows`` are all there are.

    Returns:
        Number of rows that were written or removed.

    Raises:
        ContractViolation: a row breaks the contract; nothing was written.
    """
    enforce(contract, rows)
    with warehouse.transaction() as connection:
        changed = store_changed(connection, contract, contract.to_arrow(rows), whole=whole)
        stored = rows if whole else query(connection, f"SELECT * FROM {contract.name} ORDER BY {contract.key[0]}")
    published.bring_up_to_date(contract, stored)
    return changed


def refresh_status(
    warehouse: Warehouse, operations: Operations, published: Published, now: datetime, settings: StalenessSettings
) -> Refreshed:
    """Bring the status of the devices whose incidents changed, and of their sites, up to date from what is stored.

    Args:
        warehouse: holds the status.
        operations: holds the incidents, and which of them changed.
        published: where other programs read the status.
        now: the clock.
        settings: staleness tiers.

    Raises:
        ContractViolation: a row breaks the contract; nothing of that dataset was written.
    """
    with operations.read() as connection:
        due = due_events(connection)
        open_alerts = open_incidents(connection)
    with warehouse.read() as stored, registered(stored, due=due):
        devices = query(
            stored,
            "SELECT * FROM device_status WHERE site_id IN (SELECT site_id FROM device_status SEMI JOIN due "
            "USING (device_id)) ORDER BY device_id",
        )
    devices = refreshed_status(devices, open_alerts, now, settings)
    made = ((DEVICE_STATUS, devices), (SITE_STATUS, site_status(devices)))
    changed = {c.name: store_status(warehouse, published, c, rows, whole=False) for c, rows in made}
    with operations.transaction() as connection:
        settle_events(connection, due["event_id"])
    return Refreshed(changed, due["device_id"].nunique())

"""The alerts that a store holds."""

import pandas as pd
import sqlalchemy as sa

from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.contracts.device_alerts import ACTIVE_STATUSES
from fridge_assets.incidents.observing.frames import conform
from fridge_assets.stores.operations import Operations, device_alerts


def stored_alerts(operations: Operations, *, active: bool = False, told: bool = False) -> pd.DataFrame:
    """DEVICE_ALERTS rows by window, device and source.

    Args:
        operations: where they are.
        active: only those of open incidents.
        told: only those that people were told of.
    """
    query = sa.select(device_alerts)
    if active:
        query = query.where(device_alerts.c.status.in_(ACTIVE_STATUSES))
    if told:
        query = query.where(device_alerts.c.suppressed.is_(sa.false()))
    with operations.read() as connection:
        rows = connection.execute(query).all()
    found = conform([pd.DataFrame(rows, columns=list(DEVICE_ALERTS.column_names))], DEVICE_ALERTS)
    return found.sort_values(["window_end", "device_id", "source"], ignore_index=True)

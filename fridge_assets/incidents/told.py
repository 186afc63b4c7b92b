"""What people were told of, as frames for those who count (SPEC 6.1)."""

from datetime import datetime

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.stores.operations import device_alerts


def told_alerts(connection: Connection, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """The alerts that people were told of.

    Args:
        connection: an open connection.
        since: made after this moment; None for all.
        until: made by this moment; None for all.

    Returns:
        DEVICE_ALERTS rows, by ``alert_id``.
    """
    columns = device_alerts.c
    query = sa.select(device_alerts).where(columns.suppressed.is_(sa.false()))
    if since is not None:
        query = query.where(columns.alert_created_at > since)
    if until is not None:
        query = query.where(columns.alert_created_at <= until)
    rows = connection.execute(query.order_by(columns.alert_id)).all()
    frame = pd.DataFrame(rows, columns=list(DEVICE_ALERTS.column_names))
    told: pd.DataFrame = DEVICE_ALERTS.to_arrow(frame).to_pandas()
    return told

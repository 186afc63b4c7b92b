"""What was found, in the warehouse (SPEC 8)."""

from datetime import datetime

import pandas as pd

from fridge_assets.contracts import MODEL_MONITORING
from fridge_assets.contracts.validation import enforce
from fridge_assets.settings import MonitoringSettings
from fridge_assets.stores.frames import query, registered
from fridge_assets.stores.warehouse import Warehouse


def commit_monitoring(warehouse: Warehouse, rows: pd.DataFrame) -> None:
    """Validate and store MODEL_MONITORING rows in one transaction, in place of what was found of the same before.

    Raises:
        ContractViolation: a row breaks its contract; nothing was written.
    """
    enforce(MODEL_MONITORING, rows)
    name, key = MODEL_MONITORING.name, ", ".join(MODEL_MONITORING.key)
    with warehouse.transaction() as connection, registered(connection, found=MODEL_MONITORING.to_arrow(rows)):
        connection.execute(f"DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM found)")
        connection.execute(f"INSERT INTO {name} SELECT * FROM found")


def monitoring_history(warehouse: Warehouse, now: datetime, settings: MonitoringSettings) -> pd.DataFrame:
    """MODEL_MONITORING rows of windows of the last ``monitoring.level_span``, oldest first; without the features'."""
    with warehouse.read() as connection:
        return query(
            connection,
            f"SELECT * FROM {MODEL_MONITORING.name} WHERE window_end > $since AND window_end <= $now "
            "AND metric NOT IN ('psi', 'ks') ORDER BY window_end, family, metric, subject",
            {"since": now - settings.level_span, "now": now},
        )

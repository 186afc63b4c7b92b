"""What the quality of alerts is computed from, and where it is stored (SPEC 6)."""

from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.alert_quality.precision import alert_quality
from fridge_assets.contracts import ALERT_QUALITY
from fridge_assets.contracts.validation import enforce
from fridge_assets.incidents.labels import labels_of
from fridge_assets.incidents.told import told_alerts
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query, registered
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse


def assess_alerts(warehouse: Warehouse, operations: Operations, now: datetime, settings: Settings) -> pd.DataFrame:
    """ALERT_QUALITY rows of the alerts that people were told of within ``quality.span`` before ``now``.

    Args:
        warehouse: holds the scores behind the alerts.
        operations: holds alerts and labels.
        now: what was created or labelled later does not count.
        settings: groups ``quality``, ``alerts`` and ``calibration``.
    """
    with operations.read() as connection:
        told = told_alerts(connection, now - settings.quality.span, now)
        labels = labels_of(connection, until=now)
    with warehouse.read() as connection:
        scores = _scores(connection, told)
    return alert_quality(told, labels, scores, now, settings)


def commit_quality(warehouse: Warehouse, rows: pd.DataFrame) -> None:
    """Validate and store ALERT_QUALITY rows in one transaction, in place of those computed for the same moment.

    Raises:
        ContractViolation: a row breaks its contract; nothing was written.
    """
    enforce(ALERT_QUALITY, rows)
    name = ALERT_QUALITY.name
    with warehouse.transaction() as connection, registered(connection, found=ALERT_QUALITY.to_arrow(rows)):
        connection.execute(f"DELETE FROM {name} WHERE computed_at IN (SELECT computed_at FROM found)")
        connection.execute(f"INSERT INTO {name} SELECT * FROM found")


def _scores(connection: duckdb.DuckDBPyConnection, told: pd.DataFrame) -> pd.DataFrame:
    wanted = told[["score_ids"]].explode("score_ids").dropna().astype("str")
    with registered(connection, wanted=wanted):
        return query(
            connection,
            "SELECT score_id, model_id, model_version, anomaly_score FROM model_scores "
            "SEMI JOIN wanted ON score_id = score_ids ORDER BY score_id",
        )

"""What the quality of alerts is computed from, and where it is stored (SPEC 6)."""

from datetime import datetime

import duckdb
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.frames import TIMESTAMP, conform
from fridge_assets.alerting.quality import alert_quality
from fridge_assets.contracts import ALERT_QUALITY, LABEL_EVENTS
from fridge_assets.contracts.validation import enforce
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query, registered
from fridge_assets.stores.operations import Operations, device_alerts, label_events
from fridge_assets.stores.warehouse import Warehouse

_TOLD = (
    "alert_id",
    "device_id",
    "first_detected_at",
    "severity",
    "source",
    "model_id",
    "anomaly_score",
    "models_flagging",
    "top_contributors",
    "score_ids",
)


def assess_alerts(warehouse: Warehouse, operations: Operations, now: datetime, settings: Settings) -> pd.DataFrame:
    """ALERT_QUALITY rows of the alerts that people were told of within ``quality.span`` before ``now``.

    Args:
        warehouse: holds the scores behind the alerts.
        operations: holds alerts and labels.
        now: what was created or labelled later does not count.
        settings: groups ``quality``, ``alerts`` and ``calibration``.
    """
    with operations.read() as connection:
        told = _told(connection, now - settings.quality.span, now)
        labels = _labels(connection, told["first_detected_at"].min(), now)
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


def _told(connection: Connection, since: datetime, until: datetime) -> pd.DataFrame:
    columns = device_alerts.c
    statement = sa.select(*(columns[name] for name in _TOLD)).where(
        columns.suppressed.is_(sa.false()), columns.alert_created_at > since, columns.alert_created_at <= until
    )
    rows = pd.DataFrame(connection.execute(statement.order_by(columns.alert_id)).all(), columns=list(_TOLD))
    return rows.astype({"first_detected_at": TIMESTAMP})


def _labels(connection: Connection, first_detected_at: datetime, until: datetime) -> pd.DataFrame:
    """Labels of episodes that began at ``first_detected_at`` or later; null, where there are no alerts, finds none."""
    columns = label_events.c
    if pd.isna(first_detected_at):
        return LABEL_EVENTS.empty()
    statement = sa.select(label_events).where(
        columns.first_detected_at >= first_detected_at, columns.labelled_at <= until
    )
    rows = connection.execute(statement).all()
    return conform([pd.DataFrame(rows, columns=list(LABEL_EVENTS.column_names))], LABEL_EVENTS)


def _scores(connection: duckdb.DuckDBPyConnection, told: pd.DataFrame) -> pd.DataFrame:
    wanted = told[["score_ids"]].explode("score_ids").dropna().astype("str")
    with registered(connection, wanted=wanted):
        return query(
            connection,
            "SELECT score_id, model_id, model_version, anomaly_score FROM model_scores "
            "SEMI JOIN wanted ON score_id = score_ids ORDER BY score_id",
        )

"""What alert generation reads from the warehouse: the latest scores, what came before, and what is usual."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query, registered

_USUAL_SPAN = timedelta(hours=24)
_PREVIOUS_SPAN = timedelta(hours=26)


@dataclass(frozen=True)
class AlertInputs:
    """Frames of one window for :func:`fridge_assets.alerting.generate.generate_alerts`."""

    scores: pd.DataFrame
    previous_scores: pd.DataFrame
    features: pd.DataFrame
    typical: pd.DataFrame


def read_alert_inputs(
    connection: duckdb.DuckDBPyConnection, window_end: datetime, registry: pd.DataFrame, settings: Settings
) -> AlertInputs:
    """Read what is needed to turn the scores of ``window_end`` into alerts.

    Args:
        connection: an open warehouse connection.
        window_end: the latest scored window.
        registry: ``device_id`` and ``cohort`` of the fleet.
        settings: how many windows without a flag resolve an alert.
    """
    scores = query(
        connection,
        "SELECT * FROM model_scores WHERE window_end = $window ORDER BY ALL",
        {"window": window_end},
    )
    previous = query(
        connection,
        "SELECT device_id, window_end, bool_or(anomaly_flag) AS flagged FROM model_scores "
        "WHERE window_end < $window AND window_end >= $since GROUP BY device_id, window_end "
        "QUALIFY row_number() OVER (PARTITION BY device_id ORDER BY window_end DESC) <= $windows",
        {
            "window": window_end,
            "since": window_end - _PREVIOUS_SPAN,
            "windows": settings.alerts.resolve_after_windows - 1,
        },
    )
    flagged = scores.loc[scores["anomaly_flag"], ["device_id"]].drop_duplicates()
    devices = flagged.merge(registry[["device_id", "cohort"]], on="device_id", how="left")
    with registered(connection, devices=devices, registry=registry[["device_id", "cohort"]]):
        features = query(
            connection,
            "SELECT f.* FROM device_features f SEMI JOIN devices USING (device_id) WHERE window_end = $window",
            {"window": window_end},
        )
        typical = _typical(connection, window_end)
    return AlertInputs(scores, previous, features, typical)


def _typical(connection: duckdb.DuckDBPyConnection, window_end: datetime) -> pd.DataFrame:
    """Of each of ``devices`` the median of its own day before the window; where it has none, its cohort's in it."""
    own = ", ".join(f"median(f.{name}) AS {name}" for name in MODEL_FEATURES)
    either = ", ".join(f"coalesce(own.{name}, cohorts.{name}) AS {name}" for name in MODEL_FEATURES)
    return query(
        connection,
        f"""
WITH own AS (
  SELECT device_id, {own} FROM device_features f SEMI JOIN devices USING (device_id)
  WHERE window_end < $window AND window_end >= $since GROUP BY device_id
),
cohorts AS (
  SELECT cohort, {own} FROM device_features f JOIN registry USING (device_id)
  WHERE window_end = $window AND cohort IN (SELECT cohort FROM devices) GROUP BY cohort
)
SELECT device_id, {either}
FROM devices LEFT JOIN own USING (device_id) LEFT JOIN cohorts USING (cohort) ORDER BY device_id
""",
        {"window": window_end, "since": window_end - _USUAL_SPAN},
    )

"""Windows that a model must not learn from, because the version before called them anomalous (SPEC 2.1)."""

from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.models.families import FAMILY_SQL
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query


def flagged_windows(
    connection: duckdb.DuckDBPyConnection, family: str, now: datetime, settings: Settings
) -> pd.DataFrame:
    """``device_id`` and ``window_end`` that ``family`` flagged within the training history, strangest first.

    They are at most ``training.max_self_cleaning`` of what it scored: where it flags more, the fleet has changed,
    and a model that left all of that out would never learn it.

    Args:
        connection: an open warehouse connection.
        family: model family.
        now: windows that end later are not looked at.
        settings: group ``training``.
    """
    return query(
        connection,
        f"""
WITH scored AS (
  SELECT device_id, window_end, anomaly_score, anomaly_flag FROM model_scores
  WHERE {FAMILY_SQL} = $family AND window_end > $since AND window_end <= $now
)
SELECT device_id, window_end FROM scored WHERE anomaly_flag
QUALIFY row_number() OVER (ORDER BY anomaly_score DESC, device_id, window_end)
  <= $share * (SELECT count(*) FROM scored)
ORDER BY anomaly_score DESC, device_id, window_end
""",
        {
            "family": family,
            "since": now - settings.training.history,
            "now": now,
            "share": settings.training.max_self_cleaning,
        },
    )

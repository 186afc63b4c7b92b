"""What every model family says now: this window's scores, and the daily models' latest while young enough (SPEC 6)."""

from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.models.families import FAMILY_SQL, HOURLY_SQL
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query


def current_scores(connection: duckdb.DuckDBPyConnection, window_end: datetime, settings: Settings) -> pd.DataFrame:
    """MODEL_SCORES rows that count for ``window_end``, one per device and family, in a fixed order.

    A daily model speaks for a day: where it has not scored this window, its latest row counts as if it were of this
    window while its own ended less than ``staleness.daily_expired`` before.

    Args:
        connection: an open warehouse connection.
        window_end: the window.
        settings: groups ``staleness`` and ``features``.

    Returns:
        MODEL_SCORES columns, ``window_start`` and ``window_end`` those of this window, and ``carried_from``: end of
        the window that a daily model scored, null for this window's own rows.
    """
    return query(
        connection,
        f"""
WITH own AS (SELECT * FROM model_scores WHERE window_end = $window),
daily AS (
  SELECT * FROM model_scores AS earlier
  WHERE window_end < $window AND window_end > $since AND NOT {HOURLY_SQL}
    AND NOT EXISTS (SELECT 1 FROM own WHERE own.device_id = earlier.device_id AND own.model_id = earlier.model_id)
  QUALIFY row_number() OVER (PARTITION BY device_id, {FAMILY_SQL} ORDER BY window_end DESC, model_id) = 1
)
SELECT *, NULL::TIMESTAMPTZ AS carried_from FROM own
UNION ALL
SELECT * REPLACE ($start AS window_start, $window AS window_end), window_end AS carried_from FROM daily
ORDER BY ALL
""",
        {
            "window": window_end,
            "start": window_end - settings.features.window,
            "since": window_end - settings.staleness.daily_expired,
        },
    )

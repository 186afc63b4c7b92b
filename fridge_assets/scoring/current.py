"""What every family says now: this window's scores, and earlier ones that still stand (SPEC 4, 6)."""

from collections.abc import Collection
from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.models.families import FAMILY_SQL, HOURLY_SQL, SPEAKING_SQL
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query


def current_scores(
    connection: duckdb.DuckDBPyConnection, window_end: datetime, settings: Settings, paused: Collection[str] = ()
) -> pd.DataFrame:
    """MODEL_SCORES rows that count for ``window_end``, one per device and family, in a fixed order.

    A daily model speaks for a day: where it has not scored this window, its latest row counts as if it were of this
    window while its own ended less than ``staleness.daily_expired`` before. An hourly model that has not scored this
    window at all, because it crashed, is still believed until its scores are very stale.

    Args:
        connection: an open warehouse connection.
        window_end: the window.
        settings: groups ``staleness`` and ``features``.
        paused: families that do not count.

    Returns:
        MODEL_SCORES columns, ``window_start`` and ``window_end`` those of this window; ``carried_from``: end of
        the window that was scored instead, null for this window's own rows; ``provisional``: what little the version
        has seen, empty where it is not provisional.
    """
    return query(
        connection,
        f"""
WITH speaking AS (
  SELECT *, {FAMILY_SQL} AS family, {HOURLY_SQL} AS hourly FROM model_scores
  WHERE window_end <= $window AND window_end > $daily_since AND {SPEAKING_SQL}
),
provisional AS (
  SELECT model_id, model_version, max(provisional) AS provisional FROM score_runs GROUP BY ALL
),
own AS (SELECT * FROM speaking WHERE window_end = $window),
earlier AS (
  SELECT * FROM speaking
  WHERE window_end < $window AND CASE
    WHEN hourly THEN window_end > $hourly_since AND NOT EXISTS (SELECT 1 FROM own WHERE own.family = speaking.family)
    ELSE NOT EXISTS (SELECT 1 FROM own WHERE own.device_id = speaking.device_id AND own.family = speaking.family)
  END
  QUALIFY row_number() OVER (PARTITION BY device_id, family ORDER BY window_end DESC, model_id) = 1
)
SELECT current.*, coalesce(provisional, '') AS provisional FROM (
  SELECT * EXCLUDE (family, hourly), NULL::TIMESTAMPTZ AS carried_from FROM own
  UNION ALL
  SELECT * EXCLUDE (family, hourly) REPLACE ($start AS window_start, $window AS window_end), window_end AS carried_from
  FROM earlier
) AS current LEFT JOIN provisional USING (model_id, model_version)
ORDER BY ALL
""",
        {
            "window": window_end,
            "start": window_end - settings.features.window,
            "daily_since": window_end - settings.staleness.daily_expired,
            "hourly_since": window_end - settings.staleness.very_stale,
            "paused": sorted(paused),
        },
    )

"""What is usual of a device at a time of day, which its features of a window are put beside."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.stores.frames import query

_DAYS = 7
"""A day is too short a memory: a fault that has grown for a day would pass for usual."""
_AROUND = timedelta(hours=1)
"""Around the same time of day, since ambient and doors move most features over the day."""


def usual_values(
    connection: duckdb.DuckDBPyConnection,
    window_end: datetime,
    window: timedelta,
    features: Sequence[str] = MODEL_FEATURES,
) -> pd.DataFrame:
    """Of each device its median at this time of day; else of its last day, hourly; else its cohort's.

    Windows of a device that sends seldom may all lie between the hours; its last day is then all of them.

    Args:
        connection: an open warehouse connection in which ``devices`` (``device_id``, ``cohort``) and ``registry`` (the
            same of the whole fleet) are registered.
        window_end: the window whose time of day counts.
        window: its length.
        features: of which features.

    Returns:
        ``device_id`` and ``features``, one row per row of ``devices``.
    """
    around = range(-(_AROUND // window), _AROUND // window + 1)
    same_time = [window_end - timedelta(days=day) + n * window for day in range(1, _DAYS + 1) for n in around]
    hour = max(timedelta(hours=1) // window, 1) * window  # window ends are multiples of the window
    last_day = [window_end - n * hour for n in range(1, timedelta(days=1) // hour + 1)]
    medians = ", ".join(f"median(f.{name}) AS {name}" for name in features)
    first = ", ".join(
        f"coalesce(own.{name}, lately.{name}, seldom.{name}, peers.{name}) AS {name}" for name in features
    )
    return query(
        connection,
        f"""
WITH own AS (
  SELECT device_id, {medians} FROM device_features f SEMI JOIN devices USING (device_id)
  WHERE window_end IN (SELECT unnest($same_time)) GROUP BY device_id
),
lately AS (
  SELECT device_id, {medians} FROM device_features f SEMI JOIN devices USING (device_id)
  WHERE window_end IN (SELECT unnest($last_day)) GROUP BY device_id
),
seldom AS (
  SELECT device_id, {medians} FROM device_features f SEMI JOIN (FROM devices ANTI JOIN lately USING (device_id))
    USING (device_id)
  WHERE window_end < $window AND window_end >= $day_before GROUP BY device_id
),
peers AS (
  SELECT cohort, {medians} FROM device_features f JOIN registry USING (device_id)
  WHERE window_end = $window AND cohort IN (SELECT cohort FROM devices) GROUP BY cohort
)
SELECT device_id, {first}
FROM devices LEFT JOIN own USING (device_id) LEFT JOIN lately USING (device_id) LEFT JOIN seldom USING (device_id)
  LEFT JOIN peers USING (cohort)
ORDER BY device_id
""",
        {
            "window": window_end,
            "same_time": same_time,
            "last_day": last_day,
            "day_before": window_end - timedelta(days=1),
        },
    )

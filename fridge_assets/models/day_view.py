"""Days instead of windows: the means of a device's last 24 h, the same in training and scoring (SPEC 2.1)."""

from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES, OWN_COMPLETENESS_SQL
from fridge_assets.core.exact_sums import FEATURE_PARTS, mean_sql, parts_sql
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query, registered

_LARGEST = 10_000_000
"""No feature is larger."""


def _mean(feature: str) -> str:
    parts = f"CASE WHEN abs(f.{feature}) <= {_LARGEST} THEN {parts_sql(f'f.{feature}', FEATURE_PARTS)} END"
    return f"{mean_sql(parts, FEATURE_PARTS)} AS {feature}"


_MEANS = ", ".join(_mean(feature) for feature in MODEL_FEATURES)

# A day lies in two spans of its length, so that the join has a key in time too: by device alone each end would meet
# all windows that the device ever had.
_QUERY = f"""
    WITH ends AS (
        SELECT device_id, window_end, unnest([span, span - 1]) AS span
        FROM (SELECT *, (epoch_us(window_end) // $length)::BIGINT AS span FROM day_ends)
    ),
    windows AS (
        SELECT *, (epoch_us(window_end) // $length)::BIGINT AS span FROM device_features
        WHERE {OWN_COMPLETENESS_SQL} >= $min_completeness
          AND window_end <= (SELECT max(window_end) FROM day_ends)
          AND window_end > (SELECT min(window_end) FROM day_ends) - $day
    )
    SELECT device_id, ends.window_end, count(*) AS windows, {_MEANS}
    FROM windows f JOIN ends USING (device_id, span)
    WHERE f.window_end <= ends.window_end AND f.window_end > ends.window_end - $day
    GROUP BY device_id, ends.window_end
    ORDER BY device_id, ends.window_end
"""

# Where all days end together no join has to carry the features of every window along: a third of the time.
_LATEST_QUERY = f"""
    SELECT device_id, count(*) AS windows, {_MEANS}
    FROM device_features f SEMI JOIN day_devices USING (device_id)
    WHERE {OWN_COMPLETENESS_SQL} >= $min_completeness AND window_end <= $end AND window_end > $end - $day
    GROUP BY device_id
    ORDER BY device_id
"""


def day_means(connection: duckdb.DuckDBPyConnection, ends: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The mean of each feature over the windows of the day up to ``window_end``, null where all of them are.

    Windows with a completeness below ``scoring.min_completeness`` do not count, nor do values beyond ten million,
    which no sensor gives. A fleet that has not run for a day yet has the mean of what there is.

    Args:
        connection: an open connection with the table ``device_features``.
        ends: ``device_id`` and ``window_end``, unique pairs.
        settings: groups ``dbscan`` and ``scoring``.

    Returns:
        ``device_id``, ``window_end``, ``windows`` (that the means are of) and MODEL_FEATURES, ordered by device and
        time; no row for a pair without windows.
    """
    length = round(settings.dbscan.day.total_seconds() * 1_000_000)
    with registered(connection, day_ends=ends[["device_id", "window_end"]]):
        return query(connection, _QUERY, {"length": length, **_span(settings)})


def latest_day_means(
    connection: duckdb.DuckDBPyConnection, window_end: datetime, devices: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """:func:`day_means` to the bit, of days that all end at ``window_end``.

    Args:
        connection: an open connection with the table ``device_features``.
        window_end: end of the days.
        devices: ``device_id`` of the devices.
        settings: groups ``dbscan`` and ``scoring``.

    Returns:
        ``device_id``, ``windows`` and MODEL_FEATURES, ordered by device; no row for a device without windows.
    """
    with registered(connection, day_devices=devices[["device_id"]]):
        return query(connection, _LATEST_QUERY, {"end": window_end, **_span(settings)})


def _span(settings: Settings) -> dict[str, object]:
    return {"day": settings.dbscan.day, "min_completeness": settings.scoring.min_completeness}

"""The window that speaks for a device at a moment: one that sends seldom has none in most quarters of an hour."""

from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.features.interval import intervals_sql
from fridge_assets.settings import FeatureSettings
from fridge_assets.stores.frames import query, registered


def latest_rows(
    connection: duckdb.DuckDBPyConnection, window_end: datetime, devices: pd.DataFrame, settings: FeatureSettings
) -> pd.DataFrame:
    """The features that speak for each device at ``window_end``.

    They are those of the window that ends then. A device that has none, and whose measured interval is as long as a
    window or longer, is spoken for by its newest window while its next reading is not due: until its interval has
    passed since the window's end.

    Args:
        connection: an open warehouse connection.
        window_end: end of a window.
        devices: ``device_id`` of the devices that are asked for.
        settings: group ``features``.

    Returns:
        DEVICE_FEATURES columns, at most one row per device, in order of device; ``window_start`` and ``window_end`` are
        the row's own.
    """
    with registered(connection, asked=devices[["device_id"]]):
        silent = query(
            connection,
            "SELECT device_id FROM asked ANTI JOIN (SELECT device_id FROM device_features WHERE window_end = $window) "
            "USING (device_id)",
            {"window": window_end},
        )
        with registered(connection, seldom=_newest_of_seldom(connection, window_end, silent, settings)):
            return query(
                connection,
                "SELECT * FROM device_features SEMI JOIN asked USING (device_id) WHERE window_end = $window "
                "UNION ALL SELECT * FROM device_features SEMI JOIN seldom USING (device_id, window_end) "
                "WHERE window_end < $window AND window_end >= $since ORDER BY device_id",
                {"window": window_end, "since": window_end - settings.longest_interval},
            )


def _newest_of_seldom(
    connection: duckdb.DuckDBPyConnection, window_end: datetime, silent: pd.DataFrame, settings: FeatureSettings
) -> pd.DataFrame:
    """``device_id`` and ``window_end`` of the newest windows of those ``silent`` devices that do not owe a reading."""
    windows = (
        "(SELECT * FROM device_features SEMI JOIN silent USING (device_id) "
        "WHERE window_end < $window AND window_end > $since)"
    )
    with registered(connection, silent=silent):
        return query(
            connection,
            f"SELECT device_id, max(window_end) AS window_end FROM {windows} "
            f"JOIN ({intervals_sql(settings, windows)}) USING (device_id) WHERE interval >= $length "
            "GROUP BY device_id, interval HAVING epoch($window) - epoch(max(window_end)) <= interval",
            {
                "window": window_end,
                "since": window_end - settings.interval_span,
                "length": settings.window.total_seconds(),
            },
        )

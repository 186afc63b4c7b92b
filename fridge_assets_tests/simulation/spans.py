"""Spans of time that the simulator's tests share."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from fridge_assets.simulation import Fleet

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def frame_of(fleet: Fleet, start: datetime, end: datetime) -> pd.DataFrame:
    """Readings of ``fleet`` with device and device time as index."""
    return fleet.readings(start, end).to_pandas().set_index(["device_id", "timestamp_device"]).sort_index()

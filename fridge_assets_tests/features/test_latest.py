"""Which window speaks for a device in a run: one that sends seldom has none in most quarters of an hour."""

from collections.abc import Iterable
from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.features.latest import latest_rows
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.staleness.given import MINUTE, NOON, WINDOW

HOURLY = range(45, 12 * 60, 60)
"""Ages in minutes of the windows of a device that sends seven minutes past each hour."""


def store(warehouse: Warehouse, ages: Iterable[float], readings: int = 1) -> None:
    """Windows of a device that ended so many minutes before noon."""
    ends = [NOON - age * MINUTE for age in ages]
    rows = DEVICE_FEATURES.sample(len(ends)).assign(
        device_id="d1", window_end=pd.Series(ends, dtype="datetime64[us, UTC]"), reading_count=readings
    )
    rows["window_start"] = rows["window_end"] - WINDOW
    with warehouse.transaction() as connection, registered(connection, rows=DEVICE_FEATURES.to_arrow(rows)):
        columns = ", ".join(DEVICE_FEATURES.column_names)
        connection.execute(f"INSERT INTO device_features ({columns}) SELECT {columns} FROM rows")


def age(warehouse: Warehouse, settings: Settings, later: timedelta = timedelta(0)) -> float | None:
    """How many minutes before a run's window the one ended that speaks for the device; None where none does."""
    asked = pd.DataFrame({"device_id": ["d1"]})
    with warehouse.read() as connection:
        rows = latest_rows(connection, NOON + later, asked, settings.features)
    return None if rows.empty else float((NOON + later - rows["window_end"].iloc[0]) / MINUTE)


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        pytest.param(range(0, 240, 15), 0, id="every window"),
        pytest.param(HOURLY, 45, id="hourly, just after the hour"),
        pytest.param(range(0, 720, 60), 0, id="hourly, just before the hour"),
        pytest.param([minute for minute in range(0, 720, 15) if minute % 60], 15, id="every twenty minutes"),
        pytest.param(range(15, 240, 15), 15, id="every quarter of an hour, a little late"),
        pytest.param(range(15, 720, 30), 15, id="every half an hour"),
        pytest.param(range(45, 720, 30), None, id="every half an hour, and one is missing"),
        pytest.param([45, 105], 45, id="hourly, since an hour"),
        pytest.param([15], 15, id="its first reading"),
        pytest.param([45], None, id="its only reading, long ago"),
        pytest.param([], None, id="never"),
    ],
)
def test_a_device_is_spoken_for_until_its_next_reading_is_due(
    warehouse: Warehouse, settings: Settings, ages: Iterable[float], expected: float | None
) -> None:
    store(warehouse, ages)
    assert age(warehouse, settings) == expected


@pytest.mark.parametrize(("minutes", "expected"), [(15, 60), (30, None)])
def test_an_hourly_device_falls_silent_when_an_hour_has_passed(
    warehouse: Warehouse, settings: Settings, minutes: int, expected: float | None
) -> None:
    store(warehouse, HOURLY)
    assert age(warehouse, settings, minutes * MINUTE) == expected


def test_the_last_window_of_a_device_that_sends_every_minute_speaks_for_no_later_one(
    warehouse: Warehouse, settings: Settings
) -> None:
    store(warehouse, range(15, 240, 15), readings=15)
    assert age(warehouse, settings) is None


@pytest.mark.parametrize(
    "ages",
    [
        pytest.param([*range(15, 60, 15), *range(300, 540, 15)], id="after many windows"),
        pytest.param([*range(15, 75, 15), *range(1380, 1425, 15)], id="after few windows"),
    ],
)
def test_a_silence_of_hours_is_no_interval(warehouse: Warehouse, settings: Settings, ages: Iterable[float]) -> None:
    store(warehouse, ages, readings=15)
    assert age(warehouse, settings) is None

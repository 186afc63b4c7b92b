"""What is usual of a device, which an alert is put beside."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.features.usual_values import usual_values
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse

NOW = datetime(2026, 3, 10, 14, tzinfo=UTC)
WINDOW = timedelta(minutes=15)
REGISTRY = pd.DataFrame({"device_id": ["d1", "d2", "d3"], "cohort": "c1"})


def store(warehouse: Warehouse, measured: dict[tuple[str, datetime], float]) -> None:
    """Windows of high-side pressures by device and window's end."""
    features = DEVICE_FEATURES.sample(len(measured))
    features["device_id"], features["window_end"] = zip(*measured, strict=True)
    features["window_start"] = features["window_end"] - WINDOW
    features["pressure_high_mean"] = list(measured.values())
    columns = ", ".join(DEVICE_FEATURES.column_names)
    with warehouse.transaction() as connection, registered(connection, features=features):
        connection.execute(f"INSERT INTO device_features ({columns}) SELECT {columns} FROM features")


def usual_pressures(warehouse: Warehouse) -> dict[str, float]:
    """Device → its usual high-side pressure, now."""
    with warehouse.read() as connection, registered(connection, devices=REGISTRY, registry=REGISTRY):
        usual = usual_values(connection, NOW, WINDOW, ["pressure_high_mean"])
    return usual.set_index("device_id")["pressure_high_mean"].to_dict()


def test_usual_is_the_devices_own_week_at_this_time_of_day(warehouse: Warehouse) -> None:
    week = {("d1", NOW - timedelta(days=day, minutes=45)): 1100.0 for day in range(2, 8)}
    faulty = {("d1", NOW - timedelta(days=1)): 1300.0, ("d1", NOW): 1400.0}
    hot_afternoons = {("d1", NOW - timedelta(days=day, hours=3)): 1900.0 for day in range(1, 8)}
    long_ago = {("d1", NOW - timedelta(days=day)): 500.0 for day in range(8, 20)}
    store(warehouse, week | faulty | hot_afternoons | long_ago)
    assert usual_pressures(warehouse)["d1"] == 1100.0


def test_a_device_of_some_hours_is_put_beside_them_and_a_new_one_beside_its_cohort(warehouse: Warehouse) -> None:
    hours = {("d2", NOW - timedelta(hours=hour)): 1000.0 + hour for hour in range(1, 4)}
    now = {("d1", NOW): 1200.0, ("d2", NOW): 1210.0, ("d3", NOW): 1900.0}
    store(warehouse, hours | now)
    usual = usual_pressures(warehouse)
    assert usual["d2"] == 1002.0
    assert usual["d3"] == 1210.0

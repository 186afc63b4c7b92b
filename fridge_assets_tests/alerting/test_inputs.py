"""What alert generation reads: the usual values that an alert is put beside."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from fridge_assets.alerting.inputs import read_alert_inputs
from fridge_assets.contracts import DEVICE_FEATURES, MODEL_SCORES
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse

NOW = datetime(2026, 3, 10, 14, tzinfo=UTC)
WINDOW = timedelta(minutes=15)
REGISTRY = pd.DataFrame({"device_id": ["d1", "d2", "d3"], "cohort": "c1"})


def store(warehouse: Warehouse, measured: dict[tuple[str, datetime], float]) -> None:
    """Windows of high-side pressures by device and window's end, and a flagged score now of every device."""
    features = DEVICE_FEATURES.sample(len(measured))
    features["device_id"], features["window_end"] = zip(*measured, strict=True)
    features["window_start"] = features["window_end"] - WINDOW
    features["pressure_high_mean"] = list(measured.values())
    scores = MODEL_SCORES.sample(3)
    scores["device_id"], scores["window_end"], scores["anomaly_flag"] = REGISTRY["device_id"], NOW, True
    with warehouse.transaction() as connection, registered(connection, features=features, scores=scores):
        for name, contract in (("features", DEVICE_FEATURES), ("scores", MODEL_SCORES)):
            columns = ", ".join(contract.column_names)
            connection.execute(f"INSERT INTO {contract.name} ({columns}) SELECT {columns} FROM {name}")


def usual_pressures(warehouse: Warehouse, settings: Settings) -> dict[str, float]:
    """Device → its usual high-side pressure, now."""
    with warehouse.read() as connection:
        typical = read_alert_inputs(connection, NOW, REGISTRY, settings).typical
    return typical.set_index("device_id")["pressure_high_mean"].to_dict()


def test_usual_is_the_devices_own_week_at_this_time_of_day(warehouse: Warehouse, settings: Settings) -> None:
    week = {("d1", NOW - timedelta(days=day, minutes=45)): 1100.0 for day in range(2, 8)}
    faulty = {("d1", NOW - timedelta(days=1)): 1300.0, ("d1", NOW): 1400.0}
    hot_afternoons = {("d1", NOW - timedelta(days=day, hours=3)): 1900.0 for day in range(1, 8)}
    long_ago = {("d1", NOW - timedelta(days=day)): 500.0 for day in range(8, 20)}
    store(warehouse, week | faulty | hot_afternoons | long_ago)
    assert usual_pressures(warehouse, settings)["d1"] == 1100.0


def test_a_device_of_some_hours_is_put_beside_them_and_a_new_one_beside_its_cohort(
    warehouse: Warehouse, settings: Settings
) -> None:
    hours = {("d2", NOW - timedelta(hours=hour)): 1000.0 + hour for hour in range(1, 4)}
    now = {("d1", NOW): 1200.0, ("d2", NOW): 1210.0, ("d3", NOW): 1900.0}
    store(warehouse, hours | now)
    usual = usual_pressures(warehouse, settings)
    assert usual["d2"] == 1002.0
    assert usual["d3"] == 1210.0

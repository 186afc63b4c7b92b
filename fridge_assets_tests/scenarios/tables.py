"""What two data folders hold, held against each other row by row."""

import pandas as pd
import sqlalchemy as sa
from pandas.api.types import is_float_dtype

from fridge_assets.stores.frames import query
from fridge_assets_tests.scenarios.contents import WALL_TIME, warehouse_tables
from fridge_assets_tests.scenarios.small_fleet import Place

_OF_DELIVERY = ("batch_id",)
"""Columns that come from the moment at which a file was delivered."""

_ALERTS = "SELECT alert_id, device_id, severity, anomaly_score, status FROM device_alerts"


def tables(place: Place) -> dict[str, pd.DataFrame]:
    """Every table of the warehouse, the clean readings and the alerts, without what is about the runs themselves."""
    found = {}
    folder = place.warehouse.clean_readings_folder()
    names = warehouse_tables(place)
    with place.warehouse.read() as connection:
        for name in names:
            found[name] = query(connection, f"SELECT * FROM {name}")
        files = found.pop("clean_reading_files", None)
        if files is not None and len(files):
            paths = [str(folder / path) for path in files["path"]]
            sql = f"SELECT * FROM read_parquet({paths}, hive_partitioning = false)"
            found["clean_sensor_readings"] = query(connection, sql)
    with place.operations.read() as connection:
        found["device_alerts"] = pd.read_sql(sa.text(_ALERTS), connection)
    return {name: frame.drop(columns=[*WALL_TIME, *_OF_DELIVERY], errors="ignore") for name, frame in found.items()}


def differences(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> list[str]:
    """Tables that differ in their rows, whatever their order, each in a few words; empty for none."""
    wrong = []
    for name in sorted(found.keys() | expected.keys()):
        if name not in found or name not in expected:
            wrong.append(f"{name} is in one folder only")
            continue
        try:
            pd.testing.assert_frame_equal(_in_order(found[name]), _in_order(expected[name]), check_exact=True)
        except AssertionError as difference:
            wrong.append(f"{name}: {' '.join(str(difference).split())[:200]}")
    return wrong


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    # By what is exact first: values that differ by rounding must not put rows into another order.
    exact = frame[[name for name in frame.columns if not is_float_dtype(frame[name])]].astype(str)
    keys = list(exact.itertuples(index=False, name=None))
    return frame.iloc[sorted(range(len(keys)), key=keys.__getitem__)].reset_index(drop=True)

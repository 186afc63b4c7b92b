"""Features of a few devices as a run leaves them, with everything usual but what a test says."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.registry.devices import complete_registry, with_cohort
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
USUAL = {
    "temp_evaporator_mean": -25.0,
    "vibration_compressor_max": 4.0,
    "pressure_low_mean": 200.0,
    "current_compressor_max": 14.0,
}

Values = dict[str, float | None]


def features_of(devices: dict[str, Values], window_end: datetime = NOON) -> pd.DataFrame:
    """DEVICE_FEATURES rows: device → the features in which it is not as usual."""
    rows = DEVICE_FEATURES.sample(len(devices)).assign(
        device_id=list(devices), window_start=pd.Timestamp(window_end - WINDOW), window_end=pd.Timestamp(window_end)
    )
    for name, usual in USUAL.items():
        values = [unusual.get(name, usual) for unusual in devices.values()]
        rows[name] = pd.Series(values, index=rows.index, dtype="float64")
    return rows


def store_features(warehouse: Warehouse, devices: dict[str, Values], window_end: datetime = NOON) -> None:
    """Put such rows in place of what is stored of that window."""
    rows = DEVICE_FEATURES.to_arrow(features_of(devices, window_end))
    columns = ", ".join(DEVICE_FEATURES.column_names)
    with warehouse.transaction() as connection, registered(connection, rows=rows):
        connection.execute("DELETE FROM device_features WHERE window_end = ?", [window_end])
        connection.execute(f"INSERT INTO device_features ({columns}) SELECT {columns} FROM rows")


def registry_of(*devices: str) -> pd.DataFrame:
    """DEVICE_REGISTRY rows with ``cohort``."""
    return with_cohort(
        complete_registry(pd.DataFrame({"device_id": devices, "site_id": [f"site of {d}" for d in devices]}), "r.csv")
    )


def store_run(
    warehouse: Warehouse,
    family: str,
    window_end: datetime,
    scored_at: datetime,
    *,
    published: bool = True,
    whole_fleet: bool = True,
) -> None:
    """Note a scoring of a window, as scoring and publishing do."""
    with warehouse.transaction() as connection:
        connection.execute(
            "INSERT INTO score_runs BY NAME SELECT $name AS score_run_id, $family AS family, "
            "$family || '_v1' AS model_id, '1.0.0' AS model_version, $window AS window_end, $at AS scored_at, "
            "1 AS rows, 0 AS flagged, 1 AS active_devices, '' AS left_out, $name AS run_id, $published AS published, "
            "$whole AS whole_fleet",
            {
                "name": f"{family} {window_end} {scored_at}",
                "family": family,
                "window": window_end,
                "at": scored_at,
                "published": published,
                "whole": whole_fleet,
            },
        )

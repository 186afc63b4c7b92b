"""What scoring starts from, read from a copy of the small fleet."""

from datetime import datetime

import pandas as pd

from fridge_assets.registry.devices import active_devices, read_registry, with_cohort
from fridge_assets.scoring.model_input import ModelInput, read_model_input
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import Place, hour

WINDOW = hour(FIRST_HOUR)


def fleet_of(place: Place) -> pd.DataFrame:
    registry = read_registry(place.root)
    assert registry is not None
    return active_devices(with_cohort(registry))


def model_input(place: Place, devices: pd.DataFrame | None = None, window: datetime = WINDOW) -> ModelInput:
    with place.warehouse.read() as connection:
        given = fleet_of(place) if devices is None else devices
        return read_model_input(connection, window, given, place.settings, "window")


def change(place: Place, sql: str, *parameters: object) -> None:
    with place.warehouse.transaction() as connection:
        connection.execute(sql, list(parameters))

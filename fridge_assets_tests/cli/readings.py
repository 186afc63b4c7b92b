"""One hour of the small fleet's readings, as other people's files might hold them."""

from pathlib import Path

import pandas as pd

from fridge_assets_tests.scenarios.small_fleet import Place

CELSIUS = ["temperature_evaporator", "temperature_condenser", "temperature_ambient", "temperature_discharge"]
_VALUES = "float64"


def readings(place: Place) -> pd.DataFrame:
    """The last delivered hour, with values as exact as text can carry them."""
    frame = pd.read_parquet(sorted(place.settings.landing_dir.glob("*.parquet"))[-1])
    numbers = frame.select_dtypes("float").columns
    return frame.astype(dict.fromkeys(numbers, _VALUES)).round(dict.fromkeys(numbers, 4))


def write_csv(place: Place, file: Path) -> Path:
    """Write the readings as CSV."""
    readings(place).to_csv(file, index=False)
    return file

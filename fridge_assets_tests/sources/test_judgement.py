"""Whether values fit the unit that they are said to be in."""

from pathlib import Path

import pytest

from fridge_assets.readings.look import look_at
from fridge_assets.settings import Settings
from fridge_assets.sources.source import Source
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.readings.deliveries import at


def judged(
    folder: Path, settings: Settings, columns: dict[str, list[float]], units: dict[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """Sensor → units that would fit, of the sensors whose own does not."""
    rows = zip(*columns.values(), strict=True)
    lines = [f"d1,{at(minute)},{','.join(map(str, row))}" for minute, row in enumerate(rows)]
    file = folder / "a.csv"
    file.write_text("\n".join([f"device_id,timestamp,{','.join(columns)}", *lines]) + "\n")
    look = look_at(file, Source(units=units or {}), Warehouse.from_settings(settings), None, settings.readings)
    return {misfit.sensor: misfit.units for misfit in look.misfits}


@pytest.mark.parametrize(
    ("sensor", "values", "units"),
    [
        ("temperature_condenser", [100.4, 104, 108], ("degF",)),
        ("temperature_ambient", [70, 71, 72], ("degF",)),
        ("pressure_low_side", [14.3, 20, 30], ("psig", "psi", "kPag")),
        ("pressure_high_side", [14.1, 15, 16], ("bar", "barg")),
        ("pressure_low_side", [60, 70.5, 80], ()),
        ("pressure_low_side", [-12, 30, 60], ("kPag",)),
        ("current_compressor", [11_800, 12_400, 0], ("mA",)),
        ("current_compressor", [58, 58.3, 60], ()),
        ("humidity", [0.45, 0.5, 1], ("fraction",)),
        ("humidity", [0, 45, 100], ()),
        ("vibration_compressor", [0.1, 0.2, 0.3], ()),
    ],
)
def test_a_unit_that_does_not_fit_is_told_with_those_that_do(
    tmp_path: Path, settings: Settings, sensor: str, values: list[float], units: tuple[str, ...]
) -> None:
    found = judged(tmp_path, settings, {sensor: values})
    assert set(found.get(sensor, ())) == set(units)


def test_a_given_unit_that_fits_is_taken(tmp_path: Path, settings: Settings) -> None:
    columns = {"temperature_condenser": [100.4, 104.0, 108.0]}
    assert judged(tmp_path, settings, columns, {"temperature_condenser": "degF"}) == {}


def test_a_sensor_that_would_fit_both_is_told_beside_one_that_does_not(tmp_path: Path, settings: Settings) -> None:
    columns = {"temperature_evaporator": [-13.0, -12, -11], "temperature_ambient": [70.0, 71, 72]}
    assert judged(tmp_path, settings, columns) == {
        "temperature_ambient": ("degF",),
        "temperature_evaporator": ("degF",),
    }


def test_a_few_values_out_of_range_make_no_other_unit(tmp_path: Path, settings: Settings) -> None:
    assert judged(tmp_path, settings, {"temperature_ambient": [20.0] * 8 + [72.0] * 2}) == {}

"""Foreign columns, units and zones read as ours."""

from pathlib import Path

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.sources.source import Source, source_of_options
from fridge_assets.sources.units import CONVERSIONS
from fridge_assets_tests.readings.deliveries import at, cleaned, reading, write


@pytest.mark.parametrize(
    ("sensor", "unit", "theirs", "ours"),
    [
        ("temperature_evaporator", "degF", -13.0, -25.0),
        ("temperature_evaporator", "K", 248.15, -25.0),
        ("temperature_evaporator", "degC", -25.0, -25.0),
        ("superheat", "degF", 14.4, 8.0),
        ("superheat", "degC", 8.0, 8.0),
        ("superheat", "K", 8.0, 8.0),
        ("pressure_low_side", "psi", 29.00754754, 200.0),
        ("pressure_low_side", "psig", 14.31159, 200.0),
        ("pressure_low_side", "bar", 2.0, 200.0),
        ("pressure_low_side", "barg", 0.98675, 200.0),
        ("pressure_low_side", "kPag", 98.675, 200.0),
        ("pressure_high_side", "MPa", 1.5, 1500.0),
        ("current_compressor", "mA", 12000.0, 12.0),
        ("vibration_compressor", "in/s", 3 / 25.4, 3.0),
        ("humidity", "fraction", 0.45, 45.0),
        ("humidity", "%", 45.0, 45.0),
    ],
)
def test_every_unit_is_converted_to_ours(sensor: str, unit: str, theirs: float, ours: float) -> None:
    factor, offset = Source(units={sensor: unit}).conversion(sensor)
    assert theirs * factor + offset == pytest.approx(ours, abs=1e-3)


def test_readings_are_converted_to_our_units(tmp_path: Path) -> None:
    theirs = {"temperature_evaporator": -13.0, "superheat": 14.4, "pressure_low_side": 29.00754754}
    path = write(tmp_path / "a.csv", [reading(**theirs)])
    units = {"temperature_evaporator": "degF", "superheat": "degF", "pressure_low_side": "psi"}
    result = cleaned(path, Source(units=units))
    ours = result.rows[list(theirs)].iloc[0].tolist()
    assert ours == pytest.approx([-25.0, 8.0, 200.0])
    assert result.flags() == [[]]


def test_every_unit_of_a_quantity_can_be_chosen() -> None:
    for unit, choices in CONVERSIONS.items():
        assert any(conversion == (1.0, 0.0) for conversion in choices.values()), unit


def test_range_is_checked_in_our_unit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [reading(temperature_evaporator=50.0)])
    assert cleaned(path).flags() == [["RANGE_VIOLATION"]]
    assert cleaned(path, Source(units={"temperature_evaporator": "degF"})).flags() == [[]]


@pytest.mark.parametrize("unit_of", ["evap F", "temperature_evaporator"])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl"])
def test_renamed_columns_are_read_and_their_unit_may_be_given_under_either_name(
    name: str, unit_of: str, tmp_path: Path
) -> None:
    row = {"unit no": "d1", "when": at(0), "evap F": -13.0}
    columns = {"unit no": "device_id", "when": "timestamp_device", "evap F": "temperature_evaporator"}
    source = Source(columns=columns, units={unit_of: "degF"})
    result = cleaned(write(tmp_path / name, [row]), source)
    assert result.rows["temperature_evaporator"].tolist() == pytest.approx([-25.0])
    assert result.rows["device_id"].tolist() == ["d1"]


def test_mapped_column_wins_over_one_that_has_our_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [{"ambient 2": 30.0, **reading(temperature_ambient=20.0)}])
    mapped = cleaned(path, Source(columns={"ambient 2": "temperature_ambient"}))
    assert mapped.rows["temperature_ambient"].tolist() == [30.0]


def test_mapped_column_wins_wherever_it_stands_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [{**reading(temperature_ambient=20.0), "ambient 2": 30.0}])
    mapped = cleaned(path, Source(columns={"ambient 2": "temperature_ambient"}))
    assert mapped.rows["temperature_ambient"].tolist() == [30.0]


def test_a_source_survives_its_file_beside_a_landing_file() -> None:
    source = Source(columns={"a": "humidity"}, units={"a": "fraction"}, timezone="Europe/Berlin")
    assert Source.from_json(source.to_json()) == source
    assert Source().is_plain
    assert not source.is_plain


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": {"t": "temperature"}}, r"--map t=temperature: there is no column temperature\. Choose one of"),
        ({"units": {"humidity": "degF"}}, r"--unit humidity=degF: humidity cannot be in degF\. Choose one of %"),
        ({"units": {"door_open_close": "K"}}, r"door_open_close is not a sensor with a unit"),
        ({"units": {"evap": "degF"}}, r"evap is not a sensor with a unit\. Choose one of temperature_evaporator"),
        ({"timezone": "Mars/Olympus"}, r"--timezone Mars/Olympus: there is no such time zone.*Europe/Berlin"),
        ({"timezone": "../etc"}, r"there is no such time zone"),
    ],
    ids=["column", "unit", "yes/no sensor", "unknown sensor", "zone", "path as zone"],
)  # fmt: skip
def test_choice_that_does_not_exist_is_refused_with_the_choices(arguments: dict, message: str) -> None:
    with pytest.raises(FridgeError, match=message):
        source_of_options(**arguments)


def test_what_an_earlier_release_wrote_beside_a_landing_file_is_read_the_same() -> None:
    text = '{"columns": {"evap": "temperature_evaporator"}, "units": {"evap": "degF"}, "timezone": "Europe/Berlin"}'
    source = Source(columns={"evap": "temperature_evaporator"}, units={"evap": "degF"}, timezone="Europe/Berlin")
    assert Source.from_json(text) == source

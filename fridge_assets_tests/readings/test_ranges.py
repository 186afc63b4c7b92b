"""What a sensor plausibly reads depends on the machine: built-in tables, those of the data folder, and the registry."""

from pathlib import Path

import pandas as pd
import pytest
from CoolProp.CoolProp import PropsSI

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.ranges import BUILT_IN, RANGES_FILE, RangeTables, read_range_tables
from fridge_assets.readings.refrigerants import PRESSURES, SATURATION, refrigerant_name
from fridge_assets.registry.devices import complete_registry
from fridge_assets_tests.readings.deliveries import cleaned, reading, write


def tables(folder: Path, text: str) -> RangeTables:
    (folder / RANGES_FILE).write_text(text)
    return read_range_tables(folder)


def machines(**refrigerants: str | None) -> pd.DataFrame:
    """A registry of devices of the model ``case``, by refrigerant."""
    given = {
        "device_id": list(refrigerants),
        "site_id": "s",
        "model": "case",
        "refrigerant": list(refrigerants.values()),
    }
    return complete_registry(pd.DataFrame(given), "registry.csv")


# --- built-in tables


@pytest.mark.parametrize("refrigerant", ["R410A", "R32", "R290", "R134a", "R404A", "R448A"])
def test_pressures_of_a_refrigerant_are_those_of_its_saturation(refrigerant: str) -> None:
    fluid = f"{refrigerant}.mix" if refrigerant == "R448A" else refrigerant
    ends = zip(PRESSURES[refrigerant], SATURATION, strict=True)
    for (least, most), (coldest, warmest) in ends:
        assert least == pytest.approx(PropsSI("P", "T", coldest + 273.15, "Q", 1, fluid) / 1e3, rel=0.005)
        if (refrigerant, warmest) != ("R448A", 70.0):  # where CoolProp finds no solution for the mixture
            assert most == pytest.approx(PropsSI("P", "T", warmest + 273.15, "Q", 0, fluid) / 1e3, rel=0.005)


def test_carbon_dioxide_begins_at_its_saturation_and_ends_above_its_critical_pressure() -> None:
    (low, standing), (high, transcritical) = PRESSURES["R744"]
    for least, (coldest, _) in zip((low, high), SATURATION, strict=True):
        assert least == pytest.approx(PropsSI("P", "T", coldest + 273.15, "Q", 1, "R744") / 1e3, rel=0.005)
    critical = PropsSI("Pcrit", "R744") / 1e3
    assert critical < standing < transcritical


def test_every_plausible_range_lies_in_the_possible_one_and_that_within_what_is_stored() -> None:
    for sensor in NUMERIC_SENSORS:
        least, most = sensor.limits
        for refrigerant in (None, *PRESSURES):
            ranges = RangeTables().of("any", refrigerant)
            low, high = ranges.possible[sensor.name]
            assert (least or 0) <= low <= ranges.plausible[sensor.name][0]
            assert ranges.plausible[sensor.name][1] <= high <= (most or 0)


@pytest.mark.parametrize(
    ("given", "meant"), [("r-290", "R290"), ("R 448a", "R448A"), ("CO2", "R744"), ("r134A", "R134a"), ("R507", "R507")]
)
def test_refrigerants_are_known_however_they_are_written(given: str, meant: str) -> None:
    assert refrigerant_name(given) == meant


def test_a_device_of_which_nobody_says_more_has_the_built_in_ranges() -> None:
    assert RangeTables().of("unknown", None) == BUILT_IN


# --- a file in the data folder


def test_what_is_said_of_the_model_goes_before_its_refrigerant_and_that_before_all_devices(tmp_path: Path) -> None:
    found = tables(
        tmp_path,
        """
        [default.plausible]
        pressure_low_side = [60, 700]
        current_compressor = [0, 80]
        [refrigerants.R290.plausible]
        pressure_low_side = [40, 1500]
        [models.case]
        refrigerant = "R290"
        plausible.current_compressor = [0, 15]
        possible.current_compressor = [0, 400]
        """,
    )
    case, other = found.of("case", None), found.of("other", "R290")
    assert case.plausible["pressure_low_side"] == other.plausible["pressure_low_side"] == (40, 1500)
    assert (case.plausible["current_compressor"], case.possible["current_compressor"]) == ((0, 15), (0, 400))
    assert other.plausible["current_compressor"] == (0, 80)
    assert found.of("case", "R744").plausible["pressure_low_side"] == PRESSURES["R744"][0]
    assert found.of("other", None).plausible["pressure_low_side"] == (60, 700)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[default", r"sensor_ranges.toml is no TOML"),
        ("[default.plausible]\nhumid = [0, 1]", r"no numeric sensor 'humid' in default.plausible .*mean humidity"),
        ("[defaults]", r"defaults is .* Extra inputs are not permitted"),
        ("[default.plausible]\nhumidity = 5", r"default.plausible.humidity is 5"),
        ("[default.plausible]\nhumidity = [9, 5]", r"humidity is \[9, 5\], which holds no value"),
        ("[models.a]\nrefrigerant = 'R29O'", r"no refrigerant 'R29O' for models.a .*mean R290"),
        ("[default.possible]\ncurrent_compressor = [0, 9e9]", r"\[0, 9e\+09\] A, and nothing outside of -10 to 2000 A"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_and_says_where(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FridgeError, match=f"(?s){message}"):
        tables(tmp_path, text)


# --- at ingestion


def test_each_device_is_judged_by_its_own_ranges(tmp_path: Path) -> None:
    registry = machines(co2="R744", plain=None)
    values = {"pressure_high_side": 9500.0, "pressure_low_side": 3000.0}
    file = write(tmp_path / "a.csv", [reading(0, device, **values) for device in ("co2", "plain", "stranger")])
    result = cleaned(file, registry=registry)
    assert dict(zip(result.rows["device_id"], result.flags(), strict=True)) == {
        "co2": [],
        "plain": ["RANGE_VIOLATION"],
    }
    assert (result.rows["pressure_high_side"] == 9500).all()
    assert result.reasons() == ["DEVICE_UNKNOWN"]


def test_one_refrigerant_for_all_devices_needs_no_look_at_each(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [reading(0, d, pressure_high_side=9500.0) for d in ("d1", "d2")])
    assert cleaned(file, registry=machines(d1="R744", d2="CO2")).flags() == [["RANGE_VIOLATION"]] * 2  # the low side
    file = write(tmp_path / "b.csv", [reading(0, d, pressure_low_side=2800.0, pressure_high_side=9500.0)
                                      for d in ("d1", "d2")])  # fmt: skip
    assert cleaned(file, registry=machines(d1="R744", d2="CO2")).flags() == [[], []]


def test_what_is_possible_depends_on_the_equipment_model_too(tmp_path: Path) -> None:
    found = tables(
        tmp_path,
        """
        [models.rack.possible]
        current_compressor = [0, 600]
        [models.case.possible]
        humidity = [5, 99]
        """,
    )
    registry = complete_registry(
        pd.DataFrame({"device_id": ["d1", "d2"], "site_id": "s", "model": ["rack", "case"]}), "registry.csv"
    )
    rows = [reading(0, device, current_compressor=500.0, humidity=119.0) for device in ("d1", "d2")]
    result = cleaned(write(tmp_path / "a.csv", rows), registry=registry, tables=found)
    assert result.rows["current_compressor"].tolist()[:1] == [500]
    assert result.rows[["current_compressor", "humidity"]].notna().to_numpy().tolist() == [[True, True], [False, False]]
    assert result.flags() == [["RANGE_VIOLATION"]] * 2


def test_a_machine_at_rest_is_plausible_once_its_refrigerant_is_known(tmp_path: Path) -> None:
    rest = {
        "temperature_condenser": 12.0, "temperature_discharge": 18.0, "temperature_evaporator": 15.0,
        "subcooling": -22.0, "pressure_high_side": 640.0, "pressure_low_side": 640.0, "current_compressor": 0.1,
    }  # fmt: skip
    result = cleaned(write(tmp_path / "a.csv", [reading(**rest)]), registry=machines(d1="R290"))
    assert result.flags() == [[]]
    assert {name: result.rows[name].iloc[0] for name in rest} == rest

"""Units that readings come in, and how each becomes ours."""

from collections.abc import Mapping

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS

UNIT_OF: Mapping[str, str] = {sensor.name: sensor.unit for sensor in NUMERIC_SENSORS}
"""Sensor → our unit, for the sensors that have one."""

CONVERSIONS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "°C": {"degC": (1.0, 0.0), "degF": (5 / 9, -160 / 9), "K": (1.0, -273.15)},
    "K": {"K": (1.0, 0.0), "degC": (1.0, 0.0), "degF": (5 / 9, 0.0)},
    "kPa": {
        "kPa": (1.0, 0.0),
        "bar": (100.0, 0.0),
        "mbar": (0.1, 0.0),
        "MPa": (1000.0, 0.0),
        "psi": (6.894757293168361, 0.0),
        "inHg": (3.386389, 0.0),
        "kPag": (1.0, 101.325),
        "barg": (100.0, 101.325),
        "psig": (6.894757293168361, 101.325),
    },
    "A": {"A": (1.0, 0.0), "mA": (0.001, 0.0)},
    "mm/s": {"mm/s": (1.0, 0.0), "in/s": (25.4, 0.0)},
    "%RH": {"%": (1.0, 0.0), "fraction": (100.0, 0.0)},
}
"""Our unit → their unit → (factor, offset): ours = theirs × factor + offset. K is of differences (superheat)."""


def units_of(sensor: str) -> Mapping[str, tuple[float, float]]:
    """Unit → (factor, offset), for every unit that ``sensor`` may come in."""
    return CONVERSIONS[UNIT_OF[sensor]]

"""Refrigerant properties from CoolProp, tabulated once and then interpolated (SPEC 10)."""

from functools import cache

import numpy as np
import numpy.typing as npt

from fridge_assets.simulation.machines import EQUIPMENT_MODELS

FloatArray = npt.NDArray[np.float32]

REFRIGERANTS: tuple[str, ...] = tuple(sorted({equipment.refrigerant for equipment in EQUIPMENT_MODELS}))

COLDEST, WARMEST = -60, 68
"""°C; R404A is supercritical above 72 °C, CO2 above 31 °C."""

ZERO_CELSIUS = 273.15
ISENTROPIC_EFFICIENCY = 0.65


def dew_pressure(temperature: FloatArray, refrigerant: npt.NDArray[np.int32]) -> FloatArray:
    """Pressure (kPa, absolute) at which saturated vapour has ``temperature`` (°C), as on the suction side.

    Args:
        temperature: minutes × devices, °C; held inside the table, which spans -60 to 68 °C.
        refrigerant: index into ``REFRIGERANTS``, one a device.
    """
    return _interpolate(_saturation_table(1), temperature, refrigerant)


def bubble_pressure(temperature: FloatArray, refrigerant: npt.NDArray[np.int32]) -> FloatArray:
    """Pressure (kPa, absolute) at which saturated liquid has ``temperature`` (°C), as in the condenser."""
    return _interpolate(_saturation_table(0), temperature, refrigerant)


@cache
def compression_exponent(refrigerant: str, suction: float, low: float, high: float) -> float:
    """Exponent k of T_discharge / T_suction = (p_high / p_low) ** k at 65 % isentropic efficiency.

    Args:
        refrigerant: CoolProp's name of it.
        suction: temperature at the compressor inlet, °C.
        low: suction pressure, kPa.
        high: discharge pressure, kPa.
    """
    # CoolProp takes seconds to import, and only the simulator needs it.
    from CoolProp.CoolProp import PropsSI  # noqa: PLC0415

    inlet = suction + ZERO_CELSIUS
    enthalpy = PropsSI("H", "T", inlet, "P", low * 1e3, refrigerant)
    entropy = PropsSI("S", "T", inlet, "P", low * 1e3, refrigerant)
    ideal = PropsSI("H", "S", entropy, "P", high * 1e3, refrigerant)
    outlet = PropsSI("T", "H", enthalpy + (ideal - enthalpy) / ISENTROPIC_EFFICIENCY, "P", high * 1e3, refrigerant)
    return float(np.log(outlet / inlet) / np.log(high / low))


@cache
def _saturation_table(quality: int) -> FloatArray:
    """Saturation pressures in kPa, one table a refrigerant end to end, a point every kelvin."""
    from CoolProp.CoolProp import PropsSI  # noqa: PLC0415

    kelvin = np.arange(COLDEST, WARMEST + 1, dtype=np.float64) + ZERO_CELSIUS
    tables = []
    for refrigerant in REFRIGERANTS:
        coldest, warmest = PropsSI("Ttriple", refrigerant), PropsSI("Tcrit", refrigerant) - 0.5
        known = (kelvin > coldest) & (kelvin < warmest)
        pressure = np.empty_like(kelvin)
        pressure[known] = PropsSI("P", "T", kelvin[known], "Q", float(quality), refrigerant)
        _go_on(kelvin, pressure, known)
        tables.append(pressure)
    return (np.concatenate(tables) / 1e3).astype(np.float32)


def _go_on(kelvin: npt.NDArray[np.float64], pressure: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]) -> None:
    """Fill ``pressure`` beyond the triple and critical points by straight lines of log p over 1/T, in place.

    CO2 on a warm day is above its critical point; the gas cooler's pressure goes on rising about like this.
    """
    first, last = np.flatnonzero(known)[[0, -1]]
    for end, inner, beyond in ((first, first + 1, slice(None, first)), (last, last - 1, slice(last + 1, None))):
        slope = np.log(pressure[end] / pressure[inner]) / (1 / kelvin[end] - 1 / kelvin[inner])
        pressure[beyond] = pressure[end] * np.exp(slope * (1 / kelvin[beyond] - 1 / kelvin[end]))


def _interpolate(table: FloatArray, temperature: FloatArray, refrigerant: npt.NDArray[np.int32]) -> FloatArray:
    points = WARMEST - COLDEST + 1
    # Straight lines a kelvin apart are within 0.1 kPa of the curve.
    position = np.clip(temperature - COLDEST, 0, points - 1.001)
    cell = position.astype(np.int32)
    position -= cell
    cell += refrigerant * points
    below = table.take(cell)
    cell += 1
    return below + position * (table.take(cell) - below)

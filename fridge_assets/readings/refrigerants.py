"""What machines on a known refrigerant plausibly read, running or at rest (SPEC 1.3)."""

from collections.abc import Mapping

from fridge_assets.core.names import unknown

Range = tuple[float, float]

PRESSURES: Mapping[str, tuple[Range, Range]] = {
    "R744": ((682, 9000), (1000, 13_000)),
    "R410A": ((109, 2930), (175, 4760)),
    "R32": ((110, 3000), (177, 4880)),
    "R290": ((70.6, 1640), (111, 2590)),
    "R134a": ((29.5, 1250), (51.2, 2120)),
    "R404A": ((81.0, 2210), (131, 3570)),
    "R448A": ((59.4, 2270), (99.7, 3520)),
}
"""Refrigerant → plausible low and high side, kPa absolute, to three digits.

From saturation: the low side from vapour at -50 °C to liquid in a machine that stands at 48 °C, the high side from
vapour at -40 °C, the coil of a freezer that stands, to liquid that condenses at 70 °C (:data:`SATURATION`). Above its
critical point R744 has no saturation: there the limits are what systems are built for. CoolProp, where they come from,
takes seconds to import; a test works them out again.
"""

SATURATION: tuple[Range, Range] = ((-50.0, 48.0), (-40.0, 70.0))
"""Saturation temperatures of the low and the high side, °C, that the ends of :data:`PRESSURES` belong to."""

_AT_REST: Mapping[str, Range] = {
    "temperature_evaporator": (-60, 50),
    "temperature_condenser": (-40, 80),
    "temperature_discharge": (-40, 150),
    "temperature_suction": (-60, 60),
    "superheat": (-10, 80),
    "subcooling": (-80, 40),  # of a freezer that stands: its pressures are the coil's, its liquid has room temperature
}
"""A machine that stands takes the temperatures of what is around it, and what is computed from its pressures says
little."""

_ALIASES = {"CO2": "R744", "CARBONDIOXIDE": "R744", "PROPANE": "R290"}
_BY_NAME = {name.upper(): name for name in PRESSURES}


def refrigerant_name(given: str) -> str:
    """``given`` as :data:`PRESSURES` writes it, whatever its case, dashes and blanks; as it is where it is another."""
    plain = given.upper().replace("-", "").replace(" ", "")
    return _BY_NAME.get(_ALIASES.get(plain, plain), given)


def refrigerant_ranges(name: str) -> Mapping[str, Range]:
    """Sensor → plausible range of machines on the refrigerant ``name``; empty for one that is not built in."""
    if name not in PRESSURES:
        return {}
    low, high = PRESSURES[name]
    return {**_AT_REST, "pressure_low_side": low, "pressure_high_side": high}


def require_refrigerant(name: str, also: Mapping[str, object], where: str) -> None:
    """Refuse a refrigerant that is neither built in nor in ``also``, naming those that are."""
    if name not in PRESSURES and name not in also:
        raise unknown("refrigerant", name, [*PRESSURES, *also], where)

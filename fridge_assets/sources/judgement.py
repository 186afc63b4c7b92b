"""Whether the values of a sensor fit the unit that they are said to be in, and which one they fit instead."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from fridge_assets.sources.source import Source
from fridge_assets.sources.units import UNIT_OF, units_of

_FITS = 0.5
"""Share of plausible values from which a unit fits that was given."""
_FITS_OTHERWISE = 0.9
"""Share of plausible values from which another unit fits where the given one does not."""
_BELOW_VACUUM = 0.01
"""Share of pressures below zero from which they are none against vacuum."""

_GAUGE: Mapping[str, str] = {"kPa": "kPag", "bar": "barg", "psi": "psig"}

_RUNNING: Mapping[str, float] = {"current_compressor": 0.5}
"""Sensor → what a machine reads at least that runs, for units that were not given: any number is few amperes in
milliamperes."""

_LIKELIEST = ("degF", "psig", "psi", "bar", "barg", "kPag")
"""The order in which units are named that fit equally well; others follow."""

_NEVER_MEANT = {"mbar", "K"}
"""Units that loggers of refrigeration hardly write without saying so, and that nearly any number fits."""


class Fit(NamedTuple):
    """How the values of one sensor look in one unit.

    Args:
        sensor: the sensor.
        unit: the unit.
        is_given: whether the values are said to be in it.
        values: how many there are.
        plausible: how many of them are plausible in it.
        possible: how many of them a sensor can read at all.
        negative: how many of them are below zero, in our unit.
        fractions: how many of them are from 0 to 1 as they are written.
        largest: of the plausible ones, in our unit; 0 without one.
    """

    sensor: str
    unit: str
    is_given: bool
    values: int
    plausible: int
    possible: int
    negative: int
    fractions: int
    largest: float


class Misfit(NamedTuple):
    """A sensor whose values fit another unit.

    Args:
        sensor: the sensor.
        given: the unit that they are said to be in.
        share: share of values that are plausible in it.
        units: those that fit, the best first.
        why: what is wrong with the given one.
    """

    sensor: str
    given: str
    share: float
    units: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{self.sensor} is not in {self.given} ({self.why}); {' or '.join(self.units)} would fit"


def options_of(found: Iterable[Misfit]) -> str:
    """The options of a command that say the units which fit."""
    return " ".join(f"--unit {misfit.sensor}={misfit.units[0]}" for misfit in found)


def given_unit(source: Source, sensor: str) -> str:
    """The unit that the source says ``sensor`` is in; ours where it says none."""
    for column, unit in source.units.items() if sensor not in source.sensors_with_tag_units else ():
        if source.ours(column) == sensor:
            return unit
    return next(unit for unit, conversion in units_of(sensor).items() if conversion == (1.0, 0.0))


def misfits(fits: Iterable[Fit]) -> tuple[Misfit, ...]:
    """The sensors whose values do not fit the unit that was given and do fit another one."""
    by_sensor: dict[str, list[Fit]] = defaultdict(list)
    for fit in fits:
        by_sensor[fit.sensor].append(fit)
    wrong = {sensor: found for sensor, units in by_sensor.items() if (found := _misfit(units)) is not None}
    alike = [_alike(by_sensor[sensor], wrong.values()) for sensor in by_sensor if sensor not in wrong]
    return (*wrong.values(), *(misfit for misfit in alike if misfit is not None))


def _misfit(units: Sequence[Fit]) -> Misfit | None:
    given = next(fit for fit in units if fit.is_given)
    share = given.plausible / given.values
    others = sorted((fit for fit in units if _fits_instead(fit)), key=_rank)
    gauge = _GAUGE.get(given.unit)
    if gauge and given.negative / given.values >= _BELOW_VACUUM:
        others = [fit for fit in others if fit.unit in _GAUGE.values()]
        others.sort(key=lambda fit: fit.unit != gauge)
        why = f"{given.negative / given.values:.0%} of its values are below vacuum"
    elif UNIT_OF[given.sensor] == "%RH" and given.unit == "%" and given.fractions == given.values:
        others = [fit for fit in units if fit.unit == "fraction"]
        why = "all of its values are from 0 to 1"
    elif share < _FITS:
        why = f"{share:.0%} of its values are plausible"
    else:
        return None
    return Misfit(given.sensor, given.unit, share, tuple(fit.unit for fit in others), why) if others else None


def _alike(units: Sequence[Fit], wrong: Iterable[Misfit]) -> Misfit | None:
    """A sensor that fits both units, where all others of its kind are found to be in another one than was given."""
    given = next(fit for fit in units if fit.is_given)
    for misfit in wrong:
        other = next((fit for fit in units if fit.unit == misfit.units[0]), None)
        is_kin = UNIT_OF[misfit.sensor] == UNIT_OF[given.sensor] and misfit.given == given.unit
        if other is not None and is_kin and _fits_instead(other):
            share = given.plausible / given.values
            return Misfit(given.sensor, given.unit, share, (other.unit,), f"as {misfit.sensor}")
    return None


def _rank(fit: Fit) -> tuple[int, int]:
    return -fit.plausible, _LIKELIEST.index(fit.unit) if fit.unit in _LIKELIEST else len(_LIKELIEST)


def _fits_instead(fit: Fit) -> bool:
    is_meant = not fit.is_given and fit.unit not in _NEVER_MEANT
    return is_meant and fit.plausible / fit.values >= _FITS_OTHERWISE and fit.largest >= _RUNNING.get(fit.sensor, -inf)

"""What the name of a column or tag says: the sensor, its unit, and what is left over, the device."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fridge_assets.sources.units import UNIT_OF, units_of

_SENSOR_WORDS: Mapping[str, Sequence[str]] = {
    "temperature_evaporator": ("evap temp", "coil temp", "evap", "coil"),
    "temperature_condenser": ("cond temp", "condensing temp", "cond"),
    "temperature_ambient": ("ambient temp", "room temp", "outdoor temp", "outside temp", "ambient", "amb temp", "amb"),
    "temperature_discharge": ("discharge temp", "hot gas temp", "discharge"),
    "temperature_suction": ("suction temp", "suction gas temp", "suction"),
    "pressure_high_side": (
        "pressure high side", "high side pressure", "high pressure", "discharge pressure", "head pressure",
        "cond pressure", "hp",
    ),
    "pressure_low_side": (
        "pressure low side", "low side pressure", "low pressure", "suction pressure", "evap pressure", "lp",
    ),
    "current_compressor": ("compressor current", "current", "amps", "amperage"),
    "vibration_compressor": ("compressor vibration", "vibration"),
    "humidity": ("relative humidity", "humidity", "rh"),
    "door_open_close": ("door open close", "door open", "door"),
    "defrost_cycle": ("defrost cycle", "defrost active", "defrost"),
    "superheat": ("superheat",),
    "subcooling": ("subcooling", "subcool"),
}  # fmt: skip
"""Sensor → sets of words that mean it; the largest set that a name has decides."""

NO_SENSOR = "none"
"""In place of a sensor: what a word means that names none."""

VAGUE = ("temp", "pressure", "probe", "sensor")
"""Words that say what is measured and not where."""

_SAME = {
    "temperature": "temp", "temperatur": "temp", "tmp": "temp", "t": "temp",
    "press": "pressure", "pres": "pressure", "p": "pressure",
    "evaporator": "evap", "evaporating": "evap", "condenser": "cond", "condensing": "cond",
    "comp": "compressor", "disch": "discharge", "suct": "suction", "hum": "humidity", "vib": "vibration",
}  # fmt: skip

_UNITS = {
    "°c": "degC", "degc": "degC", "celsius": "degC", "c": "degC",
    "°f": "degF", "degf": "degF", "fahrenheit": "degF", "f": "degF", "k": "K",
    "psig": "psig", "psi": "psi", "psia": "psi", "bar": "bar", "bara": "bar", "barg": "barg", "bar(g)": "barg",
    "mbar": "mbar", "kpa": "kPa", "kpag": "kPag", "mpa": "MPa", "inhg": "inHg",
    "a": "A", "ma": "mA", "%": "%", "%rh": "%", "mm/s": "mm/s", "in/s": "in/s",
}  # fmt: skip
_IN_BRACKETS = re.compile(r"[\[(]\s*([^\])(]*(?:\([^)]*\))?)\s*[\])]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zäöüß]+|\d+|[A-Z]|[°%]\w*")
_AROUND = " _-./:|,;\t"


class Said(NamedTuple):
    """What a name says.

    Args:
        sensor: the sensor; empty where it does not say.
        unit: one of the units of that sensor; empty where it does not say.
        device: the rest of the name.
        vague: the word that says what is measured but not where; empty where there is none or the sensor is known.
    """

    sensor: str
    unit: str
    device: str
    vague: str = ""


def said_by(name: str, words: Mapping[str, str]) -> Said:
    """What ``name`` says.

    Args:
        name: of a column or tag.
        words: further words → the sensor that they mean, or :data:`NO_SENSOR`.
    """
    bare, unit = _without_unit(name)
    found = [(match.group(), match.start(), match.end()) for match in _WORD.finditer(bare)]
    tokens = [_SAME.get(text.lower(), text.lower()) for text, _, _ in found]
    own = [(word.lower().split(), sensor) for word, sensor in words.items()]
    own = [([_SAME.get(part, part) for part in word], sensor) for word, sensor in own]
    known = [(alias.split(), sensor) for sensor, aliases in _SENSOR_WORDS.items() for alias in aliases]
    fitting = [(len(w), sensor, w) for w, sensor in known if set(w) <= set(tokens)]
    given = [(100, sensor, w) for w, sensor in own if set(w) <= set(tokens)]
    best = max(given or fitting, key=lambda match: match[0], default=None)
    if best is None:
        vague = next((word for word in VAGUE if word in tokens), "")
        return Said("", unit, _rest(bare, found, tokens, {vague}), vague)
    _, sensor, used = best
    if sensor == NO_SENSOR:
        return Said("", "", "")
    if len(used) == 1 and not given and sensor.startswith("temperature") and "pressure" in tokens:
        return Said("", unit, _rest(bare, found, tokens, {*used, "pressure"}), "pressure")
    extra = {"temp"} if sensor.startswith("temperature") else {"pressure"} if sensor.startswith("pressure") else set()
    if sensor in {"current_compressor", "vibration_compressor"}:
        extra |= {"compressor"}
    fits = sensor in UNIT_OF and unit in units_of(sensor)
    return Said(sensor, unit if fits else "", _rest(bare, found, tokens, {*used, *extra}))


def _without_unit(name: str) -> tuple[str, str]:
    """(``name`` without its unit, the unit or nothing)."""
    for match in _IN_BRACKETS.finditer(name):
        unit = _UNITS.get(match.group(1).strip().lower().replace(" ", ""))
        if unit:
            return name[: match.start()] + name[match.end() :], unit
    head, separator, last = re.match(r"(.*?)([ _.\-]?)([^ _.\-]*)$", name, re.DOTALL).groups()  # type: ignore[union-attr]
    unit = _UNITS.get(last.lower())
    if unit and separator and head:
        return head, unit
    return name, ""


def _rest(bare: str, found: Sequence[tuple[str, int, int]], tokens: Sequence[str], used: set[str]) -> str:
    """``bare`` without the words that were used."""
    kept = list(bare)
    for (_, start, end), token in zip(found, tokens, strict=True):
        if token in used:
            kept[start:end] = "\0" * (end - start)
    parts = [part.strip(_AROUND) for part in "".join(kept).split("\0")]
    return " ".join(part for part in parts if part)

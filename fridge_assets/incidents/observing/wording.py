"""How each feature is put into words: label, unit, and what a value means beside what was expected (SPEC 6)."""

import math
from dataclasses import dataclass

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.device_features import SENSOR_FEATURES
from fridge_assets.incidents.observing.judged import LIMIT, USUAL, Judged

_INTERVAL_UNITS = ("°C", "K", "%RH")
"""Units in which "28 % below" means nothing; there the difference is said."""

_MANY_TIMES = 3.0
"""From this ratio on "4 times" reads better than "300 % above"."""

_DERIVED_LABELS = {
    "pressure_ratio": "pressure ratio",
    "temp_spread_evap_cond": "evaporator-to-condenser spread",
    "temp_spread_discharge_suction": "discharge-to-suction spread",
    "current_per_temp_spread": "current per degree of spread",
}
_FRACTION_LABELS = {"door_open_fraction": "door", "defrost_active_fraction": "defrost"}
_SHARES = ("door", "defrost", "complete")
"""Kinds whose values are shares."""

BESIDE_WHAT = {
    "history": "the operating conditions",
    "sensors": "what the other sensors read",
    "cohort": "its cohort",
    "group": "its group of devices",
}
"""Basis → what makes a value unusual that looks usual, to follow ``unusually low for``."""

_EXPECTED = {
    "history": "expected of this device under these operating conditions",
    "sensors": "suggested by its other sensors",
    "cohort": "expected of its cohort under these operating conditions",
    "group": "expected of its group of devices",
}

_SENTENCES = {
    "mean": "{label} averaged {value}",
    "std": "{label} varied by {value} (standard deviation)",
    "min": "{label} had a minimum of {value}",
    "max": "{label} peaked at {value}",
    "p95": "{label} was up to {value} in 95 % of readings",
    "derived": "{label} was {value}",
    "door": "Door was open {value} of the time",
    "defrost": "Defrost was active {value} of the time",
    "complete": "{value} of the sensor values arrived",
}
_UNKNOWN = {
    "operating state": "The machine was in an operating state that its model has not seen in training",
    "cohort": "The machine was strange beside the whole fleet, and its model has seen none of its cohort in training",
}
"""Label of what a model does not know → what is to be said of it."""
_SHORT = {
    "mean": "{label} {value}",
    "std": "{label} variation {value}",
    "min": "{label} minimum {value}",
    "max": "{label} peak {value}",
    "p95": "{label} 95th percentile {value}",
    "slope": "{label} trend {value}",
    "derived": "{label} {value}",
    "door": "door open {value} of the time",
    "defrost": "defrost {value} of the time",
    "complete": "sensor values {value} complete",
}
_DIRECTIONS = {
    "std": ("unusually steady", "unusually unsteady"),
    "door": ("open unusually little", "open unusually long"),
    "defrost": ("unusually short", "unusually long"),
    "complete": ("often missing", "unusually complete"),
}


@dataclass(frozen=True)
class FeatureWords:
    """The vocabulary of one feature.

    Args:
        label: how a technician calls what it measures.
        unit: unit of its values, empty when there is none.
        kind: its aggregation, or ``derived``, ``door``, ``defrost`` or ``complete``; ``unknown`` of what its model does
            not know.
    """

    label: str
    unit: str
    kind: str

    @property
    def title_label(self) -> str:
        """The label as the start of a sentence."""
        return self.label[:1].upper() + self.label[1:]

    def amount(self, value: float) -> str:
        """``value`` with its unit, in at most three significant digits."""
        if self.kind in _SHARES:
            return f"{100 * value:.0f} %"
        return f"{number(value)} {self.unit}".rstrip()

    def expected(self, judged: Judged) -> str:
        """What was expected, and how far values usually are from it, such as ``196 ± 8 kPa``."""
        scale = 100.0 if self.kind in _SHARES else 1.0
        spread = number(scale * (judged.spread or 0.0), digits=2)
        if spread == "0":
            return self.amount(judged.expected)
        middle = f"{100 * judged.expected:.0f}" if self.kind in _SHARES else number(judged.expected)
        return f"{middle} ± {spread} {'%' if self.kind in _SHARES else self.unit}".rstrip()

    def direction(self, value: float, expected: float) -> str:
        """Which way ``value`` is off, such as ``unusually low``."""
        if self.kind == "slope":
            return _slope_direction(value, expected)
        if alike(self, value, expected):
            return "unusual"
        low, high = _DIRECTIONS.get(self.kind, ("unusually low", "unusually high"))
        return high if value > expected else low

    def sentence(self, value: float | None, span: str) -> str:
        """What was measured in ``span``, without the full stop."""
        if self.kind == "unknown":
            return f"{_UNKNOWN[self.label]} {span}, so that its score is held low"
        if value is None:
            return f"{self.title_label} could not be measured {span}"
        if self.kind == "slope":
            verb = "rose" if value >= 0 else "fell"
            return f"{self.title_label} {verb} by {self.amount(abs(value))} {span}"
        return f"{_SENTENCES[self.kind].format(label=self.title_label, value=self.amount(value))} {span}"

    def comparison(self, judged: Judged) -> str:
        """How far a value is from what it was held against, to follow the sentence."""
        value, expected = judged.value, judged.expected
        side, plain = "above" if value > expected else "below", self.kind in ("slope", *_SHARES)
        if judged.basis == LIMIT:
            return f", {side} the limit of {self.amount(expected)}"
        if judged.basis != USUAL:
            what = f"the {self.expected(judged)} {_EXPECTED[judged.basis]}"
            return f", {what.removeprefix('the ')}" if plain else f", {self._distance(value, expected, side)} {what}"
        if plain:
            return f", usually {self.amount(expected)}"
        if alike(self, value, expected):
            return f", close to the usual {self.amount(expected)}"
        return f", {self._distance(value, expected, side)} the usual {self.amount(expected)}"

    def named(self, value: float) -> str:
        """The measurement as an addition to a list, such as ``superheat 15 K``."""
        return _SHORT[self.kind].format(label=self.label, value=self.amount(value))

    def short(self, judged: Judged) -> str:
        """The measurement and what it was held against, such as ``superheat 15 K (expected 8 ± 1 K)``."""
        beside = f"{self.expected(judged)}" if judged.basis != USUAL else self.amount(judged.expected)
        what = {USUAL: "usual", LIMIT: "limit"}.get(judged.basis, "expected")
        return f"{self.named(judged.value)} ({what} {beside})"

    def _distance(self, value: float, usual: float, side: str) -> str:
        has_ratio = usual > 0 and value >= 0 and (self.kind == "std" or self.unit not in _INTERVAL_UNITS)
        if not has_ratio:
            return f"{self.amount(abs(value - usual))} {side}"
        if value / usual >= _MANY_TIMES:
            return f"{number(value / usual)} times"
        return f"{abs(100 * (value - usual) / usual):.0f} % {side}"


def words_for(feature: str) -> FeatureWords:
    """The vocabulary of ``feature``; a feature of no contract is called by its own name."""
    return _VOCABULARY.get(feature) or FeatureWords(feature.replace("_", " "), "", "derived")


def number(value: float, digits: int = 3) -> str:
    """``value`` in at most ``digits`` significant digits, those before the point in full, never with an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("-0", "0")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(decimals, 4)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "−")


_READ_APART = 0.01
"""Share of the larger one, at least of 1, beyond which two values never read the same: three digits, whole percents."""


def alike(words: FeatureWords, value: float, expected: float) -> bool:
    """Whether two values read the same."""
    if abs(value - expected) > _READ_APART * max(1.0, abs(value), abs(expected)):
        return False  # without the texts, of which there are many
    return words.amount(value) == words.amount(expected)


def _slope_direction(value: float, usual: float) -> str:
    if value > max(usual, 0.0):
        return "rising unusually fast"
    if value < min(usual, 0.0):
        return "falling unusually fast"
    return "changing unusually slowly"


_VOCABULARY: dict[str, FeatureWords] = {
    **{
        feature.name: FeatureWords(feature.sensor.label, DEVICE_FEATURES.column(feature.name).unit, feature.aggregation)
        for feature in SENSOR_FEATURES
    },
    **{
        name: FeatureWords(label, DEVICE_FEATURES.column(name).unit, "derived")
        for name, label in _DERIVED_LABELS.items()
    },
    **{name: FeatureWords(label, "", label) for name, label in _FRACTION_LABELS.items()},
    "sensor_completeness": FeatureWords("sensor values", "", "complete"),
    "operating_state": FeatureWords("operating state", "", "unknown"),
    "cohort": FeatureWords("cohort", "", "unknown"),
}

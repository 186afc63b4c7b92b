"""How each feature is put into words: label, unit, and what a value means beside the usual one (SPEC 6)."""

import math
from dataclasses import dataclass

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.device_features import SENSOR_FEATURES

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

_SENTENCES = {
    "mean": "{label} averaged {value}",
    "std": "{label} varied by {value} (standard deviation)",
    "min": "{label} had a minimum of {value}",
    "max": "{label} peaked at {value}",
    "p95": "{label} was up to {value} in 95 % of readings",
    "derived": "{label} was {value}",
    "door": "Door was open {value} of the time",
    "defrost": "Defrost was active {value} of the time",
}
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
}
_DIRECTIONS = {
    "std": ("unusually steady", "unusually unsteady"),
    "door": ("open unusually little", "open unusually long"),
    "defrost": ("unusually short", "unusually long"),
}


@dataclass(frozen=True)
class FeatureWords:
    """The vocabulary of one feature.

    Args:
        label: how a technician calls what it measures.
        unit: unit of its values, empty when there is none.
        kind: its aggregation, or ``derived``, ``door`` or ``defrost``.
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
        if self.kind in ("door", "defrost"):
            return f"{100 * value:.0f} %"
        return f"{number(value)} {self.unit}".rstrip()

    def direction(self, value: float | None, usual: float | None) -> str:
        """Which way ``value`` is off, such as ``unusually low``."""
        if value is None or (self.kind != "slope" and _alike(self, value, usual)):
            return "unusual"
        if self.kind == "slope":
            return _slope_direction(value, usual)
        low, high = _DIRECTIONS.get(self.kind, ("unusually low", "unusually high"))
        return high if usual is not None and value > usual else low

    def sentence(self, value: float | None, span: str) -> str:
        """What was measured in ``span``, without the full stop."""
        if value is None:
            return f"{self.title_label} could not be measured {span}"
        if self.kind == "slope":
            verb = "rose" if value >= 0 else "fell"
            return f"{self.title_label} {verb} by {self.amount(abs(value))} {span}"
        return f"{_SENTENCES[self.kind].format(label=self.title_label, value=self.amount(value))} {span}"

    def comparison(self, value: float | None, usual: float | None) -> str:
        """How far ``value`` is from ``usual``, to follow the sentence; empty when either is unknown."""
        if value is None or usual is None:
            return ""
        if self.kind in ("slope", "door", "defrost"):
            return f", usually {self.amount(usual)}"
        if _alike(self, value, usual):
            return f", close to the usual {self.amount(usual)}"
        side = "above" if value > usual else "below"
        return f", {self._distance(value, usual, side)} the usual {self.amount(usual)}"

    def short(self, value: float, usual: float | None) -> str:
        """The measurement as an addition to a list, such as ``superheat 15 K (usual 8 K)``."""
        text = _SHORT[self.kind].format(label=self.label, value=self.amount(value))
        return text if usual is None else f"{text} (usual {self.amount(usual)})"

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


def number(value: float) -> str:
    """``value`` in at most three significant digits, never in scientific notation."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("-0", "0")
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(decimals, 4)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "−")


def _alike(words: FeatureWords, value: float, usual: float | None) -> bool:
    return usual is None or words.amount(value) == words.amount(usual)


def _slope_direction(value: float, usual: float | None) -> str:
    usual = 0.0 if usual is None else usual
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
}

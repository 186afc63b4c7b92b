"""The scale on which a feature's deviations are comparable: logarithms, arcsines, or as it is."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fridge_assets.contracts.device_features import FRACTION_FEATURES, SENSOR_FEATURES
from fridge_assets.models.base import Comparison

Array = NDArray[np.float64]

_STD_FEATURES = frozenset(f.name for f in SENSOR_FEATURES if f.aggregation == "std")
_SHARE_FEATURES = frozenset((*FRACTION_FEATURES, "sensor_completeness"))
_FLOOR = 0.05
_SHARE_GRAIN = 0.03
_FEW_READINGS = 0.25
"""Share that one of four readings makes."""
_LEAST_SHARES = 0.05
_FILE = "measure.json"


@dataclass(frozen=True)
class Measure:
    """How values are measured before they are compared.

    Standard deviations vary by factors: they become logarithms of their ratio to the typical one, with 0.05
    added, which makes a sensor that stands still far off and not infinitely so. Shares become arcsines of
    their roots, so that one reading more or less weighs the same at every level (Anscombe, 1948).

    Args:
        features: names, in the order of the columns.
        reference: typical value of each standard deviation; 0 for what is no standard deviation.
    """

    features: tuple[str, ...]
    reference: tuple[float, ...]

    @classmethod
    def fit(cls, values: Array, features: tuple[str, ...]) -> Self:
        """The measure for ``values``, shape (n, features)."""
        medians = np.median(values, axis=0)
        is_std = np.array([name in _STD_FEATURES for name in features])
        reference = np.where(is_std, np.where(medians > 0, medians, 1.0), 0.0)
        return cls(features, tuple(reference.tolist()))

    def apply(self, values: Array) -> Array:
        """``values`` on the scale that deviations are measured on, same shape."""
        measured = values.copy()
        for position, (name, reference) in enumerate(zip(self.features, self.reference, strict=True)):
            column = values[:, position]
            if reference > 0:
                measured[:, position] = np.log(np.maximum(column, 0.0) / reference + _FLOOR)
            elif name in _SHARE_FEATURES:
                measured[:, position] = np.arcsin(np.sqrt(np.clip(column, 0.0, 1.0)))
        return measured

    def undo(self, measured: Array) -> Array:
        """The values that :meth:`apply` measures as ``measured``, the nearest possible ones, same shape.

        Infinite where a model that was fitted on too little expects what no number holds.
        """
        values = measured.copy()
        for position, (name, reference) in enumerate(zip(self.features, self.reference, strict=True)):
            column = measured[:, position]
            if reference > 0:
                with np.errstate(over="ignore"):
                    values[:, position] = np.maximum(reference * (np.exp(column) - _FLOOR), 0.0)
            elif name in _SHARE_FEATURES:
                values[:, position] = np.sin(np.clip(column, 0.0, np.pi / 2)) ** 2
        return values

    def compare(self, values: Array, expected: Array, spread: Array) -> Comparison:
        """Hold ``values`` against what was expected of them.

        Args:
            values: in the features' units, shape (n, features).
            expected: as measured, same shape.
            spread: as measured, > 0, same shape.
        """
        deviation = (self.apply(values) - expected) / spread
        plain = self.undo(expected)
        beside = self.undo(expected + np.where(deviation < 0, -spread, spread))
        with np.errstate(invalid="ignore"):  # of two infinities
            return Comparison(self.features, values, plain, np.abs(beside - plain), deviation)

    @property
    def grain(self) -> Array:
        """Smallest deviation of each feature that can mean anything, shape (features,).

        For shares it is half of what one missing value among a window's readings makes: a fleet that has
        never missed one must not be infinitely strange at the first.
        """
        return np.array([_SHARE_GRAIN if name in _SHARE_FEATURES else 0.0 for name in self.features])

    def grain_of(self, values: Array) -> Array:
        """The same for devices that send alike, from ``values`` of some of them, shape (features,).

        Of a few readings, a share of them says little: a door that is open at the only reading of a window was
        perhaps opened for a minute. The smallest share above none tells how many readings there are, and the standard
        deviation of the arcsine's root of a share of n readings is 1 / (2 √n).
        """
        grain = self.grain
        for position, name in enumerate(self.features):
            some = values[:, position][values[:, position] > 0]
            if name in FRACTION_FEATURES and len(some):
                least = float(np.quantile(some, _LEAST_SHARES, method="lower"))
                grain[position] = np.sqrt(least) / 2 if least >= _FEW_READINGS else grain[position]
        return grain

    def save(self, folder: Path) -> None:
        """Write the measure into ``folder``."""
        (folder / _FILE).write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The measure that :meth:`save` wrote."""
        stored = json.loads((folder / _FILE).read_text())
        return cls(tuple(stored["features"]), tuple(stored["reference"]))

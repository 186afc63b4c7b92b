"""What every model family implements: frames in, arrays out, no state outside the fitted version (SPEC 2)."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import Settings

Granularity = Literal["fleet", "cohort", "device"]
View = Literal["window", "day"]
"""What a row is: one window of a device, or the means of its windows over the day up to ``window_end``."""

Explanation = tuple[list[list[str]], list[list[float]]]
"""Feature names per row, strongest first, and their strengths in the same order."""


Basis = Literal["history", "sensors", "cohort", "group"]
"""What a family expects of a row: as in the device's own history, as its other sensors suggest, as in its cohort, each
at the row's operating point, or as on earlier days of the devices that it is grouped with."""


@dataclass(frozen=True)
class Comparison:
    """What a model has judged: the values of rows, and what it expected of them under their operating conditions.

    Each array has the shape (n, len(features)).

    Args:
        features: the features that are compared.
        measured: in the feature's unit.
        expected: in the feature's unit.
        spread: how far a value of the row's side usually is from ``expected``, in the feature's unit, ≥ 0.
        deviation: how far the value is from what was expected, in spreads on the scale that the model judges by; its
            sign is that of ``measured - expected``.
    """

    features: tuple[str, ...]
    measured: NDArray[np.float64]
    expected: NDArray[np.float64]
    spread: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def beside(self, other: "Comparison") -> "Comparison":
        """These features and those of ``other``, of the same rows."""
        return Comparison(
            (*self.features, *other.features),
            np.hstack([self.measured, other.measured]),
            np.hstack([self.expected, other.expected]),
            np.hstack([self.spread, other.spread]),
            np.hstack([self.deviation, other.deviation]),
        )


class ScoreModel(Protocol):
    """A fitted model of one family, immutable.

    ``rows`` are always frames with ``device_id``, ``cohort``, ``window_end`` and the model's features,
    without nulls; further columns are ignored. What a row gets depends on that row alone: never on its
    neighbours in the batch, nor on the order of rows or columns, down to the last bit.
    """

    family: ClassVar[str]
    major: ClassVar[int]
    granularity: ClassVar[Granularity]
    view: ClassVar[View]
    basis: ClassVar[Basis]

    @property
    def features(self) -> tuple[str, ...]:
        """The features the model reads."""
        ...

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...], settings: Settings, seed: int) -> Self:
        """A model fitted on ``rows``; it may use fewer than the ``features`` offered."""
        ...

    def raw_scores(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """One number per row, shape (n,), higher = stranger, in the family's own unit."""
        ...

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The features behind each row's score: 1 to ``top`` names per row, strengths descending."""
        ...

    def compare(self, rows: pd.DataFrame) -> Comparison:
        """What was expected of each row; every feature that :meth:`explain` may name is compared."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model into the existing, empty ``folder``."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that :meth:`save` wrote."""
        ...


def feature_matrix(rows: pd.DataFrame, features: tuple[str, ...]) -> NDArray[np.float64]:
    """``features`` of ``rows`` as a C-contiguous float64 matrix, shape (n, len(features)).

    Raises:
        FridgeError: a feature column is missing, or holds nulls or infinities; the columns are named.
    """
    require_columns(rows, features)
    matrix = np.ascontiguousarray(rows[list(features)].to_numpy(dtype=np.float64, na_value=np.nan))
    unusable = ~np.isfinite(matrix).all(axis=0)
    if unusable.any():
        names = ", ".join(name for name, bad in zip(features, unusable, strict=True) if bad)
        raise FridgeError(
            f"rows to be scored hold nulls or infinities in {names}",
            "Impute the rows before a model sees them.",
        )
    return matrix


def require_columns(rows: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Refuse ``rows`` that lack any of ``columns``.

    Raises:
        FridgeError: naming the missing columns.
    """
    missing = [column for column in columns if column not in rows.columns]
    if missing:
        raise FridgeError(
            f"rows lack the columns {', '.join(missing)} that the model was trained with",
            "Compute these features again, or train a new version on the features there are.",
        )

"""Features relative to what is usual for the cohort under the row's operating conditions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.models._measure import Measure
from fridge_assets.models._medians import CohortMedians
from fridge_assets.models._operating_point import OperatingPoint, stand_ins
from fridge_assets.models._robust import MAD_TO_SIGMA
from fridge_assets.models.base import Comparison, feature_matrix, require_columns

_MEDIANS_FILE = "centres.parquet"
_SCALES_FILE = "scales.parquet"

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class RelativeFeatures:
    """Measured, with the operating conditions taken out, and relative to the cohort's median.

    Args:
        measure: the scale on which each feature's deviations are measured.
        operating_point: what the operating conditions do to each of them.
        medians: what each cohort's features are relative to.
        scales: typical deviation of each feature from its cohort's median, shape (features,), > 0.
    """

    measure: Measure
    operating_point: OperatingPoint
    medians: CohortMedians
    scales: Matrix

    @property
    def features(self) -> tuple[str, ...]:
        """The features, in the order of the columns."""
        return self.medians.features

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...]) -> Self:
        """What is usual in ``rows``.

        Raises:
            FridgeError: a feature is missing or null.
        """
        values = feature_matrix(rows, features)
        measure = Measure.fit(values, features)
        measured = measure.apply(values)
        operating_point = OperatingPoint.fit(rows, measured, features, features)
        adjusted = operating_point.adjust(rows, measured)
        framed = pd.DataFrame(adjusted, columns=list(features)).assign(cohort=rows["cohort"].to_numpy())
        medians = CohortMedians.fit(framed, features)
        deviations = (adjusted - medians.of(rows["cohort"])) / operating_point.scatter(rows)
        lacking = stand_ins(rows["cohort"], values, features)
        median, std = np.median, np.std
        if lacking.any():  # a sensor that a cohort does not have says nothing about how far it deviates
            deviations, median, std = np.where(lacking, np.nan, deviations), np.nanmedian, np.nanstd
        scales = MAD_TO_SIGMA * median(np.abs(deviations), axis=0)
        scales = np.where(scales > 0, scales, np.maximum(std(deviations, axis=0), np.finfo(np.float32).tiny))
        return cls(measure, operating_point, medians, scales)

    def deviations(self, rows: pd.DataFrame) -> Matrix:
        """How far each feature is from its cohort's median, in the feature's measured unit, shape (n, features)."""
        require_columns(rows, ("cohort",))
        measured = self.measure.apply(feature_matrix(rows, self.features))
        adjusted = self.operating_point.adjust(rows, measured)
        return (adjusted - self.medians.of(rows["cohort"])) / self.operating_point.scatter(rows)

    def compare(self, rows: pd.DataFrame, standardised: Matrix, typical: Matrix) -> Comparison:
        """Hold ``rows`` against what was expected of them.

        Args:
            rows: ``cohort``, features and operating conditions.
            standardised: what was expected, as :meth:`deviations` in units of ``scales``, shape (n, features).
            typical: how far a row usually is from that, in the same units, > 0, same shape.
        """
        values = feature_matrix(rows, self.features)
        measured = self.measure.apply(values)
        conditions = measured - self.operating_point.adjust(rows, measured)
        unit = self.scales * self.operating_point.scatter(rows)
        expected = self.medians.of(rows["cohort"]) + conditions + standardised * unit
        return self.measure.compare(values, expected, typical * unit)

    def save(self, folder: Path) -> None:
        """Write everything into ``folder``, medians and scales as Parquet."""
        self.measure.save(folder)
        self.operating_point.save(folder)
        self.medians.save(folder / _MEDIANS_FILE)
        pd.DataFrame([self.scales], columns=list(self.features)).to_parquet(folder / _SCALES_FILE, index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What :meth:`save` wrote."""
        return cls(
            Measure.load(folder),
            OperatingPoint.load(folder),
            CohortMedians.load(folder / _MEDIANS_FILE),
            pd.read_parquet(folder / _SCALES_FILE).to_numpy(dtype=np.float64)[0],
        )

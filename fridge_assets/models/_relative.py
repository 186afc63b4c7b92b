"""Features relative to what is usual for the cohort under the row's operating conditions."""

import json
from collections.abc import Mapping
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
_LACKING_FILE = "lacking.json"

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class RelativeFeatures:
    """Measured, with the operating conditions taken out, and relative to the cohort's median.

    Args:
        measure: the scale on which each feature's deviations are measured.
        operating_point: what the operating conditions do to each of them.
        medians: what each cohort's features are relative to.
        scales: typical deviation of each feature from its cohort's median, shape (features,), > 0.
        lacking: cohort → features of sensors that it does not have; cohorts that have all are left out.
    """

    measure: Measure
    operating_point: OperatingPoint
    medians: CohortMedians
    scales: Matrix
    lacking: Mapping[str, tuple[str, ...]]

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
        cohorts = rows["cohort"].astype(str)
        lacked = {
            str(cohort): tuple(np.array(features)[lacking[places[0]]].tolist())
            for cohort, places in cohorts.groupby(cohorts.to_numpy()).indices.items()
            if lacking[places[0]].any()
        }
        median, std = np.median, np.std
        if lacking.any():  # a sensor that a cohort does not have says nothing about how far it deviates
            deviations, median, std = np.where(lacking, np.nan, deviations), np.nanmedian, np.nanstd
        scales = MAD_TO_SIGMA * median(np.abs(deviations), axis=0)
        scales = np.where(scales > 0, scales, np.maximum(std(deviations, axis=0), np.finfo(np.float32).tiny))
        return cls(measure, operating_point, medians, scales, lacked)

    def deviations(self, rows: pd.DataFrame) -> Matrix:
        """How far each feature is from its cohort's median, in the feature's measured unit, shape (n, features)."""
        require_columns(rows, ("cohort",))
        measured = self.measure.apply(feature_matrix(rows, self.features))
        adjusted = self.operating_point.adjust(rows, measured)
        return (adjusted - self.medians.of(rows["cohort"])) / self.operating_point.scatter(rows)

    def lacks(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Which features stand in for a sensor that the row's cohort does not have, shape (n, features)."""
        cohorts = rows["cohort"].astype(str).to_numpy()
        result = np.zeros((len(rows), len(self.features)), dtype=np.bool_)
        for cohort, names in self.lacking.items():
            result[np.ix_(cohorts == cohort, [self.features.index(name) for name in names])] = True
        return result

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
        (folder / _LACKING_FILE).write_text(json.dumps(self.lacking, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What :meth:`save` wrote."""
        return cls(
            Measure.load(folder),
            OperatingPoint.load(folder),
            CohortMedians.load(folder / _MEDIANS_FILE),
            pd.read_parquet(folder / _SCALES_FILE).to_numpy(dtype=np.float64)[0],
            _lacking(folder),
        )


def _lacking(folder: Path) -> dict[str, tuple[str, ...]]:
    file = folder / _LACKING_FILE
    if not file.exists():  # a version of an earlier release, which knew of none
        return {}
    return {cohort: tuple(names) for cohort, names in json.loads(file.read_text()).items()}

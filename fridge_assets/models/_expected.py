"""What is expected of each device's features at equal operating conditions, and how far a row is from it (SPEC 2.1)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from fridge_assets.models._history import fit_expectations
from fridge_assets.models._measure import Measure
from fridge_assets.models._operating_point import OperatingPoint
from fridge_assets.models._robust import grouped_max
from fridge_assets.models.base import Comparison, feature_matrix, require_columns
from fridge_assets.settings import Settings

Array = NDArray[np.float64]

_FILE = "expectations.parquet"


@dataclass(frozen=True)
class Expected:
    """What each device usually reads, and by how much it usually varies, at equal operating conditions.

    Args:
        measure: the scale on which each compared feature's deviations are measured.
        operating_point: what the operating conditions do to each of them.
        expectations: one row per device, then per cohort, then the fleet's: ``level``, ``name``, and
            ``location_*`` and ``scale_*`` (float32, on the measured and adjusted scale) for each feature.
    """

    measure: Measure
    operating_point: OperatingPoint
    expectations: pd.DataFrame

    @property
    def compared(self) -> tuple[str, ...]:
        """The features that have z-scores."""
        return self.measure.features

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are compared, and those that say under which conditions."""
        return tuple(dict.fromkeys((*self.compared, *self.operating_point.conditions)))

    @classmethod
    def fit(cls, rows: pd.DataFrame, compared: tuple[str, ...], offered: tuple[str, ...], settings: Settings) -> Self:
        """Location and scale per device and feature, shrunk to its cohort's where its history is short.

        Args:
            rows: ``device_id``, ``cohort``, ``window_end`` and features, complete.
            compared: the features that are compared.
            offered: features there are; conditions that are not among them do not count.
            settings: group ``baseline``, and the length of a window.
        """
        require_columns(rows, ("device_id", "cohort", "window_end"))
        values = feature_matrix(rows, compared)
        measure = Measure.fit(values, compared)
        measured = measure.apply(values)
        operating_point = OperatingPoint.fit(rows, measured, compared, offered, by_state=True)
        cohort = rows["cohort"].astype(str).to_numpy()
        cohorts = {name: measure.grain_of(values[cohort == name]) for name in np.unique(cohort)}
        adjusted = operating_point.adjust(rows, measured)
        expectations = fit_expectations(rows, adjusted, compared, measure.grain, cohorts, settings)
        device, _ = pd.factorize(rows["device_id"])
        fitted = cls(measure, operating_point, expectations)
        limit = settings.baseline.max_z
        return replace(
            fitted, expectations=_equally_rare(expectations, fitted.absolute_z(rows, limit), device, compared)
        )

    def absolute_z(self, rows: pd.DataFrame, limit: float) -> Array:
        """How many spreads each feature is from what was expected, at most ``limit``, shape (n, features)."""
        require_columns(rows, ("device_id", "cohort"))
        measured = self.measure.apply(feature_matrix(rows, self.compared))
        values = self.operating_point.adjust(rows, measured)
        location, scale = self._location_and_scale(rows)
        return np.minimum(np.abs(values - location) / scale, limit)

    def compare(self, rows: pd.DataFrame) -> Comparison:
        """What was expected of each row, and how far off it is without a limit."""
        values = feature_matrix(rows, self.compared)
        measured = self.measure.apply(values)
        conditions = measured - self.operating_point.adjust(rows, measured)
        location, scale = self._location_and_scale(rows)
        return self.measure.compare(values, location + conditions, scale)

    def save(self, folder: Path) -> None:
        """Write the expectations as Parquet, measure and operating point in files of their own."""
        self.measure.save(folder)
        self.operating_point.save(folder)
        self.expectations.to_parquet(folder / _FILE, index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What :meth:`save` wrote."""
        return cls(Measure.load(folder), OperatingPoint.load(folder), pd.read_parquet(folder / _FILE))

    def _location_and_scale(self, rows: pd.DataFrame) -> tuple[Array, Array]:
        position = self._position(rows)
        scale = self._of("scale")[position] * self.operating_point.scatter(rows)
        return self._of("location")[position], scale

    def _position(self, rows: pd.DataFrame) -> NDArray[np.intp]:
        """Where in ``expectations`` to look: the row's device, else its cohort, else the fleet (the last)."""
        level, name = self.expectations["level"].to_numpy(), self.expectations["name"]
        devices, cohorts = int((level == "device").sum()), int((level == "cohort").sum())
        device = pd.Index(name.iloc[:devices]).get_indexer(rows["device_id"])
        cohort = pd.Index(name.iloc[devices : devices + cohorts]).get_indexer(rows["cohort"])
        return np.where(device >= 0, device, np.where(cohort >= 0, devices + cohort, devices + cohorts))

    def _of(self, what: str) -> Array:
        columns = [f"{what}_{name}" for name in self.compared]
        return self.expectations[columns].to_numpy(dtype=np.float64)


def _equally_rare(
    expectations: pd.DataFrame, z: Array, device: NDArray[np.intp], features: tuple[str, ...]
) -> pd.DataFrame:
    """Scales widened where the largest |z| of the typical device is larger than a normal one's would be.

    Heavy-tailed features, such as standard deviations, otherwise make up most of the largest |z| of healthy
    rows, and a sensor that has moved drowns in them. The median over devices keeps out the few faulty ones.
    """
    largest = grouped_max(z, device)
    normal = -ndtri((1 - 0.5 ** (1 / np.bincount(device))) / 2)  # median of the largest |z| of n
    width = np.maximum(np.median(largest / normal[:, None], axis=0), 1.0)
    widened = expectations.copy()
    columns = [f"scale_{name}" for name in features]
    widened[columns] = (widened[columns].to_numpy() * width).astype(np.float32)
    return widened

"""Statistical baseline: robust z-scores of each device against its own history (SPEC 2.1)."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from fridge_assets.contracts.device_features import SENSOR_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models._history import fit_expectations
from fridge_assets.models._measure import Measure
from fridge_assets.models._operating_point import OperatingPoint
from fridge_assets.models._robust import grouped_max, root_mean_square_of_largest
from fridge_assets.models.base import Basis, Comparison, Explanation, Granularity, View, feature_matrix, require_columns
from fridge_assets.settings import Settings

_EXPECTATIONS_FILE = "expectations.parquet"
_PARAMETERS_FILE = "baseline.json"
_COMPARED = frozenset(
    (
        *(f.name for f in SENSOR_FEATURES if f.aggregation in ("mean", "std")),
        "door_open_fraction",
        "sensor_completeness",
    )
)


@dataclass(frozen=True)
class StatisticalBaseline:
    """What each device usually reads, and by how much it usually varies, at equal operating conditions.

    Ambient, defrost and door are taken out first (:class:`OperatingPoint`), so that a hot afternoon or a
    defrost of a healthy device is not strange. The raw score is the root mean square of a row's largest |z|:
    about 1.5 for a typical row, and a single sensor that is far off its device's own history suffices to make
    it large.

    Args:
        measure: the scale on which each compared feature's deviations are measured.
        operating_point: what the operating conditions do to each of them.
        expectations: one row per device, then per cohort, then the fleet's: ``level``, ``name``, and
            ``location_*`` and ``scale_*`` (float32, on the measured and adjusted scale) for each feature.
        strongest: number of |z| that make up the raw score.
        max_z: a single |z| counts at most this much.
    """

    family: ClassVar[str] = "statistical_baseline"
    major: ClassVar[int] = 1
    granularity: ClassVar[Granularity] = "fleet"
    view: ClassVar[View] = "window"
    basis: ClassVar[Basis] = "history"

    measure: Measure
    operating_point: OperatingPoint
    expectations: pd.DataFrame
    strongest: int
    max_z: float

    @property
    def compared(self) -> tuple[str, ...]:
        """The features that have z-scores: means, standard deviations, door and completeness."""
        return self.measure.features

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are compared, and those that say under which conditions."""
        return tuple(dict.fromkeys((*self.compared, *self.operating_point.conditions)))

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame,
        features: tuple[str, ...],
        settings: Settings,
        seed: int,  # noqa: ARG003 (nothing here is random)
    ) -> Self:
        """Location and scale per device and feature, shrunk to its cohort's where its history is short.

        Raises:
            FridgeError: none of ``features`` is the mean or standard deviation of a sensor.
        """
        compared = tuple(name for name in features if name in _COMPARED)
        if not any(name.endswith(("_mean", "_std")) for name in compared):
            raise FridgeError(
                f"none of {len(features)} features is a sensor's mean or standard deviation",
                "The statistical baseline needs at least one sensor with readings in half of the windows.",
            )
        require_columns(rows, ("device_id", "cohort", "window_end"))
        values = feature_matrix(rows, compared)
        measure = Measure.fit(values, compared)
        measured = measure.apply(values)
        operating_point = OperatingPoint.fit(rows, measured, compared, features)
        expectations = fit_expectations(rows, operating_point.adjust(rows, measured), compared, measure.grain, settings)
        device, _ = pd.factorize(rows["device_id"])
        limits = settings.baseline
        model = cls(measure, operating_point, expectations, min(limits.strongest, len(compared)), limits.max_z)
        return replace(model, expectations=_equally_rare(expectations, model._absolute_z(rows), device, compared))

    def raw_scores(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Root mean square of each row's largest |z|, shape (n,)."""
        return root_mean_square_of_largest(self._absolute_z(rows), self.strongest)

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The features furthest from the device's own history; strengths are their |z|."""
        z = self._absolute_z(rows)
        order = np.argsort(-z, axis=1, kind="stable")[:, :top]
        strengths = np.take_along_axis(z, order, axis=1)
        kept = np.maximum((strengths > 0).sum(axis=1), 1)
        return (
            [[self.compared[i] for i in row[:k]] for row, k in zip(order, kept, strict=True)],
            [row[:k].tolist() for row, k in zip(strengths, kept, strict=True)],
        )

    def compare(self, rows: pd.DataFrame) -> Comparison:
        """What was expected of each row, and how far off it is without the limit of ``max_z``."""
        values = feature_matrix(rows, self.compared)
        measured = self.measure.apply(values)
        conditions = measured - self.operating_point.adjust(rows, measured)
        location, scale = self._location_and_scale(rows)
        return self.measure.compare(values, location + conditions, scale)

    def save(self, folder: Path) -> None:
        """Write the expectations as Parquet, measure and operating point in files of their own, the rest as JSON."""
        self.measure.save(folder)
        self.operating_point.save(folder)
        self.expectations.to_parquet(folder / _EXPECTATIONS_FILE, index=False)
        parameters = {"strongest": self.strongest, "max_z": self.max_z}
        (folder / _PARAMETERS_FILE).write_text(json.dumps(parameters, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The baseline that :meth:`save` wrote."""
        parameters = json.loads((folder / _PARAMETERS_FILE).read_text())
        return cls(
            Measure.load(folder),
            OperatingPoint.load(folder),
            pd.read_parquet(folder / _EXPECTATIONS_FILE),
            parameters["strongest"],
            parameters["max_z"],
        )

    def _absolute_z(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        require_columns(rows, ("device_id", "cohort"))
        measured = self.measure.apply(feature_matrix(rows, self.compared))
        values = self.operating_point.adjust(rows, measured)
        location, scale = self._location_and_scale(rows)
        return np.minimum(np.abs(values - location) / scale, self.max_z)

    def _location_and_scale(self, rows: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        position = self._position(rows)
        scale = self._expected("scale")[position] * self.operating_point.scatter(rows)
        return self._expected("location")[position], scale

    def _position(self, rows: pd.DataFrame) -> NDArray[np.intp]:
        """Where in ``expectations`` to look: the row's device, else its cohort, else the fleet (the last)."""
        level, name = self.expectations["level"].to_numpy(), self.expectations["name"]
        devices, cohorts = int((level == "device").sum()), int((level == "cohort").sum())
        device = pd.Index(name.iloc[:devices]).get_indexer(rows["device_id"])
        cohort = pd.Index(name.iloc[devices : devices + cohorts]).get_indexer(rows["cohort"])
        return np.where(device >= 0, device, np.where(cohort >= 0, devices + cohort, devices + cohorts))

    def _expected(self, what: str) -> NDArray[np.float64]:
        columns = [f"{what}_{name}" for name in self.compared]
        return self.expectations[columns].to_numpy(dtype=np.float64)


def _equally_rare(
    expectations: pd.DataFrame, z: NDArray[np.float64], device: NDArray[np.intp], features: tuple[str, ...]
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

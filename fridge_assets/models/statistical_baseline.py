"""Statistical baseline: robust z-scores of each device against its own history (SPEC 2.1)."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from fridge_assets.contracts.device_features import SENSOR_FEATURES
from fridge_assets.errors import FridgeError
from fridge_assets.models._history import fit_expectations
from fridge_assets.models._robust import grouped_max
from fridge_assets.models.base import Explanation, Granularity, feature_matrix, require_columns
from fridge_assets.settings import Settings

_EXPECTATIONS_FILE = "expectations.parquet"
_PARAMETERS_FILE = "baseline.json"
_MEAN_FEATURES = frozenset(f.name for f in SENSOR_FEATURES if f.aggregation == "mean")
_STD_FEATURES = frozenset(f.name for f in SENSOR_FEATURES if f.aggregation == "std")


@dataclass(frozen=True)
class StatisticalBaseline:
    """What each device usually reads, and by how much it usually varies.

    The raw score is the root mean square of a row's largest |z|: about 1.5 for a typical row, and a single
    sensor that is far off its device's own history suffices to make it large.

    Args:
        features: the mean and std features among those offered.
        reference: typical value of each std feature, which is compared on a logarithmic scale; NaN for a
            mean.
        expectations: one row per device, then per cohort, then the fleet's: ``level``, ``name``, and
            ``location_*`` and ``scale_*`` (float32, on the transformed scale) for each feature.
        strongest: number of |z| that make up the raw score.
        max_z: a single |z| counts at most this much.
    """

    family: ClassVar[str] = "statistical_baseline"
    major: ClassVar[int] = 1
    granularity: ClassVar[Granularity] = "fleet"

    features: tuple[str, ...]
    reference: tuple[float, ...]
    expectations: pd.DataFrame
    strongest: int
    max_z: float

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
        used = tuple(name for name in features if name in _MEAN_FEATURES | _STD_FEATURES)
        if not used:
            raise FridgeError(
                f"none of {len(features)} features is a sensor's mean or standard deviation",
                "The statistical baseline needs at least one sensor with readings in half of the windows.",
            )
        require_columns(rows, ("device_id", "cohort", "window_end"))
        values = feature_matrix(rows, used)
        medians = np.median(values, axis=0)
        is_std = np.array([name in _STD_FEATURES for name in used])
        reference = np.where(is_std, np.where(medians > 0, medians, 1.0), np.nan)
        expectations = fit_expectations(rows, _transform(values, reference), used, settings)
        device, _ = pd.factorize(rows["device_id"])
        limits = settings.baseline
        model = cls(
            used, tuple(reference.tolist()), expectations, min(limits.strongest, len(used)), limits.max_z
        )
        return replace(model, expectations=_equally_rare(expectations, model._absolute_z(rows), device, used))

    def raw_scores(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Root mean square of each row's largest |z|, shape (n,)."""
        z = np.sort(self._absolute_z(rows), axis=1)
        # Column by column: the order of additions, and so the last bit, must not depend on the batch.
        total = np.zeros(len(z))
        for position in range(1, self.strongest + 1):
            total = total + z[:, -position] * z[:, -position]
        return np.sqrt(total / self.strongest)

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The features furthest from the device's own history; strengths are their |z|."""
        z = self._absolute_z(rows)
        order = np.argsort(-z, axis=1, kind="stable")[:, :top]
        strengths = np.take_along_axis(z, order, axis=1)
        kept = np.maximum((strengths > 0).sum(axis=1), 1)
        return (
            [[self.features[i] for i in row[:k]] for row, k in zip(order, kept, strict=True)],
            [row[:k].tolist() for row, k in zip(strengths, kept, strict=True)],
        )

    def save(self, folder: Path) -> None:
        """Write the expectations as Parquet and the rest as JSON."""
        self.expectations.to_parquet(folder / _EXPECTATIONS_FILE, index=False)
        reference = [None if np.isnan(value) else value for value in self.reference]
        parameters = {"reference": reference, "strongest": self.strongest, "max_z": self.max_z}
        (folder / _PARAMETERS_FILE).write_text(
            json.dumps({"features": self.features, **parameters}, indent=1)
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The baseline that :meth:`save` wrote."""
        parameters = json.loads((folder / _PARAMETERS_FILE).read_text())
        return cls(
            tuple(parameters["features"]),
            tuple(float("nan") if value is None else value for value in parameters["reference"]),
            pd.read_parquet(folder / _EXPECTATIONS_FILE),
            parameters["strongest"],
            parameters["max_z"],
        )

    def _absolute_z(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        require_columns(rows, ("device_id", "cohort"))
        values = _transform(feature_matrix(rows, self.features), np.asarray(self.reference))
        position = self._position(rows)
        location = self._expected("location")[position]
        scale = self._expected("scale")[position]
        return np.minimum(np.abs(values - location) / scale, self.max_z)

    def _position(self, rows: pd.DataFrame) -> NDArray[np.intp]:
        """Where in ``expectations`` to look: the row's device, else its cohort, else the fleet (the last)."""
        level, name = self.expectations["level"].to_numpy(), self.expectations["name"]
        devices, cohorts = int((level == "device").sum()), int((level == "cohort").sum())
        device = pd.Index(name.iloc[:devices]).get_indexer(rows["device_id"])
        cohort = pd.Index(name.iloc[devices : devices + cohorts]).get_indexer(rows["cohort"])
        return np.where(device >= 0, device, np.where(cohort >= 0, devices + cohort, devices + cohorts))

    def _expected(self, what: str) -> NDArray[np.float64]:
        columns = [f"{what}_{name}" for name in self.features]
        return self.expectations[columns].to_numpy(dtype=np.float64)


def _equally_rare(
    expectations: pd.DataFrame, z: NDArray[np.float64], device: NDArray[np.intp], features: tuple[str, ...]
) -> pd.DataFrame:
    """Scales widened where the largest |z| of the typical device is larger than a normal one's would be.

    Heavy-tailed features, such as standard deviations, otherwise make up most of the largest |z| of healthy
    rows, and a sensor that has moved drowns in them. The median over devices keeps out the few faulty ones.
    """
    largest = grouped_max(z, device)
    normal = norm.isf((1 - 0.5 ** (1 / np.bincount(device))) / 2)  # median of the largest |z| of n
    width = np.maximum(np.median(largest / normal[:, None], axis=0), 1.0)
    widened = expectations.copy()
    columns = [f"scale_{name}" for name in features]
    widened[columns] = (widened[columns].to_numpy() * width).astype(np.float32)
    return widened


def _transform(values: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Std features on a logarithmic scale: they vary by factors, and a sensor that stands still is far off.

    The 0.1 bounds the logarithm at a tenth of the typical value, below which a standard deviation is only
    noise.
    """
    is_std = ~np.isnan(reference)
    transformed = values.copy()
    transformed[:, is_std] = np.log(np.maximum(values[:, is_std], 0.0) / reference[is_std] + 0.1)
    return transformed

"""Isolation forest over all features of the fleet (SPEC 2.1); Liu, Ting and Zhou (2008)."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from fridge_assets.contracts.device_features import sensors_of
from fridge_assets.models._measure import Measure
from fridge_assets.models._medians import CohortMedians
from fridge_assets.models._operating_point import OperatingPoint
from fridge_assets.models._robust import MAD_TO_SIGMA
from fridge_assets.models.base import Explanation, Granularity, feature_matrix, require_columns
from fridge_assets.models.forest_file import read_forest, write_forest
from fridge_assets.settings import Settings

_FOREST_FILE = "forest.skops"
_MEDIANS_FILE = "centres.parquet"
_SCALES_FILE = "scales.parquet"
_ROWS_PER_CHUNK = 8192
_DRAWN_FROM = 50_000

Matrix = NDArray[np.float64]


def _framed(values: Matrix, rows: pd.DataFrame, features: tuple[str, ...]) -> pd.DataFrame:
    """``values`` with their names and cohorts."""
    return pd.DataFrame(values, columns=list(features)).assign(cohort=rows["cohort"].to_numpy())


@dataclass(frozen=True)
class FleetForest:
    """One forest for the whole fleet, on features relative to the cohort's medians.

    Equipment models and climate zones differ by whole spreads, so that a forest on plain values spends its
    splits on telling cohorts apart: relative to the cohort the same forest finds about three times as many
    single-sensor shifts. The raw score is ``-score_samples`` of scikit-learn: 0.4 for a typical row, towards
    1 for one that few splits isolate.

    Args:
        medians: what each cohort's features are relative to.
        scales: typical deviation of each feature from its cohort's median, shape (features,), > 0.
        forest: the fitted scikit-learn estimator.
    """

    family: ClassVar[str] = "isolation_forest"
    major: ClassVar[int] = 1
    granularity: ClassVar[Granularity] = "fleet"

    measure: Measure
    operating_point: OperatingPoint
    medians: CohortMedians
    scales: Matrix
    forest: IsolationForest

    @property
    def features(self) -> tuple[str, ...]:
        """The features the forest was fitted on."""
        return self.medians.features

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...], settings: Settings, seed: int) -> Self:
        """A forest on ``features`` of ``rows``, shape (n, len(features)).

        Raises:
            FridgeError: a feature is missing or null.
        """
        values = feature_matrix(rows, features)
        measure = Measure.fit(values, features)
        measured = measure.apply(values)
        operating_point = OperatingPoint.fit(rows, measured, features, features)
        adjusted = operating_point.adjust(rows, measured)
        medians = CohortMedians.fit(_framed(adjusted, rows, features), features)
        relative = (adjusted - medians.of(rows["cohort"])) / operating_point.scatter(rows)
        scales = MAD_TO_SIGMA * np.median(np.abs(relative), axis=0)
        scales = np.where(scales > 0, scales, np.maximum(relative.std(axis=0), np.finfo(np.float32).tiny))
        # Trees take a thousand rows each; drawing them from all rows of a large fleet costs more than growing them.
        some = np.sort(np.random.default_rng(seed).permutation(len(relative))[:_DRAWN_FROM])
        forest = IsolationForest(
            n_estimators=settings.forest.trees,
            max_samples=min(settings.forest.samples_per_tree, len(some)),
            random_state=seed,
            n_jobs=1,  # threads would add the trees up in changing order
        )
        return cls(measure, operating_point, medians, scales, forest.fit(relative[some]))

    def raw_scores(self, rows: pd.DataFrame) -> Matrix:
        """How easily each row is isolated, shape (n,)."""
        return self._raw(self._relative(rows))

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The sensors that make the row strange, each named by its oddest feature.

        Occlusion, a sensor at a time: mean, minimum, maximum and whatever is derived from a sensor move
        together, so that setting one of them alone to the cohort's median changes little. The
        strength is the fall of the raw score; names are of different sensors.
        """
        relative = self._relative(rows)
        groups = _sensor_groups(self.features)
        falls = self._falls(relative, groups)
        deviations = np.abs(relative) / self.scales
        oddest = np.column_stack([own[np.argmax(deviations[:, own], axis=1)] for own, _ in groups])
        order = np.argsort(-falls, axis=1, kind="stable")[:, :top]
        strengths = np.maximum(np.take_along_axis(falls, order, axis=1), 0.0)
        kept = np.maximum((strengths > 0).sum(axis=1), 1)
        chosen = np.take_along_axis(oddest, order, axis=1)
        return (
            [[self.features[i] for i in row[:k]] for row, k in zip(chosen, kept, strict=True)],
            [row[:k].tolist() for row, k in zip(strengths, kept, strict=True)],
        )

    def save(self, folder: Path) -> None:
        """Write the forest with skops, the medians and scales as Parquet."""
        write_forest(self.forest, folder / _FOREST_FILE)
        self.measure.save(folder)
        self.operating_point.save(folder)
        self.medians.save(folder / _MEDIANS_FILE)
        pd.DataFrame([self.scales], columns=list(self.features)).to_parquet(folder / _SCALES_FILE, index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The forest that :meth:`save` wrote."""
        scales = pd.read_parquet(folder / _SCALES_FILE).to_numpy(dtype=np.float64)[0]
        return cls(
            Measure.load(folder),
            OperatingPoint.load(folder),
            CohortMedians.load(folder / _MEDIANS_FILE),
            scales,
            read_forest(folder / _FOREST_FILE),
        )

    def _relative(self, rows: pd.DataFrame) -> Matrix:
        require_columns(rows, ("cohort",))
        measured = self.measure.apply(feature_matrix(rows, self.features))
        adjusted = self.operating_point.adjust(rows, measured)
        return (adjusted - self.medians.of(rows["cohort"])) / self.operating_point.scatter(rows)

    def _raw(self, relative: Matrix) -> Matrix:
        if len(relative) == 0:
            return np.empty(0)
        return -np.asarray(self.forest.score_samples(relative), dtype=np.float64)

    def _falls(self, relative: Matrix, groups: "list[_Group]") -> Matrix:
        """Fall of the raw score when each group of features is at the median, shape (n, groups)."""
        falls = np.empty((len(relative), len(groups)))
        step = max(_ROWS_PER_CHUNK // (len(groups) + 1), 1)
        hidden = np.ones((len(groups) + 1, len(self.features)))
        for position, (_, members) in enumerate(groups):
            hidden[position, members] = 0.0
        for start in range(0, len(relative), step):
            chunk = relative[start : start + step]
            variants = (chunk[:, None, :] * hidden).reshape(-1, len(self.features))
            raw = self._raw(variants).reshape(len(chunk), -1)
            falls[start : start + step] = raw[:, -1:] - raw[:, :-1]
        return falls


_Group = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Positions of a sensor's own features, and of all that are computed from it."""


def _sensor_groups(features: tuple[str, ...]) -> list[_Group]:
    """One group per sensor; a feature of several sensors belongs to each, or is alone where there is none."""
    sources = [sensors_of(name) for name in features]
    own: dict[tuple[str, ...], list[int]] = {}
    for position, sensors in enumerate(sources):
        if len(sensors) == 1:
            own.setdefault(sensors, []).append(position)
    groups = [
        (np.array(positions), np.array([i for i, sensors in enumerate(sources) if sensor in sensors]))
        for (sensor,), positions in own.items()
    ]
    covered = {int(i) for _, members in groups for i in members}
    return groups + [(np.array([i]), np.array([i])) for i in range(len(features)) if i not in covered]

"""Isolation forest over all features of the fleet (SPEC 2.1); Liu, Ting and Zhou (2008)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.models._relative import RelativeFeatures
from fridge_assets.models._sensor_groups import SensorGroup, sensor_groups, strongest_sensors
from fridge_assets.models.base import Basis, Comparison, Explanation, Granularity, View
from fridge_assets.models.isolation_trees import IsolationTrees
from fridge_assets.settings import Settings

_TREES_FILE = "trees.safetensors"
_PARAMETERS_FILE = "forest.json"
_ROWS_PER_CHUNK = 8192
_DRAWN_FROM = 50_000

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class FleetForest:
    """One forest for the whole fleet, on features relative to the cohort's medians.

    Equipment models and climate zones differ by whole spreads, so that a forest on plain values spends its
    splits on telling cohorts apart: relative to the cohort the same forest finds about three times as many
    single-sensor shifts. The raw score is that of Liu et al.: 0.4 for a typical row, towards 1 for one that few
    splits isolate.

    Which devices are the strangest hangs on the seed until there are well over a thousand trees, which take long
    for a large fleet. So the first trees say which rows are worth a closer look, and all trees score these.

    Args:
        relative: what each row's features are relative to.
        trees: the fitted trees.
        shortlist_trees: how many of them score every row.
        cut: raw score by these above which all of them do.
    """

    family: ClassVar[str] = "isolation_forest"
    major: ClassVar[int] = 1
    granularity: ClassVar[Granularity] = "fleet"
    view: ClassVar[View] = "window"
    basis: ClassVar[Basis] = "cohort"

    relative: RelativeFeatures
    trees: IsolationTrees
    shortlist_trees: int
    cut: float

    @property
    def features(self) -> tuple[str, ...]:
        """The features the forest was fitted on."""
        return self.relative.features

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...], settings: Settings, seed: int) -> Self:
        """A forest on ``features`` of ``rows``, shape (n, len(features)).

        Raises:
            FridgeError: a feature is missing or null.
        """
        relative = RelativeFeatures.fit(rows, features)
        deviations = relative.deviations(rows)
        # Trees take a thousand rows each; drawing them from all rows of a large fleet costs more than growing them.
        some = np.sort(np.random.default_rng(seed).permutation(len(deviations))[:_DRAWN_FROM])
        limits = settings.forest
        trees = IsolationTrees.grow(deviations[some], limits.trees, limits.samples_per_tree, seed)
        shortlist_trees = min(limits.shortlist_trees, trees.count)
        first = trees.isolation(deviations[some], shortlist_trees)
        return cls(relative, trees, shortlist_trees, float(np.quantile(first, 1 - limits.shortlist_share)))

    def raw_scores(self, rows: pd.DataFrame) -> Matrix:
        """How easily each row is isolated, shape (n,)."""
        deviations = self.relative.deviations(rows)
        raw = self.trees.isolation(deviations, self.shortlist_trees)
        closer = raw > self.cut
        raw[closer] = self.trees.isolation(deviations[closer], self.trees.count)
        return raw

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The sensors that make the row strange, each named by its oddest feature.

        Occlusion, a sensor at a time: mean, minimum, maximum and whatever is derived from a sensor move
        together, so that setting one of them alone to the cohort's median changes little. The
        strength is the fall of the raw score; names are of different sensors.
        """
        deviations = self.relative.deviations(rows)
        groups = sensor_groups(self.features)
        falls = self._falls(deviations, groups)
        return strongest_sensors(self.features, groups, np.abs(deviations) / self.relative.scales, falls, top)

    def compare(self, rows: pd.DataFrame) -> Comparison:
        """What is usual for each row's cohort under its operating conditions."""
        zero = np.zeros((len(rows), len(self.features)))
        return self.relative.compare(rows, zero, zero + 1.0)

    def save(self, folder: Path) -> None:
        """Write the trees as safetensors, what they are relative to as Parquet, the rest as JSON."""
        self.trees.save(folder / _TREES_FILE)
        parameters = {"shortlist_trees": self.shortlist_trees, "cut": self.cut}
        (folder / _PARAMETERS_FILE).write_text(json.dumps(parameters, indent=1))
        self.relative.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The forest that :meth:`save` wrote."""
        trees = IsolationTrees.load(folder / _TREES_FILE)
        parameters = json.loads((folder / _PARAMETERS_FILE).read_text())
        return cls(RelativeFeatures.load(folder), trees, parameters["shortlist_trees"], parameters["cut"])

    def _falls(self, deviations: Matrix, groups: list[SensorGroup]) -> Matrix:
        """Fall of the first trees' raw score when each group of features is at the median, shape (n, groups)."""
        falls = np.empty((len(deviations), len(groups)))
        step = max(_ROWS_PER_CHUNK // (len(groups) + 1), 1)
        hidden = np.ones((len(groups) + 1, len(self.features)))
        for position, (_, members) in enumerate(groups):
            hidden[position, members] = 0.0
        for start in range(0, len(deviations), step):
            chunk = deviations[start : start + step]
            variants = (chunk[:, None, :] * hidden).reshape(-1, len(self.features))
            raw = self.trees.isolation(variants, self.shortlist_trees).reshape(len(chunk), -1)
            falls[start : start + step] = raw[:, -1:] - raw[:, :-1]
        return falls

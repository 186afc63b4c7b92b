"""Density clusters of day-level behaviour: a device that leaves the core of its cluster is strange (SPEC 2.1)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.models._clustering import ANY, Clustering
from fridge_assets.models._relative import RelativeFeatures
from fridge_assets.models._sensor_groups import sensor_groups, strongest_sensors
from fridge_assets.models.base import Basis, Comparison, Explanation, Granularity, View
from fridge_assets.settings import DbscanSettings, Settings

_FLEET = ""
_CORES_FILE = "cores.parquet"
_PROJECTIONS_FILE = "projections.parquet"
_HOMES_FILE = "homes.parquet"
_PARAMETERS_FILE = "dbscan.json"

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class DbscanCohort:
    """Clusters of each cohort's days; the raw score is how far a day is from the core of its device's cluster.

    The unit is eps, the radius of DBSCAN's neighbourhoods. A device's cluster is the one that most of its
    training days fell into; a device that training did not see in this cohort, or whose days were all noise, is
    compared with whichever cluster is nearest. Cohorts of few devices, and unknown ones, share the fleet's
    clusters.

    Args:
        relative: what each row's features are relative to.
        clusterings: the fleet's, named by an empty cohort, and those of cohorts.
        homes: ``device_id``, ``cohort`` and ``cluster``, one row per device with a cluster of its own.
        clip: a feature counts up to this many typical deviations.
    """

    family: ClassVar[str] = "dbscan_cohort"
    major: ClassVar[int] = 1
    granularity: ClassVar[Granularity] = "cohort"
    view: ClassVar[View] = "day"
    basis: ClassVar[Basis] = "group"

    relative: RelativeFeatures
    clusterings: dict[str, Clustering]
    homes: pd.DataFrame
    clip: float

    @property
    def features(self) -> tuple[str, ...]:
        """The features that make up a point."""
        return self.relative.features

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...], settings: Settings, seed: int) -> Self:
        """Clusters of ``rows``, and each device's own.

        Raises:
            FridgeError: a feature is missing or null.
        """
        own = settings.dbscan
        relative = RelativeFeatures.fit(rows, features)
        points = _points(relative, rows, own.clip)
        cohorts = rows["cohort"].astype(str).to_numpy()
        devices = rows["device_id"].groupby(cohorts).nunique()
        clusterings: dict[str, Clustering] = {}
        for cohort in (_FLEET, *sorted(devices.index[devices >= own.min_cohort_devices])):
            belonging = np.arange(len(rows)) if cohort == _FLEET else np.flatnonzero(cohorts == cohort)
            rng = np.random.default_rng([seed, crc32(cohort.encode())])
            some = belonging[_drawn(rows["device_id"].iloc[belonging], own, rng)]
            clusterings[cohort] = Clustering.fit(points[some], own)
        homeless = cls(relative, clusterings, pd.DataFrame({"device_id": [], "cohort": [], "cluster": []}), own.clip)
        labels = np.full(len(rows), ANY, dtype=np.int64)
        for cohort, belonging in homeless._parts(rows):
            labels[belonging] = clusterings[cohort].nearest_clusters(points[belonging])
        return cls(relative, clusterings, _homes(rows, cohorts, labels), own.clip)

    def raw_scores(self, rows: pd.DataFrame) -> Matrix:
        """Distance of each row from the core of its device's cluster, in units of eps, shape (n,)."""
        points, homes = _points(self.relative, rows, self.clip), self._home(rows)
        scores = np.empty(len(rows))
        for cohort, belonging in self._parts(rows):
            scores[belonging] = self.clusterings[cohort].distances(points[belonging], homes[belonging])
        return scores

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The sensors that make up the movement away from the nearest core points, each named by its largest feature.

        The squared distance is a sum over features; a sensor's strength is the root of the part that its features have
        in it, in units of eps.
        """
        points, cores = _points(self.relative, rows, self.clip), self._nearest_cores(rows)
        parts = np.zeros_like(points)
        for cohort, belonging in self._parts(rows):
            clustering = self.clusterings[cohort]
            moved = points[belonging] - cores[belonging]
            parts[belonging] = clustering.contributions(moved) / clustering.eps**2
        parts[self.relative.lacks(rows)] = 0.0
        groups = sensor_groups(self.features)
        strengths = np.sqrt(np.maximum(np.column_stack([parts[:, own].sum(axis=1) for own, _ in groups]), 0.0))
        return strongest_sensors(self.features, groups, parts, strengths, top)

    def compare(self, rows: pd.DataFrame) -> Comparison:
        """The nearest core points of each row's cluster, beside the typical deviation in a cohort."""
        cores = self._nearest_cores(rows)
        return self.relative.compare(rows, cores, np.ones_like(cores))

    def save(self, folder: Path) -> None:
        """Write core points, projections and the devices' clusters as Parquet, and the rest as JSON."""
        names = list(self.features)
        cores = [
            pd.DataFrame(one.cores, columns=names).assign(cluster=one.clusters, cohort=cohort)
            for cohort, one in self.clusterings.items()
        ]
        projections = [
            pd.DataFrame(one.projection.T, columns=names).assign(cohort=cohort)
            for cohort, one in self.clusterings.items()
        ]
        pd.concat(cores).to_parquet(folder / _CORES_FILE, index=False)
        pd.concat(projections).to_parquet(folder / _PROJECTIONS_FILE, index=False)
        self.homes.to_parquet(folder / _HOMES_FILE, index=False)
        radii = {cohort: {"eps": one.eps, "rank": one.rank} for cohort, one in self.clusterings.items()}
        (folder / _PARAMETERS_FILE).write_text(json.dumps({"clip": self.clip, "clusterings": radii}, indent=1))
        self.relative.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The clusters that :meth:`save` wrote."""
        relative = RelativeFeatures.load(folder)
        names = list(relative.features)
        parameters = json.loads((folder / _PARAMETERS_FILE).read_text())
        cores = dict(iter(pd.read_parquet(folder / _CORES_FILE).groupby("cohort")))
        projections = dict(iter(pd.read_parquet(folder / _PROJECTIONS_FILE).groupby("cohort")))
        clusterings = {
            cohort: Clustering(
                np.ascontiguousarray(projections[cohort][names].to_numpy(dtype=np.float64).T),
                np.ascontiguousarray(cores[cohort][names].to_numpy(dtype=np.float64)),
                cores[cohort]["cluster"].to_numpy(dtype=np.int64),
                **radii,
            )
            for cohort, radii in parameters["clusterings"].items()
        }
        return cls(relative, clusterings, pd.read_parquet(folder / _HOMES_FILE), parameters["clip"])

    def _nearest_cores(self, rows: pd.DataFrame) -> Matrix:
        points, homes = _points(self.relative, rows, self.clip), self._home(rows)
        cores = np.zeros_like(points)
        for cohort, belonging in self._parts(rows):
            cores[belonging] = self.clusterings[cohort].nearest_cores(points[belonging], homes[belonging])
        return cores

    def _parts(self, rows: pd.DataFrame) -> list[tuple[str, NDArray[np.intp]]]:
        """Positions of the rows that each clustering judges."""
        names = list(self.clusterings)  # the fleet's is the first
        position = np.maximum(pd.Index(names).get_indexer(pd.Index(rows["cohort"].astype(str))), 0)
        return [(name, np.flatnonzero(position == number)) for number, name in enumerate(names)]

    def _home(self, rows: pd.DataFrame) -> Labels:
        """The cluster of each row's device in the cohort that the row is in, shape (n,)."""
        known = pd.MultiIndex.from_frame(self.homes[["device_id", "cohort"]].astype("str"))
        position = known.get_indexer(pd.MultiIndex.from_frame(rows[["device_id", "cohort"]].astype("str")))
        return np.append(self.homes["cluster"].to_numpy(dtype=np.int64), ANY)[position]


def _points(relative: RelativeFeatures, rows: pd.DataFrame, clip: float) -> Matrix:
    return np.clip(relative.deviations(rows) / relative.scales, -clip, clip)


def _drawn(device_id: pd.Series, settings: DbscanSettings, rng: np.random.Generator) -> NDArray[np.intp]:
    """Positions of the days to cluster: as many of each device, and fewer of one than make up a dense neighbourhood.

    Otherwise every device would be a cluster of its own, days of one device being so alike.
    """
    device, _ = pd.factorize(device_id)
    shuffled = rng.permutation(len(device))
    rank = np.empty(len(device), dtype=np.intp)
    rank[shuffled] = pd.Series(device[shuffled]).groupby(device[shuffled]).cumcount().to_numpy()
    eligible = shuffled[rank[shuffled] < max(settings.min_points - 1, 1)]
    return np.sort(eligible[np.argsort(rank[eligible], kind="stable")][: settings.max_points])


def _homes(rows: pd.DataFrame, cohorts: "NDArray[np.object_]", labels: Labels) -> pd.DataFrame:
    """The cluster that most days of each device fell into; the one of the lowest number where there are several."""
    days = pd.DataFrame({"device_id": rows["device_id"].astype("str").to_numpy(), "cohort": cohorts, "cluster": labels})
    counts = days[days["cluster"] != ANY].groupby(["device_id", "cohort", "cluster"], as_index=False).size()
    ordered = counts.sort_values(["device_id", "cohort", "size", "cluster"], ascending=[True, True, False, True])
    return ordered.drop_duplicates(["device_id", "cohort"])[["device_id", "cohort", "cluster"]].reset_index(drop=True)

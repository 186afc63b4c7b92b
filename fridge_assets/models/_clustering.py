"""Density clusters of one cohort's points, and how far a point is from their cores."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from sklearn.cluster import DBSCAN
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from fridge_assets.models._dense_network import DenseNetwork
from fridge_assets.settings import DbscanSettings

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

ANY = -1
"""No cluster in particular: a point belongs to whichever is nearest."""

_SMALLEST_EPS = 0.05


@dataclass(frozen=True)
class Clustering:
    """DBSCAN (Ester et al., 1996) on principal components of standardised features.

    The components keep their variances: at equal ones, those that hold little but noise would drown a sensor that
    has moved.

    Args:
        projection: shape (features, components); orthonormal columns.
        cores: core points in the space of the features, shape (cores, features).
        clusters: number of each core point's cluster, ascending, shape (cores,).
        eps: radius of the neighbourhood, in the space of the components, > 0.
        rank: a point is as far from a cluster as from its core point of this rank, which is DBSCAN's number of points:
            so a device's own few days never suffice to make its next day usual, and neither do they in training.
    """

    projection: Matrix
    cores: Matrix
    clusters: Labels
    eps: float
    rank: int

    @classmethod
    def fit(cls, points: Matrix, settings: DbscanSettings) -> Self:
        """Clusters of ``points``, shape (n, features), n ≥ 1; all of them are one cluster where none is dense."""
        projection = _projection(points, settings.explained)
        projected = _project(points, projection)
        neighbours = min(settings.min_points, len(points))
        # The sorted distances to the k-th neighbour bend where noise begins (Ester et al., section 4.2).
        distances = KDTree(projected).query(projected, k=[neighbours])[0][:, 0]
        eps = max(float(np.quantile(distances, settings.eps_quantile)), _SMALLEST_EPS)
        found = DBSCAN(eps=eps, min_samples=settings.min_points, algorithm="kd_tree", n_jobs=1).fit(projected)
        cores = np.sort(found.core_sample_indices_)
        labels = found.labels_[cores]
        if len(cores) == 0:
            cores = np.arange(len(points))
            labels = np.zeros(len(points), dtype=np.int64)
        order = np.argsort(labels, kind="stable")
        return cls(projection, points[cores[order]], labels[order].astype(np.int64), eps, settings.min_points)

    def distances(self, points: Matrix, clusters: Labels) -> tuple[Matrix, NDArray[np.intp]]:
        """How far each point is from the core of its cluster, and what it is far from.

        Args:
            points: shape (n, features).
            clusters: the cluster that each is compared with, or :data:`ANY`; shape (n,).

        Returns:
            The distance to the core point of that ``rank`` in units of eps, shape (n,): at most 1 inside of a
            cluster. And the positions of the nearest cores up to it, shape (n, ``rank``); the last is repeated
            where a cluster has fewer.
        """
        projected = _project(points, self.projection)
        distances = np.empty(len(points))
        positions = np.empty((len(points), self.rank), dtype=np.intp)
        for cluster in np.unique(clusters):
            own = np.flatnonzero(clusters == cluster)
            members, tree = self._trees[int(cluster)]
            ranks = np.minimum(np.arange(self.rank), len(members) - 1) + 1
            found, index = tree.query(projected[own], k=ranks)
            distances[own] = found[:, -1] / self.eps
            positions[own] = members[index]
        return distances, positions

    def nearest_clusters(self, points: Matrix) -> Labels:
        """The cluster of the core point nearest to each point, shape (n,); :data:`ANY` beyond eps."""
        distance, index = self._trees[ANY][1].query(_project(points, self.projection))
        return np.where(distance <= self.eps, self.clusters[index], ANY)

    def contributions(self, movements: Matrix) -> Matrix:
        """Share of each feature in the squared length of each movement along the components, shape (n, features)."""
        along = _project(movements, self.projection)
        return np.asarray(movements * _project(along, np.ascontiguousarray(self.projection.T)))

    @cached_property
    def _trees(self) -> dict[int, tuple[NDArray[np.intp], KDTree]]:
        """Positions of the cores and their tree, of each cluster and of all."""
        projected = _project(self.cores, self.projection)
        members = {int(number): np.flatnonzero(self.clusters == number) for number in np.unique(self.clusters)}
        members[ANY] = np.arange(len(self.cores))
        return {number: (positions, KDTree(projected[positions])) for number, positions in members.items()}


def _project(points: Matrix, projection: Matrix) -> Matrix:
    """``points`` along the components, term by term, shape (n, components)."""
    return DenseNetwork((projection,), (np.zeros(projection.shape[1]),)).apply(points)


def _projection(points: Matrix, explained: float) -> Matrix:
    """Principal components that together explain this share of the variance, shape (features, components)."""
    with threadpool_limits(limits=1, user_api="blas"):  # the order of a floating-point sum decides its last bit
        centred = points - points.mean(axis=0)
        variances, components = np.linalg.eigh(centred.T @ centred / len(points))
    variances, components = np.maximum(variances[::-1], 0.0), components[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(variances), explained * variances.sum())) + 1
    return np.ascontiguousarray(components[:, :kept])

"""Density clusters of one cohort's points, and how far a point is from their cores."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from fridge_assets.models._dense_network import DenseNetwork
from fridge_assets.settings import DbscanSettings

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

ANY = -1
"""No cluster in particular: a point belongs to whichever is nearest."""

_SMALLEST_EPS = 0.05
_ROWS_PER_CHUNK = 512


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
        from scipy.spatial.distance import cdist  # noqa: PLC0415 (a third of a second, which only this family pays)
        from sklearn.cluster import DBSCAN  # noqa: PLC0415 (a second, which only training pays)

        projection = _projection(points, settings.explained)
        projected = _project(points, projection)
        neighbours = min(settings.min_points, len(points))
        squared = cdist(projected, projected, "sqeuclidean")
        # The sorted distances to the k-th neighbour bend where noise begins (Ester et al., section 4.2).
        distances = np.sqrt(np.partition(squared, neighbours - 1, axis=1)[:, neighbours - 1])
        eps = max(float(np.quantile(distances, settings.eps_quantile)), _SMALLEST_EPS)
        found = DBSCAN(eps=eps**2, min_samples=settings.min_points, metric="precomputed", n_jobs=1).fit(squared)
        cores = np.sort(found.core_sample_indices_)
        labels = found.labels_[cores]
        if len(cores) == 0:
            cores = np.arange(len(points))
            labels = np.zeros(len(points), dtype=np.int64)
        order = np.argsort(labels, kind="stable")
        return cls(projection, points[cores[order]], labels[order].astype(np.int64), eps, settings.min_points)

    def distances(self, points: Matrix, clusters: Labels) -> Matrix:
        """How far each point is from the core of its cluster.

        Args:
            points: shape (n, features).
            clusters: the cluster that each is compared with, or :data:`ANY`; shape (n,).

        Returns:
            The distance to the core point of that ``rank``, or to the farthest where a cluster has fewer, in units
            of eps, shape (n,): at most 1 inside of a cluster.
        """
        distances = np.empty(len(points))
        for own, _, squared in self._compared(points, clusters):
            rank = min(self.rank, squared.shape[1]) - 1
            distances[own] = np.sqrt(np.partition(squared, rank, axis=1)[:, rank]) / self.eps
        return distances

    def nearest_cores(self, points: Matrix, clusters: Labels) -> Matrix:
        """The middle of the core points of a cluster that are nearest to each point, up to ``rank`` of them.

        Args:
            points: shape (n, features).
            clusters: as for :meth:`distances`.

        Returns:
            Points in the space of the features, shape (n, features).
        """
        middles = np.empty_like(points)
        for own, members, squared in self._compared(points, clusters):
            nearest = members[np.argsort(squared, axis=1, kind="stable")[:, : self.rank]]
            middles[own] = self.cores[nearest].mean(axis=1)
        return middles

    def nearest_clusters(self, points: Matrix) -> Labels:
        """The cluster of the core point nearest to each point, shape (n,); :data:`ANY` beyond eps."""
        nearest = np.empty(len(points), dtype=np.int64)
        for own, _, squared in self._compared(points, np.full(len(points), ANY)):
            index = squared.argmin(axis=1)
            within = squared[np.arange(len(own)), index] <= self.eps**2
            nearest[own] = np.where(within, self.clusters[index], ANY)
        return nearest

    def contributions(self, movements: Matrix) -> Matrix:
        """Share of each feature in the squared length of each movement along the components, shape (n, features)."""
        along = _project(movements, self.projection)
        return np.asarray(movements * _project(along, np.ascontiguousarray(self.projection.T)))

    def _compared(
        self, points: Matrix, clusters: Labels
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], Matrix]]:
        """Positions of some points, of the cores that they are compared with, and the squared distances between.

        All distances, because there is no faster way: in so many dimensions a search tree visits nearly every core
        point, too. Pair by pair instead of as a matrix product, so that they depend on nothing else in the batch.
        """
        from scipy.spatial.distance import cdist  # noqa: PLC0415

        projected = _project(points, self.projection)
        for cluster in np.unique(clusters):
            members = np.flatnonzero((self.clusters == cluster) | (cluster == ANY))
            cores = self._projected_cores[members]
            belonging = np.flatnonzero(clusters == cluster)
            for start in range(0, len(belonging), _ROWS_PER_CHUNK):
                own = belonging[start : start + _ROWS_PER_CHUNK]
                yield own, members, cdist(projected[own], cores, "sqeuclidean")

    @cached_property
    def _projected_cores(self) -> Matrix:
        return _project(self.cores, self.projection)


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

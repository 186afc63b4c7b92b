"""The trees of an isolation forest as flat arrays: one file that loads at once, and no more trees than a row needs."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree

Matrix = NDArray[np.float64]

_NODE_FIELDS = ("left_child", "right_child", "feature", "threshold")
_EULER = 0.5772156649015329


@dataclass(frozen=True)
class IsolationTrees:
    """Fitted trees and how much each of their leaves isolates.

    scikit-learn grows the trees and walks rows down them. The rest of its forest is a sum, which is made here: tree
    by tree, so that its last bit depends on the row alone, over as many trees as are asked for.

    Args:
        nodes: fields of all trees' nodes, one after the other, by name.
        depths: expected number of splits that isolate a row which ends at each node (Liu et al., 2008).
        first: number of the first node of each tree, and after the last of all.
        features: columns of the rows.
        samples: rows that each tree was grown on.
    """

    nodes: dict[str, NDArray[np.generic]]
    depths: Matrix
    first: NDArray[np.int64]
    features: int
    samples: int

    @classmethod
    def grow(cls, rows: Matrix, trees: int, samples: int, seed: int) -> Self:
        """Trees on ``rows``, shape (n, features), each on ``samples`` of them."""
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415 (takes a while, which only training pays)

        samples = min(samples, len(rows))
        # Each tree has a seed of its own, so that growing them on all cores changes nothing.
        forest = IsolationForest(n_estimators=trees, max_samples=samples, random_state=seed, n_jobs=-1).fit(rows)
        grown = [estimator.tree_ for estimator in forest.estimators_]
        depths = [tree.compute_node_depths() - 1 + _average_depth(tree.n_node_samples) for tree in grown]
        return cls(
            nodes={name: np.concatenate([getattr(tree, _ATTRIBUTES[name]) for tree in grown]) for name in _NODE_FIELDS},
            depths=np.concatenate(depths),
            first=np.cumsum([0, *(tree.node_count for tree in grown)], dtype=np.int64),
            features=rows.shape[1],
            samples=samples,
        )

    @property
    def count(self) -> int:
        """Number of trees."""
        return len(self.first) - 1

    def isolation(self, rows: Matrix, trees: int) -> Matrix:
        """How easily the first ``trees`` trees isolate each row, shape (n,): 0.5 typical, towards 1 strange.

        Args:
            rows: shape (n, features).
            trees: at most :attr:`count`.
        """
        if len(rows) == 0:
            return np.empty(0)
        narrow = np.ascontiguousarray(rows, dtype=np.float32)
        depth = np.zeros(len(rows))
        for tree, first in zip(self._trees[:trees], self.first[:trees], strict=True):
            depth += self.depths[first + tree.apply(narrow)]
        scores: Matrix = 2.0 ** (-depth / (trees * _average_depth(np.array([self.samples]))[0]))
        return scores

    def save(self, file: Path) -> None:
        """Write the arrays; the same trees give the same bytes."""
        shape = np.array([self.features, self.samples], dtype=np.int64)
        save_file({**self.nodes, "depths": self.depths, "first": self.first, "shape": shape}, file)

    @classmethod
    def load(cls, file: Path) -> Self:
        """The trees that :meth:`save` wrote."""
        arrays = load_file(file)
        features, samples = arrays.pop("shape").tolist()
        depths, first = arrays.pop("depths"), arrays.pop("first")
        return cls({name: arrays[name] for name in _NODE_FIELDS}, depths, first, features, samples)

    @cached_property
    def _trees(self) -> "list[Tree]":
        return [self._tree(start, end) for start, end in zip(self.first[:-1], self.first[1:], strict=True)]

    def _tree(self, start: int, end: int) -> "Tree":
        """scikit-learn's tree of some nodes, with what it needs to find a row's leaf."""
        from sklearn.tree._tree import Tree  # noqa: PLC0415 (a second, which nobody without a forest should wait)

        empty = Tree(self.features, np.array([1]), 1)
        nodes = np.zeros(end - start, dtype=empty.__getstate__()["nodes"].dtype)
        for name, values in self.nodes.items():
            nodes[name] = values[start:end]
        state = {"max_depth": 0, "node_count": end - start, "nodes": nodes, "values": np.zeros((end - start, 1, 1))}
        empty.__setstate__(state)
        return empty


def _average_depth(rows: NDArray[np.int64]) -> Matrix:
    """Average number of splits that isolate one of ``rows`` rows: c(n) of Liu et al. (2008)."""
    rows = np.asarray(rows)
    more = np.maximum(rows, 3).astype(np.float64)
    many = 2.0 * (np.log(more - 1.0) + _EULER) - 2.0 * (more - 1.0) / more
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, many))


_ATTRIBUTES = {"left_child": "children_left", "right_child": "children_right", **{n: n for n in _NODE_FIELDS[2:]}}

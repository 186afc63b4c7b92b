"""Robust statistics over groups, vectorised."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation × this = standard deviation, for a normal distribution."""


def grouped_median(values: NDArray[np.float64], groups: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Median of each column of ``values`` within each group.

    Args:
        values: shape (n, k).
        groups: shape (n,), group numbers 0 … ``count`` - 1; rows of group -1 belong to none.
        count: number of groups.

    Returns:
        Shape (count, k), NaN for a group without rows.
    """
    medians = pd.DataFrame(values).groupby(groups).median().reindex(range(count))
    return medians.to_numpy(dtype=np.float64)


def grouped_mean(values: NDArray[np.float64], groups: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Like :func:`grouped_median`, with means."""
    return pd.DataFrame(values).groupby(groups).mean().reindex(range(count)).to_numpy(dtype=np.float64)


def grouped_max(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Maximum of each column of ``values`` within each of the groups 0 … max; every group has rows."""
    return pd.DataFrame(values).groupby(groups).max().to_numpy(dtype=np.float64)


def root_mean_square_of_largest(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Root mean square of the ``count`` largest of each row of non-negative ``values``, shape (n,)."""
    ordered = np.sort(values, axis=1)
    # Column by column: the order of additions, and so the last bit, must not depend on the batch.
    total = np.zeros(len(values))
    for position in range(1, count + 1):
        total = total + ordered[:, -position] * ordered[:, -position]
    return np.sqrt(total / count)

"""Medians of each cohort and of the fleet, frozen at training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class CohortMedians:
    """What is usual for a cohort, and for the fleet where the cohort is unknown or never had the sensor.

    Args:
        features: names of the features.
        cohorts: one row per cohort (index), one column per feature; NaN where a cohort never had it.
        fleet: shape (features,).
    """

    features: tuple[str, ...]
    cohorts: pd.DataFrame
    fleet: NDArray[np.float64]

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...]) -> Self:
        """Medians of ``rows`` (``cohort`` and ``features``); nulls are skipped."""
        values = rows[list(features)].astype(np.float64)
        cohorts = values.groupby(rows["cohort"].astype(str).to_numpy()).median()
        return cls(features, cohorts, values.median().to_numpy(dtype=np.float64))

    def of(self, cohort: pd.Series) -> NDArray[np.float64]:
        """The medians that apply to each row, shape (n, features)."""
        table = np.vstack([self.cohorts.to_numpy(dtype=np.float64), self.fleet])
        table = np.where(np.isnan(table), self.fleet, table)
        return table[self.cohorts.index.get_indexer(pd.Index(cohort.astype(str)))]  # -1, unknown, is the fleet

    def lacking(self, cohort: pd.Series) -> NDArray[np.bool_]:
        """Whether each row's cohort never had a feature that others had, shape (n, features).

        An unknown cohort lacks none.
        """
        never = np.vstack(
            [self.cohorts.isna().to_numpy() & ~np.isnan(self.fleet), np.zeros((1, len(self.features)), dtype=np.bool_)]
        )
        lacking: NDArray[np.bool_] = never[self.cohorts.index.get_indexer(pd.Index(cohort.astype(str)))]
        return lacking

    def save(self, file: Path) -> None:
        """Write the medians as Parquet: the fleet's row first, with an empty cohort."""
        fleet = pd.DataFrame([self.fleet], columns=list(self.features), index=[""])
        table = pd.concat([fleet, self.cohorts]).rename_axis("cohort").reset_index()
        table.astype({"cohort": "str"}).to_parquet(file, index=False)

    @classmethod
    def load(cls, file: Path) -> Self:
        """The medians that :meth:`save` wrote."""
        table = pd.read_parquet(file).set_index("cohort")
        return cls(tuple(table.columns), table.iloc[1:], table.iloc[0].to_numpy(dtype=np.float64))

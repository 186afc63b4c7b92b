"""What stands in for a null, the same in training and scoring (SPEC 2)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from fridge_assets.models.base import require_columns

IMPUTATION_ORDER = ("device's most recent value", "cohort median", "fleet median")
"""Where a stand-in comes from, in this order; recorded in the metadata of every version."""

_FILE = "imputation.parquet"


@dataclass(frozen=True)
class Imputer:
    """Medians of the training rows, frozen into the model version.

    Args:
        features: the model's features.
        cohort_medians: one row per cohort (index), one column per feature; NaN where a cohort never had it.
        fleet_medians: one value per feature.
    """

    features: tuple[str, ...]
    cohort_medians: pd.DataFrame
    fleet_medians: pd.Series

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...]) -> Self:
        """Medians of ``rows`` (``cohort`` and ``features``); nulls are skipped."""
        require_columns(rows, ("cohort", *features))
        values = rows[list(features)].astype(np.float64)
        return cls(features, values.groupby(rows["cohort"].astype(str).to_numpy()).median(), values.median())

    def apply(
        self, rows: pd.DataFrame, recent: pd.DataFrame | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Fill the nulls of ``rows``.

        Args:
            rows: ``device_id``, ``cohort`` and the features; further columns are kept as they are.
            recent: each device's most recent non-null values, at most 24 h old: ``device_id`` (unique) and the
                features. None when there are none, or when ``rows`` already carry them.

        Returns:
            The complete rows, and the rows (as given) that still have a null and must be left out.

        Raises:
            FridgeError: a feature column is missing; the columns are named.
        """
        require_columns(rows, ("device_id", "cohort", *self.features))
        names = list(self.features)
        values = rows[names].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        if recent is not None:
            require_columns(recent, ("device_id", *self.features))
            _fill(values, rows["device_id"], recent.set_index("device_id")[names])
        _fill(values, rows["cohort"].astype(str), self.cohort_medians)
        values = np.where(np.isnan(values), self.fleet_medians.to_numpy(dtype=np.float64), values)
        complete = ~np.isnan(values).any(axis=1)
        filled = rows.loc[complete].assign(
            **{name: values[complete, position] for position, name in enumerate(names)}
        )
        return filled, rows.loc[~complete]

    def save(self, folder: Path) -> None:
        """Write the medians into ``folder``."""
        fleet = self.fleet_medians.to_frame().T.assign(level="fleet", cohort="")
        cohorts = self.cohort_medians.rename_axis("cohort").reset_index().assign(level="cohort")
        table = pd.concat([fleet, cohorts], ignore_index=True)
        table[["level", "cohort", *self.features]].to_parquet(folder / _FILE, index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The imputer that :meth:`save` wrote."""
        table = pd.read_parquet(folder / _FILE)
        features = tuple(column for column in table.columns if column not in ("level", "cohort"))
        cohorts = table[table["level"] == "cohort"].set_index("cohort")[list(features)]
        return cls(features, cohorts, table[list(features)].iloc[0])


def _fill(values: np.ndarray, keys: pd.Series, stand_ins: pd.DataFrame) -> None:
    """Replace NaN in ``values`` by the row of ``stand_ins`` that ``keys`` names, in place."""
    position = stand_ins.index.get_indexer(keys)
    row, column = np.nonzero(np.isnan(values) & (position >= 0)[:, None])
    values[row, column] = stand_ins.to_numpy(dtype=np.float64)[position[row], column]

"""What stands in for a null, the same in training and scoring (SPEC 2)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from fridge_assets.models._medians import CohortMedians
from fridge_assets.models.base import require_columns

IMPUTATION_ORDER = ("device's most recent value", "cohort median", "fleet median")
"""Where a stand-in comes from, in this order; recorded in the metadata of every version."""

_FILE = "medians.parquet"


@dataclass(frozen=True)
class Imputer:
    """Fills nulls from the device's recent past, else from medians of the training rows.

    A feature that a cohort never had in training is no part of the model for that cohort: it always has the fleet's
    median there, also where a device of it sends the sensor later, so that it tells nothing.
    """

    medians: CohortMedians

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are filled."""
        return self.medians.features

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...]) -> Self:
        """An imputer with the medians of ``rows`` (``cohort`` and ``features``)."""
        require_columns(rows, ("cohort", *features))
        return cls(CohortMedians.fit(rows, features))

    def apply(self, rows: pd.DataFrame, recent: pd.DataFrame | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Fill the nulls of ``rows``.

        Args:
            rows: ``device_id``, ``cohort`` and the features; further columns are kept as they are.
            recent: each device's most recent non-null values, at most 24 h old: ``device_id`` (unique) and
                the features. None when ``rows`` already carry them, as training rows do.

        Returns:
            The complete rows, and the rows (as given) that still have a null and must be left out.

        Raises:
            FridgeError: a feature column is missing; the columns are named.
        """
        require_columns(rows, ("device_id", "cohort", *self.features))
        names = list(self.features)
        values = rows[names].to_numpy(dtype=np.float64, na_value=np.nan)
        if recent is not None:
            require_columns(recent, ("device_id", *self.features))
            position = pd.Index(recent["device_id"]).get_indexer(rows["device_id"])
            own = recent[names].to_numpy(dtype=np.float64, na_value=np.nan)
            own = np.vstack([own, np.full(len(names), np.nan)])  # -1: nothing recent of this device
            values = np.where(np.isnan(values), own[position], values)
        values = np.where(self.medians.lacking(rows["cohort"]), np.nan, values)
        values = np.where(np.isnan(values), self.medians.of(rows["cohort"]), values)
        complete = ~np.isnan(values).any(axis=1)
        filled = rows.loc[complete].copy()
        filled[names] = values[complete]
        return filled, rows.loc[~complete]

    def save(self, folder: Path) -> None:
        """Write the medians into ``folder``."""
        self.medians.save(folder / _FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The imputer that :meth:`save` wrote."""
        return cls(CohortMedians.load(folder / _FILE))

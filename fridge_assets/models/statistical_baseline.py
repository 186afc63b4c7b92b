"""Statistical baseline: robust z-scores of each device against its own history (SPEC 2.1)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.contracts.device_features import SENSOR_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models._expected import Expected
from fridge_assets.models._robust import root_mean_square_of_largest
from fridge_assets.models.base import Basis, Comparison, Explanation, Granularity, View, require_columns
from fridge_assets.models.selection import STATE
from fridge_assets.settings import Settings

_RUNNING_FOLDER = "running"
_PARAMETERS_FILE = "baseline.json"
_COMPARED = frozenset(
    (
        *(f.name for f in SENSOR_FEATURES if f.aggregation in ("mean", "std")),
        "door_open_fraction",
        "sensor_completeness",
    )
)
_RUNNING_LEVELS = frozenset(
    (
        "temp_condenser_max",
        "temp_discharge_max",
        "pressure_high_max",
        "current_compressor_max",
        "vibration_compressor_max",
        "temp_evaporator_min",
        "pressure_low_min",
    )
)
"""What the sensors of the circuit reach while the compressor runs."""
_FEWEST_CYCLING = 300
"""Windows of machines that start and stop from which their running levels are learned."""


@dataclass(frozen=True)
class StatisticalBaseline:
    """What each device usually reads, and by how much it usually varies, at equal operating conditions.

    Ambient, defrost and door are taken out first, so that a hot afternoon or a defrost of a healthy device is not
    strange. The raw score is the root mean square of a row's largest |z|: about 1.5 for a typical row, and a single
    sensor that is far off its device's own history suffices to make it large.

    Where the compressor starts and stops within a window, the mean is that of run and rest, which varies more than a
    fault moves it. So these windows are also held against the levels that the device usually reaches while it runs.

    Args:
        windows: what is expected of the means and standard deviations of every window.
        running: the same of the levels that are reached in windows of run and rest; None where there are too few.
        strongest: number of |z| that make up the raw score.
        max_z: a single |z| counts at most this much.
    """

    family: ClassVar[str] = "statistical_baseline"
    major: ClassVar[int] = 1
    granularity: ClassVar[Granularity] = "fleet"
    view: ClassVar[View] = "window"
    basis: ClassVar[Basis] = "history"

    windows: Expected
    running: Expected | None
    strongest: int
    max_z: float

    @property
    def compared(self) -> tuple[str, ...]:
        """The features that have z-scores: means, standard deviations, door and completeness, then running levels."""
        return (*self.windows.compared, *(self.running.compared if self.running else ()))

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are compared, and those that say under which conditions."""
        return tuple(dict.fromkeys((*self.windows.features, *(self.running.features if self.running else ()))))

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame,
        features: tuple[str, ...],
        settings: Settings,
        seed: int,  # noqa: ARG003 (nothing here is random)
    ) -> Self:
        """Location and scale per device and feature, shrunk to its cohort's where its history is short.

        Raises:
            FridgeError: none of ``features`` is the mean or standard deviation of a sensor.
        """
        compared = tuple(name for name in features if name in _COMPARED)
        if not any(name.endswith(("_mean", "_std")) for name in compared):
            raise FridgeError(
                f"none of {len(features)} features is a sensor's mean or standard deviation",
                "The statistical baseline needs at least one sensor with readings in half of the windows.",
            )
        levels = tuple(name for name in features if name in _RUNNING_LEVELS)
        cycling = rows[_cycles(rows)] if STATE in rows.columns and levels else rows.head(0)
        running = Expected.fit(cycling, levels, features, settings) if len(cycling) >= _FEWEST_CYCLING else None
        limits = settings.baseline
        strongest = min(limits.strongest, len(compared))
        return cls(Expected.fit(rows, compared, features, settings), running, strongest, limits.max_z)

    def raw_scores(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Root mean square of each row's largest |z|, shape (n,)."""
        return root_mean_square_of_largest(self._absolute_z(rows), self.strongest)

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The features furthest from the device's own history; strengths are their |z|."""
        z = self._absolute_z(rows)
        order = np.argsort(-z, axis=1, kind="stable")[:, :top]
        strengths = np.take_along_axis(z, order, axis=1)
        kept = np.maximum((strengths > 0).sum(axis=1), 1)
        compared = self.compared
        return (
            [[compared[i] for i in row[:k]] for row, k in zip(order, kept, strict=True)],
            [row[:k].tolist() for row, k in zip(strengths, kept, strict=True)],
        )

    def compare(self, rows: pd.DataFrame) -> Comparison:
        """What was expected of each row, and how far off it is without the limit of ``max_z``."""
        found = self.windows.compare(rows)
        return found if self.running is None else found.beside(self.running.compare(rows))

    def save(self, folder: Path) -> None:
        """Write what is expected into files of its own, that of running levels into a folder, the rest as JSON."""
        self.windows.save(folder)
        if self.running is not None:
            (folder / _RUNNING_FOLDER).mkdir()
            self.running.save(folder / _RUNNING_FOLDER)
        parameters = {"strongest": self.strongest, "max_z": self.max_z}
        (folder / _PARAMETERS_FILE).write_text(json.dumps(parameters, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The baseline that :meth:`save` wrote; those of earlier releases know no running levels."""
        parameters = json.loads((folder / _PARAMETERS_FILE).read_text())
        running = Expected.load(folder / _RUNNING_FOLDER) if (folder / _RUNNING_FOLDER).is_dir() else None
        return cls(Expected.load(folder), running, parameters["strongest"], parameters["max_z"])

    def _absolute_z(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        z = self.windows.absolute_z(rows, self.max_z)
        if self.running is None:
            return z
        require_columns(rows, (STATE,))
        levels = self.running.absolute_z(rows, self.max_z) * _cycles(rows)[:, None]
        return np.hstack([z, levels])


def _cycles(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether the compressor started or stopped in the window, and nothing else was to be seen, shape (n,)."""
    return np.asarray(rows[STATE].eq("cycling").fillna(False), dtype=np.bool_)

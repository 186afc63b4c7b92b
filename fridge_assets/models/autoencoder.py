"""Autoencoder: what the cohort's own network cannot reproduce of a row is strange (SPEC 2.1)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fridge_assets.models._dense_network import DenseNetwork
from fridge_assets.models._network_training import Lesson, trained, untrained
from fridge_assets.models._relative import RelativeFeatures
from fridge_assets.models._robust import MAD_TO_SIGMA, root_mean_square_of_largest
from fridge_assets.models._sensor_groups import sensor_groups, strongest_sensors
from fridge_assets.models.base import Basis, Comparison, Explanation, Granularity, View
from fridge_assets.settings import Settings

_FLEET = ""
_NETWORKS_FILE = "networks.safetensors"
_TYPICAL_FILE = "typical_errors.parquet"
_PARAMETERS_FILE = "autoencoder.json"
_TAIL, _NORMAL_TAIL = 0.98, 2.326
_SMALLEST_ERROR = 0.1

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class _Limits:
    """How far a value counts, and how many errors make up the score (settings group ``autoencoder``)."""

    clip: float
    max_error: float
    strongest: int


@dataclass(frozen=True)
class CohortAutoencoder:
    """One network per cohort that squeezes a row through a few units and restores it (Hawkins et al., 2002).

    The raw score is the root mean square of a row's largest errors, each in units of its feature's typical error:
    1 to 2 for a typical row, and a single sensor that contradicts the others suffices to make it large. Cohorts of
    few devices, and those unknown in training, have the fleet's network. Scoring needs neither torch nor a graphics
    processor.

    Args:
        relative: what each row's features are relative to.
        networks: the fleet's, named by an empty cohort, and those of cohorts.
        typical: typical error of each feature by each network, one row per network, indexed by cohort, > 0.
        limits: how far a value counts, and how many errors make up the score.
    """

    family: ClassVar[str] = "autoencoder"
    major: ClassVar[int] = 1
    granularity: ClassVar[Granularity] = "cohort"
    view: ClassVar[View] = "window"
    basis: ClassVar[Basis] = "sensors"

    relative: RelativeFeatures
    networks: dict[str, DenseNetwork]
    typical: pd.DataFrame
    limits: _Limits

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are reproduced."""
        return self.relative.features

    @classmethod
    def fit(cls, rows: pd.DataFrame, features: tuple[str, ...], settings: Settings, seed: int) -> Self:
        """Networks for ``features`` of ``rows``; a cohort's starts as the fleet's and goes on learning.

        Raises:
            FridgeError: a feature is missing or null, or there is no graphics processor where one is asked for.
        """
        own = settings.autoencoder
        relative = RelativeFeatures.fit(rows, features)
        standardised = relative.deviations(rows) / relative.scales
        given = np.clip(standardised, -own.clip, own.clip)
        moments = pd.factorize(rows["window_end"], sort=True)[0]
        sensors = np.zeros((len(groups := sensor_groups(features)), len(features)), dtype=np.bool_)
        for number, (_, members) in enumerate(groups):
            sensors[number, members] = True
        cohorts = rows["cohort"].astype(str).to_numpy()
        devices = rows["device_id"].groupby(cohorts).nunique()
        networks: dict[str, DenseNetwork] = {}
        typical: dict[str, Matrix] = {}
        for cohort in (_FLEET, *sorted(devices.index[devices >= own.min_cohort_devices])):
            rng = np.random.default_rng([seed, crc32(cohort.encode())])
            belonging = np.arange(len(rows)) if cohort == _FLEET else np.flatnonzero(cohorts == cohort)
            some = np.sort(rng.permutation(belonging)[: own.max_network_rows])
            start = networks[_FLEET] if networks else untrained(len(features), settings.autoencoder, rng)
            networks[cohort] = trained(start, Lesson(given[some], moments[some], sensors), own, rng)
            typical[cohort] = _typical(np.abs(standardised[some] - networks[cohort].apply(given[some])))
        table = pd.DataFrame.from_dict(typical, orient="index", columns=list(features))
        limits = _Limits(own.clip, own.max_error, min(own.strongest, len(features)))
        return cls(relative, networks, table, limits)

    def raw_scores(self, rows: pd.DataFrame) -> Matrix:
        """Root mean square of each row's largest standardised errors, shape (n,)."""
        return root_mean_square_of_largest(self._errors(rows), self.limits.strongest)

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The sensors with the largest standardised errors, which are the strengths, each named by that feature."""
        errors = self._errors(rows)
        groups = sensor_groups(self.features)
        strengths = np.column_stack([errors[:, own].max(axis=1) for own, _ in groups])
        return strongest_sensors(self.features, groups, errors, strengths, top)

    def compare(self, rows: pd.DataFrame) -> Comparison:
        """What the network restored of each row, beside the feature's typical error."""
        _, restored, typical = self._restored(rows)
        return self.relative.compare(rows, restored, typical)

    def save(self, folder: Path) -> None:
        """Write the networks as safetensors, typical errors as Parquet, and the rest as JSON."""
        arrays = {
            f"{number}.{kind}.{layer}": np.ascontiguousarray(array)
            for number, cohort in enumerate(self.typical.index)
            for kind in ("weights", "biases")
            for layer, array in enumerate(getattr(self.networks[cohort], kind))
        }
        save_file(arrays, folder / _NETWORKS_FILE)
        self.typical.rename_axis("cohort").reset_index().to_parquet(folder / _TYPICAL_FILE, index=False)
        (folder / _PARAMETERS_FILE).write_text(json.dumps(asdict(self.limits), indent=1))
        self.relative.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The autoencoder that :meth:`save` wrote."""
        arrays = load_file(folder / _NETWORKS_FILE)
        typical = pd.read_parquet(folder / _TYPICAL_FILE).set_index("cohort")
        layers = range(len(arrays) // (2 * len(typical)))
        networks = {
            cohort: DenseNetwork(
                tuple(arrays[f"{number}.weights.{layer}"] for layer in layers),
                tuple(arrays[f"{number}.biases.{layer}"] for layer in layers),
            )
            for number, cohort in enumerate(typical.index)
        }
        limits = _Limits(**json.loads((folder / _PARAMETERS_FILE).read_text()))
        return cls(RelativeFeatures.load(folder), networks, typical, limits)

    def _errors(self, rows: pd.DataFrame) -> Matrix:
        """Absolute errors in units of the feature's typical one, shape (n, features)."""
        standardised, restored, typical = self._restored(rows)
        # The network saw a clipped value; how far it is off counts in full, so that it cannot hide behind the clip.
        errors: Matrix = np.minimum(np.abs(standardised - restored) / typical, self.limits.max_error)
        errors[self.relative.lacks(rows)] = 0.0
        return errors

    def _restored(self, rows: pd.DataFrame) -> tuple[Matrix, Matrix, Matrix]:
        """What was given to the networks and was not clipped, what they restored of it, and their typical errors."""
        standardised = self.relative.deviations(rows) / self.relative.scales
        given = np.clip(standardised, -self.limits.clip, self.limits.clip)
        position = np.maximum(self.typical.index.get_indexer(pd.Index(rows["cohort"].astype(str))), 0)
        restored = np.empty_like(given)
        for number, cohort in enumerate(self.typical.index):
            belonging = np.flatnonzero(position == number)
            restored[belonging] = self.networks[cohort].apply(given[belonging])
        return standardised, restored, self.typical.to_numpy(dtype=np.float64)[position]


def _typical(errors: Matrix) -> Matrix:
    """Typical error of each feature, from the middle and from the tail of its errors, shape (features,).

    Slopes, defrosts and completeness are exactly as expected most of the time; by the middle alone
    their every stir would be the largest error of its row. Below a tenth of a typical deviation no error counts as
    large, however well the network knows the feature.
    """
    middle = MAD_TO_SIGMA * np.median(errors, axis=0)
    tail = np.quantile(errors, _TAIL, axis=0) / _NORMAL_TAIL
    return np.maximum(np.maximum(middle, tail), _SMALLEST_ERROR)

"""A model version: everything that turns rows into scores, as files with their hashes (SPEC 3)."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.core.errors import FridgeError
from fridge_assets.models.base import Comparison, Explanation, ScoreModel, require_columns
from fridge_assets.models.calibration_by_state import CalibrationByState
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.imputation import Imputer
from fridge_assets.models.metadata import ModelMetadata
from fridge_assets.models.selection import COHORT, STATE

MANIFEST = "manifest.json"
_METADATA = "metadata.json"
_CALIBRATION = "calibration.json"
_MODEL = "model"
_IMPUTATION = "imputation"


class ArtifactRefused(FridgeError):
    """A version's files are not what training wrote."""


@dataclass(frozen=True)
class ModelVersion:
    """A fitted model with its imputer, its calibration and what it says about itself."""

    metadata: ModelMetadata
    model: ScoreModel
    imputer: Imputer
    calibration: CalibrationByState

    def score(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Calibrated scores in [0, 1] of complete ``rows``, shape (n,) (SPEC 2.2).

        Raises:
            FridgeError: a feature column, or the operating state, is missing or holds nulls; the columns are named.
        """
        if self.calibration.states or self.calibration.cohorts:
            require_columns(rows, (STATE, COHORT))
        return self.calibration.to_score(self.model.raw_scores(rows), rows.get(STATE), rows.get(COHORT))

    def explain(self, rows: pd.DataFrame, top: int) -> Explanation:
        """The features behind the scores of ``rows``: up to ``top`` names per row, strengths descending."""
        return self.model.explain(rows, top)

    def compare(self, rows: pd.DataFrame) -> Comparison:
        """What was expected of ``rows``, and how far off they are."""
        return self.model.compare(rows)

    def save(self, folder: Path) -> None:
        """Write the version into the existing, empty ``folder``, with a manifest of the files' hashes."""
        for part in (_MODEL, _IMPUTATION):
            (folder / part).mkdir()
        self.model.save(folder / _MODEL)
        self.imputer.save(folder / _IMPUTATION)
        (folder / _CALIBRATION).write_text(json.dumps(self.calibration.to_dict()))
        (folder / _METADATA).write_text(self.metadata.model_dump_json(indent=1))
        (folder / MANIFEST).write_text(json.dumps(_hashes(folder), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The version that :meth:`save` wrote.

        Raises:
            ArtifactRefused: a file is missing, unexpected or changed since, which is named; or another release
                wrote it in a form that this one does not know.
        """
        verify_files(folder)
        try:
            metadata = ModelMetadata.model_validate_json((folder / _METADATA).read_text())
            return cls(
                metadata,
                FAMILIES[metadata.family].load(folder / _MODEL),
                Imputer.load(folder / _IMPUTATION),
                CalibrationByState.from_dict(json.loads((folder / _CALIBRATION).read_text())),
            )
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise ArtifactRefused(
                f"model version {folder} is as training wrote it, but this release of fridge-assets cannot read it: "
                f"{type(error).__name__}: {error}",
                "Use the release that trained it, or train a new version.",
            ) from error


def file_hash(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {file.relative_to(folder).as_posix(): file_hash(file) for file in files}


def verify_files(folder: Path) -> None:
    """Compare the files of a version with its manifest.

    Raises:
        ArtifactRefused: a file is missing, unexpected or changed since; it is named.
    """
    remedy = "Do not use this version: restore its folder from a backup, or train a new version."
    if not (folder / MANIFEST).is_file():
        raise ArtifactRefused(f"model version {folder} has no {MANIFEST}", remedy)
    try:
        expected = json.loads((folder / MANIFEST).read_text())
    except ValueError as error:
        raise ArtifactRefused(f"{MANIFEST} of model version {folder} cannot be read: {error}", remedy) from error
    found = _hashes(folder)
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise ArtifactRefused(
            f"{', '.join(wrong)} of model version {folder} differ from what was written in training", remedy
        )

"""What a model version says about itself (SPEC 3)."""

from datetime import datetime
from importlib.metadata import version as installed_version
from typing import Any

from pydantic import BaseModel, ConfigDict

from fridge_assets.models.base import Granularity

_LIBRARIES = (
    "fridge-assets", "scikit-learn", "torch", "scipy", "numpy", "pandas", "pyarrow", "safetensors",
)  # fmt: skip


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class TrainingRecord(_Record):
    """What a version was trained on.

    Args:
        hash: content hash of the training rows, which names their snapshot.
        window_from: end of the oldest window.
        window_to: end of the newest window.
        rows: training rows, before self-cleaning.
        devices: devices among them.
        left_out: rows with a null that nothing could stand in for.
        self_cleaned: rows dropped as grossly contaminated.
        calibrated_on: how the raw scores behind the calibration came about.
        seed: seed of everything random.
        settings: the settings groups that training read.
    """

    hash: str
    window_from: datetime
    window_to: datetime
    rows: int
    devices: int
    left_out: int
    self_cleaned: int
    calibrated_on: str
    seed: int
    settings: dict[str, Any]


class ModelMetadata(_Record):
    """Everything about a model version that is not needed to compute a score.

    Args:
        family: model family.
        major: changes when scores of two versions can no longer be compared.
        version: semantic version; empty until the registry gives it one.
        granularity: what the model was fitted on.
        features: the features it needs, which is also what imputation fills.
        threshold: a score above it is flagged.
        imputation: where a stand-in for a null comes from, in order.
        training: what it was trained on.
        libraries: name → version of what it was trained with.
        metrics: figures about the version, by name.
        trained_at: when it was trained.
        operating_states: those that it knows; None where nobody can say, as in models of days or on windows of
            earlier releases.
        cohorts: those that it knows; None in versions of earlier releases.
        states_of_cohorts: cohort → operating states that it has shown often enough; None in versions of earlier
            releases, and where there are no states.
        provisional: what little it has seen, such as ``trained on 14 h of one device``, where that is too little for a
            high score; empty otherwise.
    """

    family: str
    major: int
    version: str = ""
    granularity: Granularity
    features: tuple[str, ...]
    threshold: float
    imputation: tuple[str, ...]
    training: TrainingRecord
    libraries: dict[str, str]
    metrics: dict[str, float]
    trained_at: datetime
    operating_states: tuple[str, ...] | None = None
    cohorts: tuple[str, ...] | None = None
    states_of_cohorts: dict[str, tuple[str, ...]] | None = None
    provisional: str = ""

    @property
    def model_id(self) -> str:
        """Family and major version, such as ``isolation_forest_v1``."""
        return f"{self.family}_v{self.major}"


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide what training gives."""
    return {name: installed_version(name) for name in _LIBRARIES}

"""From training rows to a calibrated model; the same rows give the same model (SPEC 2.1, 2.2)."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import spoken
from fridge_assets.models.base import ScoreModel
from fridge_assets.models.calibration import Calibration
from fridge_assets.models.calibration_by_state import CalibrationByState
from fridge_assets.models.contamination import contaminated
from fridge_assets.models.cross_fitting import UnseenScores, unseen_scores
from fridge_assets.models.imputation import IMPUTATION_ORDER, Imputer
from fridge_assets.models.metadata import ModelMetadata, TrainingRecord, library_versions
from fridge_assets.models.selection import COHORT, STATE
from fridge_assets.models.snapshot import canonical, content_hash
from fridge_assets.models.version import ModelVersion
from fridge_assets.settings import CalibrationSettings, Settings, TrainingSettings

_FAMILY_SETTINGS = ("forest", "baseline", "autoencoder", "dbscan")
_LEAST_PRESENT = 0.5
_FEWEST_OF_COHORT = 32
"""Windows of a cohort from which its sensors count by themselves."""


class NotEnoughTrainingRows(FridgeError):
    """There is too little to learn from."""


@dataclass(frozen=True)
class TrainedModel:
    """A model version that the registry has not numbered yet, and the rows it was made of."""

    version: ModelVersion
    rows: pd.DataFrame


def train(model_class: type[ScoreModel], rows: pd.DataFrame, settings: Settings, now: datetime) -> TrainedModel:
    """Impute, clean, fit and calibrate one family on ``rows``.

    Args:
        model_class: the family.
        rows: ``device_id``, ``cohort``, ``window_end`` and features, in any order.
        settings: groups ``training``, ``calibration`` and the family's own.
        now: recorded as ``trained_at``.

    Raises:
        NotEnoughTrainingRows: fewer rows than ``settings.training.min_rows``, or no usable feature.
    """
    rows = canonical(rows)
    _require_enough(len(rows), settings.training)
    features = usable_features(rows)
    complete, left_out = Imputer.fit(rows, features).apply(rows)
    seed = settings.training.seed
    kept = complete[self_clean(model_class, complete, features, settings)]
    model = model_class.fit(kept, features, settings, seed)
    unseen = unseen_scores(model_class, model, kept, features, settings)
    length = settings.dbscan.day if model_class.view == "day" else settings.calibration.independent_span
    calibration = CalibrationByState.fit(unseen, length, settings.calibration)
    record = TrainingRecord(
        hash=content_hash(rows),
        window_from=rows["window_end"].min().to_pydatetime(),
        window_to=rows["window_end"].max().to_pydatetime(),
        rows=len(rows),
        devices=rows["device_id"].nunique(),
        left_out=len(left_out),
        self_cleaned=len(complete) - len(kept),
        calibrated_on=unseen.said,
        seed=seed,
        settings=settings.model_dump(mode="json", include={"training", "calibration", *_FAMILY_SETTINGS}),
    )
    metadata = ModelMetadata(
        family=model_class.family,
        major=model_class.major,
        granularity=model_class.granularity,
        features=model.features,
        threshold=settings.calibration.threshold,
        imputation=IMPUTATION_ORDER,
        training=record,
        libraries=library_versions(),
        metrics=_metrics(calibration, unseen, settings.calibration),
        trained_at=now,
        operating_states=known_states(kept, settings.training),
        cohorts=_often(kept[COHORT], settings.training),
        states_of_cohorts=states_of_cohorts(kept, settings.training),
        provisional=provisional(calibration.overall, record, settings),
    )
    return TrainedModel(ModelVersion(metadata, model, Imputer.fit(rows, model.features), calibration), rows)


def known_states(rows: pd.DataFrame, settings: TrainingSettings) -> tuple[str, ...] | None:
    """The operating states that ``rows`` show; None where some of them do not say theirs.

    Args:
        rows: what a model is fitted on.
        settings: from how many rows on a state is known.
    """
    return _often(rows[STATE], settings) if _tell_state(rows) else None


def states_of_cohorts(rows: pd.DataFrame, settings: TrainingSettings) -> dict[str, tuple[str, ...]] | None:
    """The same by cohort: what is usual of one kind of machine at a standstill tells little of another."""
    if not _tell_state(rows):
        return None
    cohorts = rows[STATE].groupby(rows[COHORT].astype(str))
    return {str(name): _often(states, settings) for name, states in cohorts}


def _tell_state(rows: pd.DataFrame) -> bool:
    return STATE in rows.columns and not bool((rows[STATE] == "").any())


def _often(values: pd.Series, settings: TrainingSettings) -> tuple[str, ...]:
    count = values.value_counts()
    return tuple(sorted(count.index[count >= settings.known_state_rows]))


def usable_features(rows: pd.DataFrame) -> tuple[str, ...]:
    """The MODEL_FEATURES that at least half of the rows of some cohort have; a fleet may lack sensors.

    A sensor that only a few cohorts have is worth as much there: the others are not held against it. Cohorts with too
    few rows to be trained on alone count together.

    Raises:
        NotEnoughTrainingRows: there is none.
    """
    cohort = rows[COHORT].astype(str) if COHORT in rows.columns else pd.Series("", index=rows.index)
    counted = cohort.where(cohort.map(cohort.value_counts()) >= _FEWEST_OF_COHORT, "")
    present = rows.reindex(columns=list(MODEL_FEATURES)).notna().groupby(counted.to_numpy()).mean().max()
    usable = tuple(name for name in MODEL_FEATURES if present[name] >= _LEAST_PRESENT)
    if not usable:
        raise NotEnoughTrainingRows(
            f"none of {len(MODEL_FEATURES)} features is present in half of {len(rows)} training windows",
            "Check the sensor columns of the readings: names, units and ranges.",
        )
    return usable


def self_clean(
    model_class: type[ScoreModel], rows: pd.DataFrame, features: tuple[str, ...], settings: Settings
) -> NDArray[np.bool_]:
    """Which of the complete ``rows`` to keep, shape (n,): a few devices of any fleet are faulty already.

    A preliminary model scores its own rows. Those further above the upper quartile of the logarithm of the
    raw score than three interquartile ranges are far out (Tukey's fence, on a logarithm because raw scores
    are skewed). They are dropped from devices that have more of them than chance allows: what happens to all
    devices alike, such as defrosts, is how the fleet works. The strangest go first, and never more than
    ``settings.training.max_self_cleaning``.
    """
    raw = model_class.fit(rows, features, settings, settings.training.seed).raw_scores(rows)
    device, _ = pd.factorize(rows["device_id"])
    suspect = contaminated(raw, device)
    allowed = int(settings.training.max_self_cleaning * len(rows))
    strangest = np.argsort(np.where(suspect, -raw, np.inf), kind="stable")
    strangest = strangest[: min(int(suspect.sum()), allowed)]
    kept = np.ones(len(rows), dtype=np.bool_)
    kept[strangest] = False
    return kept


def provisional(calibration: Calibration, record: TrainingRecord, settings: Settings) -> str:
    """What little a version has seen, where that is too little for a high score; empty where it is enough.

    Args:
        calibration: of all its windows.
        record: what it was trained on.
        settings: groups ``calibration`` and ``features``.
    """
    if calibration.highest_score > settings.calibration.provisional_score:
        return ""
    history = spoken(record.window_to - record.window_from + settings.features.window)
    return f"trained on {history} of {'one device' if record.devices == 1 else f'{record.devices:,} devices'}"


def _metrics(calibration: CalibrationByState, unseen: UnseenScores, settings: CalibrationSettings) -> dict[str, float]:
    scores = calibration.to_score(unseen.raw, unseen.rows.get(STATE), unseen.rows.get(COHORT))
    return {
        "share_flagged": float((scores > settings.threshold).mean()),
        "score_mean": float(scores.mean()),
        "score_p95": float(np.quantile(scores, 0.95)),
        "tail_shape": calibration.overall.tail_shape,
    }


def _require_enough(rows: int, settings: TrainingSettings) -> None:
    if rows < settings.min_rows:
        raise NotEnoughTrainingRows(
            f"{rows} usable rows, and training needs {settings.min_rows}",
            "Bring a longer history, or lower FRIDGE_TRAINING__MIN_ROWS.",
        )

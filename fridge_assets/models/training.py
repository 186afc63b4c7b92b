"""From training rows to a calibrated model; the same rows give the same model (SPEC 2.1, 2.2)."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtrc

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models.base import ScoreModel
from fridge_assets.models.calibration import Calibration
from fridge_assets.models.imputation import IMPUTATION_ORDER, Imputer
from fridge_assets.models.metadata import ModelMetadata, TrainingRecord, library_versions
from fridge_assets.models.selection import STATE
from fridge_assets.models.snapshot import canonical, content_hash
from fridge_assets.models.version import ModelVersion
from fridge_assets.settings import CalibrationSettings, DbscanSettings, Settings, TrainingSettings

_FAMILY_SETTINGS = ("forest", "baseline", "autoencoder", "dbscan")
_LEAST_PRESENT = 0.5
_FAR_OUT = 3.0
_CHANCE = 1e-3
_SMALLEST_BLOCK = 20
_LEAST_LEFT = 0.25
"""Share of the rows outside of a time block that must be left to fit on, once those that overlap with it are not."""


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
    raw, calibrated_on = _unseen_raw_scores(model_class, model, kept, features, settings)
    calibration = Calibration.fit(raw, settings.calibration)
    record = TrainingRecord(
        hash=content_hash(rows),
        window_from=rows["window_end"].min().to_pydatetime(),
        window_to=rows["window_end"].max().to_pydatetime(),
        rows=len(rows),
        devices=rows["device_id"].nunique(),
        left_out=len(left_out),
        self_cleaned=len(complete) - len(kept),
        calibrated_on=calibrated_on,
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
        metrics=_metrics(calibration, raw, settings.calibration),
        trained_at=now,
        operating_states=known_states(kept, settings.training),
    )
    return TrainedModel(ModelVersion(metadata, model, Imputer.fit(rows, model.features), calibration), rows)


def known_states(rows: pd.DataFrame, settings: TrainingSettings) -> tuple[str, ...] | None:
    """The operating states that ``rows`` show; None where some of them do not say theirs.

    Args:
        rows: what a model is fitted on.
        settings: from how many rows on a state is known.
    """
    if STATE not in rows.columns or (rows[STATE] == "").any():
        return None
    count = rows[STATE].value_counts()
    return tuple(sorted(count.index[count >= settings.known_state_rows]))


def usable_features(rows: pd.DataFrame) -> tuple[str, ...]:
    """The MODEL_FEATURES that at least half of ``rows`` have; a fleet may lack sensors.

    Raises:
        NotEnoughTrainingRows: there is none.
    """
    present = rows.reindex(columns=list(MODEL_FEATURES)).notna().mean()
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
    contaminated = _contaminated(raw, device)
    allowed = int(settings.training.max_self_cleaning * len(rows))
    strangest = np.argsort(np.where(contaminated, -raw, np.inf), kind="stable")
    strangest = strangest[: min(int(contaminated.sum()), allowed)]
    kept = np.ones(len(rows), dtype=np.bool_)
    kept[strangest] = False
    return kept


def trustworthy(raw: NDArray[np.float64], device: NDArray[np.intp], settings: TrainingSettings) -> NDArray[np.bool_]:
    """Which unseen rows may say what is usual, shape (n,): none of a device that has begun to fail.

    A fault that is still growing makes a part of its device's windows strange, and one such device in twenty
    would pass its strangeness off as the healthy fleet's rarest windows. Left out are whole devices, those
    with the largest share of contaminated rows first, and never more than
    ``max_self_cleaning`` of the rows.

    Args:
        raw: raw scores by a model that has not seen the rows.
        device: number of each row's device, 0 … max, every one with rows.
        settings: how many rows may be left out.
    """
    count = np.bincount(device)
    share = np.bincount(device, weights=_contaminated(raw, device)) / count
    worst = np.argsort(-share, kind="stable")
    within = np.cumsum(count[worst]) <= settings.max_self_cleaning * len(raw)
    failing = np.zeros(len(count), dtype=np.bool_)
    failing[worst[within]] = True
    trusted: NDArray[np.bool_] = ~(failing & (share > 0))[device]
    return trusted


def _contaminated(raw: NDArray[np.float64], device: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Far-out rows of the devices that have more of them than chance allows, shape (n,)."""
    level = np.log(np.maximum(raw, np.finfo(np.float64).tiny))
    lower, upper = np.quantile(level, (0.25, 0.75))
    far_out = level > upper + _FAR_OUT * (upper - lower)
    by_chance = bdtrc(np.bincount(device, weights=far_out) - 1, np.bincount(device), far_out.mean())
    contaminated: NDArray[np.bool_] = far_out & (by_chance < _CHANCE)[device]
    return contaminated


def time_blocks(window_end: pd.Series, blocks: int) -> NDArray[np.intp]:
    """Number of the contiguous time block that each row falls into, blocks of about as many rows each."""
    order = window_end.rank(method="average").to_numpy() - 0.5  # the middle of each moment's rows
    return (order * blocks // len(order)).astype(np.intp)


def _unseen_raw_scores(
    model_class: type[ScoreModel],
    model: ScoreModel,
    rows: pd.DataFrame,
    features: tuple[str, ...],
    settings: Settings,
) -> tuple[NDArray[np.float64], str]:
    """Raw scores of windows that the model scoring them has not seen, and how they came about.

    A model knows its own training rows too well, above all one that keeps statistics of each device, and
    would flag new windows of healthy devices far more often than 1 %. A block is passed over where too few days
    are left once those that overlap with it are not fitted on.
    """
    folds = settings.calibration.folds
    block = time_blocks(rows["window_end"], folds)
    if np.bincount(block, minlength=folds).min() < _SMALLEST_BLOCK:
        return model.raw_scores(rows), f"its own training rows: too few windows for {folds} time blocks"
    raw = np.full(len(rows), np.nan)
    used = 0
    for number in range(folds):
        unseen = block == number
        known = ~unseen
        if model_class.view == "day":
            known = _apart(rows["window_end"], unseen, settings.dbscan)
        if known.sum() < _LEAST_LEFT * (~unseen).sum():
            continue
        partial = model_class.fit(rows[known], features, settings, settings.training.seed)
        raw[unseen] = partial.raw_scores(rows[unseen])
        used += 1
    if used == 0:
        return model.raw_scores(rows), f"its own training rows: too few days apart from each of {folds} time blocks"
    judged = np.flatnonzero(~np.isnan(raw))
    device, _ = pd.factorize(rows["device_id"].iloc[judged])
    trusted = judged[trustworthy(raw[judged], device, settings.training)]
    blocks = f"{folds} time blocks" if used == folds else f"{used} of {folds} time blocks"
    said = f"unseen rows: {blocks}, each scored by a model fitted on the others"
    if model_class.view == "day":
        said += " but for days that overlap with it"
    return raw[trusted], f"{said}; {len(judged) - len(trusted)} rows of failing devices left out"


def _apart(window_end: pd.Series, unseen: NDArray[np.bool_], settings: DbscanSettings) -> NDArray[np.bool_]:
    """Which days have no window in common with those of the block of ``unseen`` ones, shape (n,).

    Days that end an hour apart are nearly the same day: a model that knows one of them has seen the other, too
    (purged cross-validation: Lopez de Prado, 2018, section 7.4).
    """
    block, day = window_end[unseen], settings.day
    apart: NDArray[np.bool_] = ((window_end <= block.min() - day) | (window_end >= block.max() + day)).to_numpy()
    return apart


def _metrics(calibration: Calibration, raw: NDArray[np.float64], settings: CalibrationSettings) -> dict[str, float]:
    scores = calibration.to_score(raw)
    return {
        "share_flagged": float((scores > settings.threshold).mean()),
        "score_mean": float(scores.mean()),
        "score_p95": float(np.quantile(scores, 0.95)),
        "tail_shape": calibration.tail_shape,
    }


def _require_enough(rows: int, settings: TrainingSettings) -> None:
    if rows < settings.min_rows:
        raise NotEnoughTrainingRows(
            f"{rows} usable rows, and training needs {settings.min_rows}",
            "Bring a longer history, or lower FRIDGE_TRAINING__MIN_ROWS.",
        )

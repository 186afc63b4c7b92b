"""What a comparison starts from, and which of it can be used (SPEC 3.1)."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.contracts import CANARY_SCORES
from fridge_assets.settings import CanarySettings

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class CanaryInput:
    """Scores of one window by the three models of a comparison, as they came.

    Args:
        family: model family.
        candidate_version: the staged version.
        production_version: the released version.
        window_end: the scored window.
        candidate: ``device_id`` and ``score``, one row per device, of the staged version.
        production: the same of the released version.
        twin: the same of the released version's training rows fitted under another seed.
        candidate_threshold: the candidate flags scores above it.
        production_threshold: production and its twin flag scores above it.
        runs_per_day: how often the family scores.
        now: recorded as ``created_at``.
    """

    family: str
    candidate_version: str
    production_version: str
    window_end: datetime
    candidate: pd.DataFrame
    production: pd.DataFrame
    twin: pd.DataFrame
    candidate_threshold: float
    production_threshold: float
    runs_per_day: int
    now: datetime


@dataclass(frozen=True)
class Compared:
    """Scores of the same devices in the same order, all in [0, 1].

    Args:
        devices: in ascending order, which decides ties.
        candidate: shape (n,).
        production: shape (n,).
        twin: shape (n,); None when there is no usable twin.
        refused: why the candidate is blocked whatever its other scores say; empty when it is not.
        missing: why nothing can be concluded; empty when something can.
    """

    devices: NDArray[np.object_]
    candidate: Scores
    production: Scores
    twin: Scores | None
    refused: str
    missing: str


def align(given: CanaryInput, settings: CanarySettings) -> Compared:
    """The devices that all have scored; never an exception for what a model has put into its frame.

    What is wrong with the candidate's scores speaks against the candidate. What is wrong with production's or the
    twin's keeps anything from being concluded.
    """
    candidate, refused = _usable(given.candidate)
    production, broken = _usable(given.production)
    twin, twin_broken = _usable(given.twin)
    unscored = ~production.index.isin(candidate.index)
    if not refused and len(production) and unscored.mean() > settings.max_missing:
        refused = f"left {_share(int(unscored.sum()), len(production))} devices unscored that production scored"
    common = candidate.index.intersection(production.index).sort_values()
    missing = _nothing_to_hold_against(production, broken)
    paired = common.intersection(twin.index)
    if twin_broken or len(common) - len(paired) > settings.max_missing * len(common) or not len(paired):
        noise = None
        because = f": it {twin_broken}" if twin_broken else f": it scored {_share(len(paired), len(common))} devices"
        missing = missing or f"there is no noise floor, production's twin cannot be used{because}"
    else:
        common = paired.sort_values()
        noise = _of(twin, common)
    if len(common) < settings.min_rows:
        missing = missing or f"{len(common)} devices were compared, fewer than {settings.min_rows}"
    return Compared(
        devices=common.to_numpy(dtype=object),
        candidate=_of(candidate, common),
        production=_of(production, common),
        twin=noise,
        refused=refused,
        missing=missing,
    )


def canary_scores_frame(given: CanaryInput) -> pd.DataFrame:
    """CANARY_SCORES rows of the devices that candidate and production both gave one valid score, by device."""
    candidate, _ = _usable(given.candidate)
    production, _ = _usable(given.production)
    common = candidate.index.intersection(production.index).sort_values()
    ours, theirs = _of(candidate, common), _of(production, common)
    frame = pd.DataFrame(
        {
            "device_id": common.to_numpy(),
            "window_end": pd.Timestamp(given.window_end),
            "family": given.family,
            "candidate_version": given.candidate_version,
            "production_version": given.production_version,
            "candidate_score": ours,
            "production_score": theirs,
            "candidate_flag": ours > given.candidate_threshold,
            "production_flag": theirs > given.production_threshold,
            "score_diff": ours - theirs,
        }
    )
    rows: pd.DataFrame = CANARY_SCORES.to_arrow(frame).to_pandas()
    return rows


def _usable(frame: pd.DataFrame) -> "tuple[pd.Series[float], str]":
    """Valid scores by device, and what is wrong with the other rows: empty when nothing is."""
    lacking = [name for name in ("device_id", "score") if name not in frame.columns]
    if lacking:
        return _no_scores(), f"has no column {' and '.join(lacking)}"
    scores = pd.to_numeric(frame["score"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    valid = (scores >= 0) & (scores <= 1)  # false for NaN
    named = frame["device_id"].notna().to_numpy()
    devices = frame["device_id"].astype("str").where(named, "")
    repeated = devices.duplicated(keep=False).to_numpy() & named
    kept = valid & named & ~repeated
    found = pd.Series(scores[kept], index=pd.Index(devices.to_numpy(dtype=object)[kept]), dtype="float64")
    faults = (
        (int(np.isnan(scores).sum()), "scores that are not numbers"),
        (int((~valid & ~np.isnan(scores)).sum()), "scores outside 0…1"),
        (int((~named).sum()), "rows without a device"),
        (int(repeated.sum()), "rows of devices that it scored more than once"),
    )
    said = [f"{count:,} {what}" for count, what in faults if count]
    return found, f"gave {' and '.join(said)} among {len(frame):,}" if said else ""


def _no_scores() -> "pd.Series[float]":
    return pd.Series(np.empty(0), index=pd.Index([], dtype=object))


def _nothing_to_hold_against(production: "pd.Series[float]", broken: str) -> str:
    if broken:
        return f"production cannot be held against: it {broken}"
    return "" if len(production) else "there is nothing to hold against: production scored no device"


def _of(scores: "pd.Series[float]", devices: pd.Index) -> Scores:
    return np.asarray(scores.loc[devices], dtype=np.float64)


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}"

"""Raw scores of windows by models that have not seen them, and how many of these windows are independent (SPEC 2.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.models.base import ScoreModel
from fridge_assets.models.contamination import trustworthy
from fridge_assets.settings import CalibrationSettings, Settings

Mask = NDArray[np.bool_]

_LEAST_LEFT = 0.25
"""Share of the rows outside of a block that must be left to fit on, once those that overlap with it are not."""

_LEAST_JUDGED = 0.25
"""Share of the rows that must get a score, or the blocks are no way to cut these rows."""

_FEWEST_KNOWN = 16
"""Rows without which nothing is fitted."""


@dataclass(frozen=True)
class UnseenScores:
    """Raw scores to calibrate on.

    Args:
        raw: shape (n,).
        rows: the rows that they are of, in the same order.
        said: how they came about.
        seen: whether the model that scored the rows was fitted on them, as no other way was left.
    """

    raw: NDArray[np.float64]
    rows: pd.DataFrame
    said: str
    seen: bool = False


def unseen_scores(
    model_class: type[ScoreModel], model: ScoreModel, rows: pd.DataFrame, features: tuple[str, ...], settings: Settings
) -> UnseenScores:
    """Raw scores of ``rows``, each by a model that was fitted on other rows.

    A model knows its own training rows too well, above all one that keeps statistics of each device, and
    would flag new windows of healthy devices far more often than 1 %. So the rows are cut into blocks of time, and each
    block is scored by a model of the others; where time is too short to be cut, they are cut by device. A block is
    passed over where too little is left once the days that overlap with it are not fitted on. Of a large fleet some
    devices with all their rows suffice.

    Args:
        model_class: the family.
        model: fitted on all ``rows``: it scores them only where there is one device in too short a time.
        rows: complete rows, in canonical order.
        features: those offered to a model.
        settings: groups ``calibration``, ``training``, ``dbscan`` and the family's own.
    """
    limits = settings.calibration
    rows = _some_devices(rows, limits.max_rows)
    folds = limits.thin_folds if len(rows) < limits.thin_rows else limits.folds
    day = settings.dbscan.day if model_class.view == "day" else None
    moments = rows["window_end"].nunique()
    in_time = min(folds, moments)
    of_devices = min(folds, rows["device_id"].nunique())

    def known_in_time(unseen: Mask) -> Mask:
        return ~unseen if day is None else apart(rows["window_end"], unseen, day)

    ways: tuple[tuple[str, int, NDArray[np.intp], Callable[[Mask], Mask]], ...] = (
        ("time blocks", in_time, time_blocks(rows["window_end"], in_time), known_in_time),
        ("groups of devices", of_devices, device_blocks(rows["device_id"], of_devices), np.logical_not),
    )
    # Within a few moments a device's own history says little: other devices are the better stand-in for a later window.
    for name, blocks, block, known in ways if in_time * 2 <= moments else reversed(ways):
        raw, used = _each_by_the_others(model_class, rows, features, settings, block, known)
        judged = np.flatnonzero(~np.isnan(raw))
        if len(judged) < _LEAST_JUDGED * len(rows):
            continue
        device, _ = pd.factorize(rows["device_id"].iloc[judged])
        trusted = judged[trustworthy(raw[judged], device, settings.training)]
        said = f"unseen rows: {used if used == blocks else f'{used} of {blocks}'} {name}, "
        said += "each scored by a model fitted on the others"
        if name == "time blocks" and day is not None:
            said += " but for days that overlap with it"
        said += f"; {len(judged) - len(trusted)} rows of failing devices left out"
        return UnseenScores(raw[trusted], rows.iloc[trusted].reset_index(drop=True), said)
    return UnseenScores(model.raw_scores(rows), rows, "its own training rows: one device, too short a time", seen=True)


def independent_blocks(rows: pd.DataFrame, length: timedelta, settings: CalibrationSettings) -> int:
    """How many of ``rows`` are independent of one another, about; at least 1.

    Windows of a device within ``length`` show the same stretch of its life, and count once. Devices share weather,
    hours and season: of those seen at the same time only ``independent_devices`` count.

    Args:
        rows: ``device_id`` and ``window_end``.
        length: of a block.
        settings: how many devices count.
    """
    span = rows["window_end"].astype("int64") // int(length / timedelta(microseconds=1))
    devices = pd.DataFrame({"device": rows["device_id"], "span": span}).drop_duplicates().groupby("span").size()
    return max(int(devices.clip(upper=settings.independent_devices).sum()), 1)


def time_blocks(window_end: pd.Series, blocks: int) -> NDArray[np.intp]:
    """Number of the contiguous time block that each row falls into, blocks of about as many rows each."""
    order = window_end.rank(method="average").to_numpy() - 0.5  # the middle of each moment's rows
    return (order * blocks // len(order)).astype(np.intp)


def device_blocks(device_id: pd.Series, blocks: int) -> NDArray[np.intp]:
    """Number of the group that each row's device falls into, groups of as many devices each, whatever their cohorts."""
    return _drawn_rank(device_id) % blocks


def apart(window_end: pd.Series, unseen: Mask, day: timedelta) -> Mask:
    """Which days have no window in common with those of the block of ``unseen`` ones, shape (n,).

    Days that end an hour apart are nearly the same day: a model that knows one of them has seen the other, too
    (purged cross-validation: Lopez de Prado, 2018, section 7.4).
    """
    block = window_end[unseen]
    others: Mask = ((window_end <= block.min() - day) | (window_end >= block.max() + day)).to_numpy()
    return others


def _each_by_the_others(
    model_class: type[ScoreModel],
    rows: pd.DataFrame,
    features: tuple[str, ...],
    settings: Settings,
    block: NDArray[np.intp],
    known_of: Callable[[Mask], Mask],
) -> tuple[NDArray[np.float64], int]:
    """Raw scores, NaN where too little was left to fit on, and how many blocks have any."""
    raw = np.full(len(rows), np.nan)
    used = 0
    for number in np.unique(block):
        unseen = block == number
        known = known_of(unseen)
        if known.sum() < max(_LEAST_LEFT * (~unseen).sum(), _FEWEST_KNOWN):
            continue
        partial = model_class.fit(rows[known], features, settings, settings.training.seed)
        raw[unseen] = partial.raw_scores(rows[unseen])
        used += 1
    return raw, used


def _some_devices(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """``rows``, or all those of so many devices that they are no more than ``most``."""
    if len(rows) <= most:
        return rows
    rank = _drawn_rank(rows["device_id"])
    kept = np.cumsum(np.bincount(rank)) <= most
    return rows[kept[rank]].reset_index(drop=True)


def _drawn_rank(device_id: pd.Series) -> NDArray[np.intp]:
    """Place of each row's device in an order that has nothing to do with its name, 0 …"""
    device, names = pd.factorize(device_id, sort=True)
    order = np.argsort([crc32(str(name).encode()) for name in names], kind="stable")
    rank = np.empty(len(names), dtype=np.intp)
    rank[order] = np.arange(len(names))
    return rank[device]

"""Rows of devices that have begun to fail, told by how strange a model finds them (SPEC 2.1)."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from fridge_assets.settings import TrainingSettings

_FAR_OUT = 3.0
_CHANCE = 1e-3


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
    share = np.bincount(device, weights=contaminated(raw, device)) / count
    worst = np.argsort(-share, kind="stable")
    within = np.cumsum(count[worst]) <= settings.max_self_cleaning * len(raw)
    failing = np.zeros(len(count), dtype=np.bool_)
    failing[worst[within]] = True
    trusted: NDArray[np.bool_] = ~(failing & (share > 0))[device]
    return trusted


def contaminated(raw: NDArray[np.float64], device: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Far-out rows of the devices that have more of them than chance allows, shape (n,)."""
    level = np.log(np.maximum(raw, np.finfo(np.float64).tiny))
    lower, upper = np.quantile(level, (0.25, 0.75))
    far_out = level > upper + _FAR_OUT * (upper - lower)
    by_chance = bdtrc(np.bincount(device, weights=far_out) - 1, np.bincount(device), far_out.mean())
    found: NDArray[np.bool_] = far_out & (by_chance < _CHANCE)[device]
    return found

"""Whose word about a threshold counts when: the registry's before the model's, and that before the default (SPEC 5)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.streaming.rules import RULES

REGISTRY, MODEL, DEFAULT = "registry", "model", "default"
"""Origins of a threshold; the default goes without saying."""

DEFAULTS: Mapping[str, float] = {name: rule.default for name, rule in RULES.items()}
"""Rule → threshold of a device about which nobody has said anything."""


def pieces_in_force(words: pd.DataFrame) -> pd.DataFrame:
    """What is in force from the first word about a device and rule on, by device, rule and time.

    Args:
        words: ``device_id``, ``rule``, ``origin``, ``since`` (UTC) and ``value`` (null: taken back), in any order; all
            words that there are about a device and rule.

    Returns:
        ``device_id``, ``rule``, ``since`` and ``until`` (exclusive, null for open) in microseconds since 1970,
        ``value``, ``origin``; neighbours differ in value or origin.
    """
    since = words["since"].dt.as_unit("us").astype("int64").to_numpy()
    subject = words.groupby(["device_id", "rule"]).ngroup().to_numpy()
    order = np.lexsort((since, subject))
    words, since, subject = words.iloc[order], since[order], subject[order]
    registry, model = _said_by(words, REGISTRY, subject), _said_by(words, MODEL, subject)
    default = words["rule"].map(DEFAULTS).to_numpy(dtype=np.float64)
    origin = np.select([~np.isnan(registry), ~np.isnan(model)], [REGISTRY, MODEL], DEFAULT)
    value = np.select([~np.isnan(registry), ~np.isnan(model)], [registry, model], default)
    # Where both speak at one moment, what counts is how things stand after the last word of it.
    settled = np.flatnonzero(_borders(subject, since)[1:])
    kept = settled[_borders(subject[settled], origin[settled], value[settled])[:-1]]
    until = pd.Series(since[kept], dtype="Int64").shift(-1).mask(_borders(subject[kept])[1:])
    pieces = words[["device_id", "rule"]].iloc[kept].reset_index(drop=True)
    return pieces.assign(since=since[kept], until=until, value=value[kept], origin=origin[kept])


def _said_by(words: pd.DataFrame, origin: str, subject: NDArray[Any]) -> NDArray[np.float64]:
    """The word of ``origin`` that counts after each of the ordered ``words``, NaN for none."""
    place = np.arange(len(words))
    begins = np.maximum.accumulate(np.where(_borders(subject)[:-1], place, 0))
    latest = np.maximum.accumulate(np.where(words["origin"].to_numpy() == origin, place, -1))
    return np.where(latest >= begins, words["value"].to_numpy(dtype=np.float64)[latest], np.nan)


def _borders(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a row is unlike the one before in any column, shape (rows + 1,): true at both ends."""
    borders = np.ones(len(columns[0]) + 1, dtype=np.bool_)
    borders[1:-1] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return borders

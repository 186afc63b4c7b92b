"""What each number of an alert was held against: what its model expected, a fixed limit, or else what is usual."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from fridge_assets.contracts import MODEL_FEATURES

UNUSUAL = 2.0
"""Spreads from what was expected; a value that is nearer is not unusual by itself."""

LIMIT = "limit"
"""Basis of a value that is held against a fixed limit."""

USUAL = "usual"
"""Basis of a value of which nobody has kept what was expected."""


class Judged(NamedTuple):
    """A value and what it was held against.

    Args:
        value: in the feature's unit.
        expected: in the feature's unit.
        spread: how far values usually are from ``expected``; None where nobody knows.
        deviation: how far this one is, in spreads; None where nobody knows.
        basis: a :data:`fridge_assets.models.base.Basis`, :data:`LIMIT` or :data:`USUAL`.
        since: start of what was measured.
        until: its end.
    """

    value: float
    expected: float
    spread: float | None
    deviation: float | None
    basis: str
    since: pd.Timestamp
    until: pd.Timestamp

    @property
    def unusual(self) -> bool:
        """Whether the value is unusual by itself, as far as anybody knows."""
        return self.deviation is None or abs(self.deviation) >= UNUSUAL


def judged_contributors(
    drafts: pd.DataFrame,
    comparisons: pd.DataFrame,
    measured: Mapping[str, Mapping[str, float]],
    usual: Mapping[str, Mapping[str, float]],
) -> list[dict[str, Judged]]:
    """Of each draft: contributor → what its value was held against; those that were not measured are left out.

    Args:
        drafts: one row per device with ``device_id``, ``score_ids`` (strongest first), ``top_contributors``,
            ``window_start`` and ``window_end``.
        comparisons: as of :func:`fridge_assets.scoring.comparisons.compared`.
        measured: device → feature → its value in the window.
        usual: device → feature → what it usually is.
    """
    leading = [ids[0] if len(ids) else "" for ids in drafts["score_ids"]]
    kept = judged_by_score(comparisons[comparisons["score_id"].isin(leading)])
    return [
        {
            name: kept[score][name]
            if name in kept.get(score, {})
            else Judged(measured[device][name], usual[device][name], None, None, USUAL, start, end)
            for name in contributors
            if name in kept.get(score, {}) or (name in measured.get(device, {}) and name in usual.get(device, {}))
        }
        for score, device, contributors, start, end in zip(
            leading,
            drafts["device_id"],
            drafts["top_contributors"],
            drafts["window_start"],
            drafts["window_end"],
            strict=True,
        )
    ]


def judged_by_score(comparisons: pd.DataFrame) -> dict[str, dict[str, Judged]]:
    """Score id → feature → what its value was held against."""
    found: dict[str, dict[str, Judged]] = {}
    numbers = comparisons[["measured", "expected", "spread", "deviation"]].astype("float64").to_numpy().tolist()
    for score, feature, basis, since, until, (value, expected, *rest) in zip(
        *(comparisons[name] for name in ("score_id", "feature", "basis", "measured_from", "window_end")),
        numbers,
        strict=True,
    ):
        spread, deviation = (None if math.isnan(number) else number for number in rest)
        found.setdefault(score, {})[feature] = Judged(value, expected, spread, deviation, basis, since, until)
    return found


def values_by_device(frame: pd.DataFrame, devices: pd.Series) -> dict[str, dict[str, float]]:
    """Device → feature → its value, of ``devices``; what is null is left out.

    Args:
        frame: ``device_id`` and features; a device or column may be missing.
        devices: the devices that are wanted.
    """
    columns = [name for name in MODEL_FEATURES if name in frame.columns]
    wanted = frame[frame["device_id"].isin(devices)].drop_duplicates("device_id")
    table = wanted[columns].to_numpy(dtype="float64", na_value=float("nan"))
    return {
        device: {name: value for name, value in zip(columns, row, strict=True) if math.isfinite(value)}
        for device, row in zip(wanted["device_id"], table.tolist(), strict=True)
    }

"""Level and spread of a family's scores, and how many devices they are of (SPEC 8)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.special import bdtr, bdtrc

from fridge_assets.models.calibration import tail_probability
from fridge_assets.monitoring.metrics import Metric, judged
from fridge_assets.scoring.distribution import TrailingScores, Values, judge_distribution
from fridge_assets.settings import MonitoringSettings, Settings

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
"""Metric → the quantile that it is."""


@dataclass(frozen=True)
class ScoredWindow:
    """What a family said of one window, and what it said before.

    Args:
        family: model family.
        window_end: the window.
        scores: shape (n,), each in [0, 1].
        flagged: devices flagged.
        active: devices that should have been scored.
        seconds: how long scoring took; None when that was not recorded.
        trailing: scores of the runs before.
        span: scores of the windows of ``monitoring.level_span`` before.
    """

    family: str
    window_end: datetime
    scores: Values
    flagged: int
    active: int
    seconds: float | None
    trailing: TrailingScores
    span: TrailingScores


def level_metrics(window: ScoredWindow, settings: Settings) -> list[Metric]:
    """Everything about the scores of one window.

    Args:
        window: the scores.
        settings: groups ``monitoring``, ``calibration`` and ``scoring``.
    """
    limits, calibration = settings.monitoring, settings.calibration
    scores, rows = window.scores, len(window.scores)
    kl = judge_distribution(scores, window.trailing, limits)
    return [
        *_levels(window, limits),
        judge_flagged(window.flagged, rows, tail_probability(calibration.threshold, calibration), limits),
        judged(
            "coverage",
            rows / window.active if window.active else None,
            window.active,  # few scores of many devices are no lack of data
            limits,
            low=settings.scoring.min_coverage,
        ),
        judged("kl_trailing", kl.kl, rows, limits, high=limits.max_kl),
        judged("throughput", rows / window.seconds if window.seconds else None, rows, limits),
    ]


def judge_flagged(flagged: int, rows: int, expected: float, settings: MonitoringSettings) -> Metric:
    """The flagged share against the expected one.

    It may be so many points away, and by no more than a factor. In a small fleet a single flag may be as many points
    as that: there it must also be rarer than chance gives it, were each device flagged with the expected share.

    Args:
        flagged: devices flagged.
        rows: devices scored.
        expected: share that a calibrated model flags.
        settings: limits.
    """
    low = max(expected - settings.max_flagged_points, expected / settings.max_flagged_factor)
    high = min(expected + settings.max_flagged_points, expected * settings.max_flagged_factor)
    share = flagged / rows if rows else None
    above = share is not None and share > expected
    chance = bdtrc(flagged - 1, rows, expected) if above else bdtr(flagged, rows, expected)
    return judged(
        "flagged_share",
        share,
        rows,
        settings,
        reference=expected,
        low=low,
        high=high,
        by_chance=bool(chance >= settings.chance),
    )


def _levels(window: ScoredWindow, settings: MonitoringSettings) -> Iterator[Metric]:
    shifts = {"mean": settings.max_mean_shift, "p95": settings.max_p95_shift}
    now = _figures(window.scores)
    before = _figures(window.span.scores) if window.span.runs >= settings.min_runs else {}
    for name in ("mean", "std", *QUANTILES):
        value, rows = now.get(name), len(window.scores)
        if name not in shifts:
            yield judged(name, value, rows, settings)
        elif name not in before:
            yield judged(name, value, rows, settings, enough=False)
        else:
            near, shift = before[name], shifts[name]
            yield judged(name, value, rows, settings, reference=near, low=near - shift, high=near + shift)


def _figures(scores: Values) -> dict[str, float]:
    if not len(scores):
        return {}
    quantiles = {name: float(np.quantile(scores, share)) for name, share in QUANTILES.items()}
    return {"mean": float(scores.mean()), "std": float(scores.std()), **quantiles}

"""Whether features are distributed as they were in training (SPEC 8)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from fridge_assets.monitoring.metrics import Metric, judged
from fridge_assets.scoring.distribution import Values, bin_edges, shares
from fridge_assets.settings import MonitoringSettings


@dataclass(frozen=True)
class FeatureSample:
    """Rows of features, of some time.

    Args:
        rows: a column a feature.
        span: how much time they are from.
    """

    rows: pd.DataFrame
    span: timedelta


def drift_metrics(
    current: FeatureSample, training: FeatureSample, features: Sequence[str], settings: MonitoringSettings
) -> Iterator[Metric]:
    """PSI and KS statistic of each feature; nulls count on neither side.

    Args:
        current: what the model sees.
        training: what it was trained on.
        features: those the model reads.
        settings: limit, bins and how much data it takes.
    """
    long_enough = min(current.span, training.span) >= settings.drift_span
    for feature in features:
        now, then = _sorted_values(current, feature), _sorted_values(training, feature)
        index, distance = None, None
        if len(now) and len(then):
            index = stability_index(now, then, settings.drift_bins, settings.smoothing)
            distance = ks_statistic(now, then)
        enough = long_enough and len(then) >= settings.min_rows
        yield judged("psi", index, len(now), settings, subject=feature, high=settings.max_psi, enough=enough)
        yield judged("ks", distance, len(now), settings, subject=feature, enough=enough)


def stability_index(current: Values, training: Values, bins: int, smoothing: float) -> float:
    """Population stability index, >= 0: the symmetric KL divergence on bins between quantiles of ``training``.

    Args:
        current: shape (n,), n >= 1.
        training: shape (m,), m >= 1.
        bins: how many, about equally full of ``training``.
        smoothing: rows added to each bin, so that none is empty.
    """
    edges = bin_edges(training, bins)
    p, q = (shares(values, edges, smoothing) for values in (current, training))
    return float(((p - q) * np.log(p / q)).sum())


def ks_statistic(current: Values, training: Values) -> float:
    """Greatest distance between the two distribution functions, 0…1 (Kolmogorov and Smirnov); both ascending."""
    places = np.concatenate([current, training])
    ours, theirs = (np.searchsorted(values, places, side="right") / len(values) for values in (current, training))
    return float(np.abs(ours - theirs).max())


def _sorted_values(sample: FeatureSample, feature: str) -> Values:
    if feature not in sample.rows.columns:
        return np.empty(0)
    values = sample.rows[feature].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.sort(values[~np.isnan(values)])

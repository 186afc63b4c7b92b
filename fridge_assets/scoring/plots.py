"""Pictures of scores for the Dagster UI."""

import io

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

_BINS = np.linspace(0.0, 1.0, 51).tolist()
_TYPICAL, _FLAGGED, _LINE = "#4c78a8", "#e45756", "#333333"


def score_histogram(scores: pd.Series, threshold: float, title: str) -> bytes:
    """Distribution of ``scores`` (0…1) with flagged ones in red, as a PNG; counts are logarithmic.

    Args:
        scores: anomaly scores.
        threshold: scores above it are flagged.
        title: what the scores are of.
    """
    figure = Figure(figsize=(7, 3), dpi=100)
    axes = figure.add_axes((0.13, 0.17, 0.84, 0.72))
    for part, color, label in (
        (scores[scores <= threshold], _TYPICAL, "typical"),
        (scores[scores > threshold], _FLAGGED, "flagged"),
    ):
        counts, _ = np.histogram(part, bins=_BINS)
        axes.stairs(counts, _BINS, fill=True, color=color, label=f"{label}: {len(part):,}")
    axes.axvline(threshold, color=_LINE, linestyle="--", linewidth=1, label=f"threshold {threshold:g}")
    axes.set(yscale="log", xlabel="anomaly score", ylabel="devices", title=title, xlim=(0, 1))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()

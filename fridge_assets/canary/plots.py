"""A picture of a comparison for the Dagster UI."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from fridge_assets.canary.inputs import CanaryInput, canary_scores_frame
from fridge_assets.canary.report import CanaryReport, figure
from fridge_assets.canary.verdict import MetricResult

_BINS = np.linspace(0.0, 1.0, 51).tolist()
_CANDIDATE, _PRODUCTION, _LINE = "#e45756", "#4c78a8", "#333333"
_SCALE = 2.0
_NAMES = ("mean score\ndifference", "shift of\nflagged share", "lost of the\nhighest", "KL divergence")


def canary_picture(report: CanaryReport, scores: CanaryInput) -> bytes:
    """The score distributions, the metrics beside their noise as multiples of their limits, the alerts; as a PNG.

    Args:
        report: the comparison.
        scores: what was compared; only devices with two valid scores are drawn.
    """
    figure_ = Figure(figsize=(10, 4.3), dpi=100)
    _distributions(figure_.add_axes((0.075, 0.20, 0.40, 0.63)), scores)
    _metrics(figure_.add_axes((0.60, 0.20, 0.38, 0.63)), report)
    figure_.text(0.5, 0.03, report.outlook, ha="center", fontsize=10, color=_LINE)
    versions = f"{report.candidate_version} beside {report.production_version}"
    figure_.suptitle(
        f"{report.family} {versions}, {report.window_end:%Y-%m-%d %H:%M} UTC: {report.verdict}", fontsize=12, y=0.975
    )
    picture = io.BytesIO()
    figure_.savefig(picture, format="png")
    return picture.getvalue()


def _distributions(axes: Axes, scores: CanaryInput) -> None:
    frame = canary_scores_frame(scores)
    counts, _ = np.histogram(frame["production_score"], bins=_BINS)
    axes.stairs(counts, _BINS, fill=True, color=_PRODUCTION, alpha=0.45, label="production")
    counts, _ = np.histogram(frame["candidate_score"], bins=_BINS)
    axes.stairs(counts, _BINS, color=_CANDIDATE, linewidth=1.5, label="candidate")
    axes.axvline(scores.production_threshold, color=_LINE, linestyle="--", linewidth=1, label="threshold")
    axes.set(xlabel=f"anomaly score of {len(frame):,} devices with two valid ones", ylabel="devices", xlim=(0, 1))
    if len(frame):
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter("{x:,.0f}")
    else:
        axes.set_yticks([])
    # Above the axes: the scores of a bad candidate may be anywhere in it.
    axes.legend(frameon=False, fontsize=9, ncols=3, loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)


def _metrics(axes: Axes, report: CanaryReport) -> None:
    """One pair of bars a metric, in multiples of its limit; what is longer than the axis ends at its edge."""
    places = np.arange(len(report.metrics))[::-1]
    for place, metric in zip(places, report.metrics, strict=True):
        for shift, value, color in ((0.19, metric.value, _CANDIDATE), (-0.19, metric.noise, _PRODUCTION)):
            length = min(_of_limit(metric, value), _SCALE)
            axes.barh(place + shift, length, 0.34, color=color, alpha=0.85)
            # Beside a short bar, within a long one.
            inside = length > 0.75 * _SCALE
            axes.text(
                length + (-0.03 if inside else 0.03),
                place + shift,
                _label(metric, value),
                ha="right" if inside else "left",
                va="center",
                color="white" if inside else _LINE,
                fontsize=9,
                bbox=None if inside else {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
            )
    axes.axvline(1.0, color=_LINE, linestyle="--", linewidth=1, zorder=0)
    labels = [f"{name}\n({metric.verdict})" for name, metric in zip(_NAMES, report.metrics, strict=True)]
    axes.set_yticks(places, labels, fontsize=9)
    axes.set(xlim=(0, _SCALE), xlabel="multiples of the limit (dashed)", ylim=(-0.5, len(places) - 0.5))
    axes.set_title("candidate in red, production's own noise in blue", fontsize=10)


def _label(metric: MetricResult, value: float | None) -> str:
    if metric.name == "top_overlap" and value is not None:
        return figure(metric.name, 1.0 - value)  # drawn as what was lost, so that longer is worse for every bar
    return figure(metric.name, value)


def _of_limit(metric: MetricResult, value: float | None) -> float:
    if value is None or metric.limit is None:
        return 0.0
    if metric.name == "top_overlap":
        value, limit = 1.0 - value, 1.0 - metric.limit
    else:
        limit = metric.limit
    if limit > 0:
        return value / limit
    return _SCALE if value > 0 else 0.0

"""A picture of how many alerts were real failures, for the Dagster UI."""

import io

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_BAR, _LINE, _LIMIT = "#4c78a8", "#333333", "#e45756"
_INTERVAL = ("precision", "precision_low", "precision_high")
_PANELS = {"severity": "by severity", "model": "by model"}


def precision_picture(rows: pd.DataFrame, max_false_positives: float) -> bytes:
    """Precision with its interval and counts, by severity and by model, as a PNG.

    Args:
        rows: ALERT_QUALITY rows of one moment.
        max_false_positives: share of false positives from which another threshold is advised.
    """
    groups = {title: rows[rows["grouping"] == grouping] for grouping, title in _PANELS.items()}
    longest = max(1, *(len(group) for group in groups.values()))
    figure = Figure(figsize=(12, 1.5 + 0.5 * longest), dpi=100, layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (title, group) in zip(panels, groups.items(), strict=True):
        _panel(axes, title, group, 1 - max_false_positives)
    figure.supxlabel("confirmed share of the labelled alerts (%), with its 95 % interval", fontsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _panel(axes: Axes, title: str, group: pd.DataFrame, least: float) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    if group.empty:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no alerts", ha="center", va="center", transform=axes.transAxes, color=_LINE)
        return
    places = np.arange(len(group))[::-1]
    known = group["labelled"].to_numpy() > 0
    share, low, high = (100 * group[name].to_numpy(dtype=float) for name in _INTERVAL)
    axes.barh(places[known], share[known], 0.6, color=_BAR, alpha=0.6)
    reach = np.vstack([share - low, high - share])[:, known]
    axes.errorbar(share[known], places[known], xerr=reach, fmt="none", ecolor=_LINE, capsize=3, linewidth=1.2)
    counts = zip(places, group["confirmed"], group["labelled"], group["told"], strict=True)
    for place, confirmed, labelled, told in counts:
        said = f"{confirmed} of {labelled} labelled, {told} told" if labelled else f"no labels, {told} told"
        axes.text(103, place, said, va="center", fontsize=8, color=_LINE)
    axes.axvline(100 * least, color=_LIMIT, linestyle="--", linewidth=1, zorder=0)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.text(100 * least, len(group) - 0.45, "advice below", ha="center", fontsize=7, color=_LIMIT, bbox=box)
    axes.set_yticks(places, group["name"].tolist(), fontsize=9)
    axes.set(xlim=(0, 160), ylim=(-0.6, len(group) - 0.2), xticks=(0, 25, 50, 75, 100))
    axes.spines[["top", "right"]].set_visible(False)

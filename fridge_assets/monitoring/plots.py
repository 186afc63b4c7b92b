"""Pictures of how the models are doing, for the Dagster UI."""

import io
from collections.abc import Sequence
from datetime import UTC

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from fridge_assets.monitoring.levels import QUANTILES

_COLORS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")
_SHADES = ("#c6d8ea", "#7fa8d1", "#4c78a8", "#1f4568")
_BEYOND, _LINE = "#e45756", "#333333"
_SHOWN_FEATURES = 12
_SAID = {"warn": "too low", "not enough data": "few data"}


def score_quantiles(history: pd.DataFrame, threshold: float) -> bytes:
    """Quantiles of the scores over the last days, a panel a family, as a PNG.

    Args:
        history: MODEL_MONITORING rows, oldest first.
        threshold: scores above it are flagged.
    """
    rows = history[history["metric"].isin(list(QUANTILES))]
    families = list(dict.fromkeys(rows["family"]))
    figure = Figure(figsize=(10, 0.9 + 2.0 * max(len(families), 1)), dpi=100, layout="constrained")
    panels = _panels(figure, max(len(families), 1), 1, shared=True)
    for axes, family in zip(panels, families, strict=False):
        for metric, color in zip(QUANTILES, _SHADES, strict=True):
            own = rows[(rows["family"] == family) & (rows["metric"] == metric)]
            axes.plot(_times(own), own["value"], color=color, marker=".", markersize=4, linewidth=1.3, label=metric)
        axes.axhline(threshold, color=_LINE, linestyle="--", linewidth=1, label=f"threshold {threshold:g}")
        axes.set(ylim=(0, 1), ylabel="anomaly score")
        axes.set_title(family, fontsize=10, loc="left")
        _date_axis(axes)
    if families:
        panels[-1].set_xlabel("end of the window (UTC)", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, frameon=False, fontsize=9, ncols=5, loc="outside upper right")
    else:
        _nothing(panels[0])
    return _png(figure)


def flagged_shares(history: pd.DataFrame) -> bytes:
    """Share of flagged devices over the last days with its limits, a line a family, as a PNG.

    Args:
        history: MODEL_MONITORING rows, oldest first.
    """
    rows = history[history["metric"] == "flagged_share"]
    figure = Figure(figsize=(10, 3.6), dpi=100, layout="constrained")
    (axes,) = _panels(figure, 1, 1)
    if rows.empty:
        _nothing(axes)
        return _png(figure)
    for family, color in zip(dict.fromkeys(rows["family"]), _COLORS, strict=False):
        own = rows[rows["family"] == family]
        axes.plot(
            _times(own), 100 * own["value"], color=color, marker=".", markersize=5, linewidth=1.3, label=family
        )  # fmt: skip
    warned = rows[rows["verdict"] == "warn"]
    axes.plot(
        _times(warned), 100 * warned["value"], "o", color=_BEYOND, fillstyle="none", markersize=9,
        label="beyond its limits",
    )  # fmt: skip
    newest = rows.iloc[-1]
    axes.axhspan(
        100 * newest["limit_low"], 100 * newest["limit_high"], color="#54a24b", alpha=0.12, linewidth=0,
        label=f"limits {100 * newest['limit_low']:.2g} … {100 * newest['limit_high']:.2g} %",
    )  # fmt: skip
    axes.axhline(100 * newest["reference"], color=_LINE, linestyle="--", linewidth=1, label="calibrated share")
    axes.set(ylabel="flagged devices (%)", ylim=(0, 1.15 * 100 * max(rows["value"].max(), newest["limit_high"])))
    _date_axis(axes)
    axes.set_xlabel("end of the window (UTC)", fontsize=9)
    figure.legend(frameon=False, fontsize=9, ncols=4, loc="outside upper left")
    return _png(figure)


def feature_drift(rows: pd.DataFrame) -> bytes:
    """PSI of the features that moved most, with its limit, a panel a family, as a PNG.

    Args:
        rows: MODEL_MONITORING rows of one look.
    """
    rows = rows[(rows["metric"] == "psi") & rows["value"].notna()]
    families = list(dict.fromkeys(rows["family"]))
    across = min(max(len(families), 1), 2)
    down = -(-max(len(families), 1) // across)
    figure = Figure(figsize=(5.6 * across, 0.4 + 3.5 * down), dpi=100, layout="constrained")
    panels = _panels(figure, down, across)
    for axes in panels[len(families) :]:
        axes.set_axis_off()
    for axes, family in zip(panels, families, strict=False):
        own = rows[rows["family"] == family].nlargest(_SHOWN_FEATURES, "value")
        colors = [{"warn": _BEYOND, "ok": _COLORS[0]}.get(verdict, "#bbbbbb") for verdict in own["verdict"]]
        places = np.arange(len(own))[::-1]
        axes.barh(places, own["value"], color=colors, height=0.7)
        for place, value in zip(places, own["value"], strict=True):
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axes.annotate(
                f"{value:.2g}", (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8,
                color=_LINE, bbox=box,
            )  # fmt: skip
        limit = float(own["limit_high"].iloc[0])
        axes.axvline(limit, color=_LINE, linestyle="--", linewidth=1, zorder=0)
        axes.set_yticks(places, own["subject"].tolist(), fontsize=8)
        axes.set(xlabel=f"PSI against the training rows (limit {limit:g} dashed)")
        axes.set_xlim(0, 1.18 * max(own["value"].max(), limit))
        judged = "" if (own["verdict"] != "not enough data").any() else ", not enough data"
        axes.set_title(f"{family}: {len(own)} of {(rows['family'] == family).sum()} features{judged}", fontsize=10)
    if not families:
        _nothing(panels[0])
    return _png(figure)


def agreement_matrix(rows: pd.DataFrame) -> bytes:
    """Share of devices that each pair of families judges alike, as a PNG.

    Args:
        rows: MODEL_MONITORING rows of one look.
    """
    pairs = rows[(rows["metric"] == "agreement") & rows["value"].notna()]
    families = list(dict.fromkeys([*pairs["family"], *pairs["subject"]]))
    size = max(len(families), 2)
    figure = Figure(figsize=(2.9 + 0.95 * size, 1.9 + 0.8 * size), dpi=100, layout="constrained")
    (axes,) = _panels(figure, 1, 1)
    if not families:
        _nothing(axes)
        return _png(figure)
    places = {family: place for place, family in enumerate(families)}
    shares = np.full((len(families), len(families)), np.nan)
    for family, other, value, verdict in zip(
        pairs["family"], pairs["subject"], pairs["value"], pairs["verdict"], strict=True
    ):
        across, down = places[family], places[other]
        shares[[across, down], [down, across]] = value
        said = f"{value:.1%}" if verdict == "ok" else f"{value:.1%}\n{_SAID[verdict]}"
        color = "white" if value > 0.8 else _LINE
        for x, y in ((across, down), (down, across)):
            axes.text(x, y, said, ha="center", va="center", fontsize=9, color=color)
    palette = mpl.colormaps["Blues"].with_extremes(bad="#eeeeee")
    picture = axes.imshow(np.ma.masked_invalid(shares), cmap=palette, vmin=0.5, vmax=1.0)
    axes.set_xticks(range(len(families)), families, rotation=25, ha="right", fontsize=9)
    axes.set_yticks(range(len(families)), families, fontsize=9)
    axes.set_title(f"devices judged alike (limit {pairs['limit_low'].iloc[0]:.0%})", fontsize=10)
    figure.colorbar(picture, ax=axes, format=lambda share, _: f"{share:.0%}", shrink=0.9)
    return _png(figure)


def _panels(figure: Figure, down: int, across: int, *, shared: bool = False) -> Sequence[Axes]:
    panels: Sequence[Axes] = figure.subplots(down, across, squeeze=False, sharex=shared).ravel().tolist()
    return panels


def _times(rows: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    times: pd.Series[pd.Timestamp] = rows["window_end"].dt.tz_convert("UTC")
    return times


def _date_axis(axes: Axes) -> None:
    locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)


def _nothing(axes: Axes) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, "nothing to show yet", ha="center", va="center", transform=axes.transAxes, color=_LINE)


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()

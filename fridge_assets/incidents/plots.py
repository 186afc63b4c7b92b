"""A picture of the alerts that are open, for the Dagster UI."""

import io
from datetime import datetime
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fridge_assets.contracts.device_alerts import SEVERITIES

HIGHEST = 10
"""Alerts that the picture shows."""

_COLOURS = dict(zip(SEVERITIES, ("#9aa5b1", "#4c78a8", "#f58518", "#e45756"), strict=True))
_LINE = "#333333"
_NAME: Final[dict[str, Any]] = {"color": _LINE, "parse_math": False}
"""Names come from files: a dollar sign in one begins no formula."""


def highest_alerts(alerts: pd.DataFrame, now: datetime) -> bytes:
    """The most severe of ``alerts`` with device, site, score and what is wrong, as a PNG.

    Args:
        alerts: DEVICE_ALERTS rows of open alerts, any order.
        now: the moment that they are of.
    """
    ranked = alerts.assign(rank=alerts["severity"].map(list(SEVERITIES).index))
    shown = ranked.sort_values(["rank", "anomaly_score"], ascending=False).head(HIGHEST)
    figure = Figure(figsize=(10, 1.2 + 0.32 * max(1, len(shown))), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.set_title(f"highest of {len(alerts):,} open alerts, {now:%Y-%m-%d %H:%M} UTC", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    if shown.empty:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no open alerts", ha="center", va="center", transform=axes.transAxes, color=_LINE)
    else:
        places = range(len(shown), 0, -1)
        scores = shown["anomaly_score"].astype(float).fillna(0.0)
        axes.barh(places, scores, 0.7, color=shown["severity"].map(_COLOURS), alpha=0.75)
        for place, alert in zip(places, shown.itertuples(), strict=True):
            axes.text(0.01, place, f"{alert.site_id}: {alert.title}", va="center", fontsize=8, **_NAME)
        axes.set_yticks(places, shown["device_id"].tolist(), fontsize=8, **_NAME)
        axes.set(xlim=(0, 1), xlabel="anomaly score")
        present = [severity for severity in reversed(SEVERITIES) if severity in set(shown["severity"])]
        handles = [Patch(color=_COLOURS[severity], alpha=0.75, label=severity) for severity in present]
        axes.legend(handles=handles, frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()

"""A picture of how much people were told, for the Dagster UI."""

import io
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fridge_assets.alert_quality.health import AlarmHealth
from fridge_assets.settings import AlarmHealthSettings

_BAR, _LINE, _LIMIT = "#4c78a8", "#333333", "#e45756"
_NAME: Final[dict[str, Any]] = {"color": _LINE, "parse_math": False}
"""Names come from files: a dollar sign in one begins no formula."""
_HOUR = 1 / 24
"""In days, which is what the axis counts."""


def alarm_health_picture(health: AlarmHealth, settings: AlarmHealthSettings) -> bytes:
    """Notifications of one operator by hour with the limit and the floods, and the worst devices, as a PNG."""
    figure = Figure(figsize=(12, 3.6), dpi=100, layout="constrained")
    by_hour, worst = figure.subplots(1, 2, width_ratios=(3, 1))
    _by_hour(by_hour, health, settings)
    _worst(worst, health)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _by_hour(axes: Axes, health: AlarmHealth, settings: AlarmHealthSettings) -> None:
    axes.set_title("notifications of one operator in each hour (UTC)", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    counts = Counter(one.at.replace(minute=0, second=0, microsecond=0) for one in health.notifications)
    moments = sorted(counts)
    heights = [counts[moment] / health.operators for moment in moments]
    axes.bar([_place(moment) for moment in moments], heights, width=_HOUR, align="edge", color=_BAR)
    axes.axhline(settings.per_hour, color=_LIMIT, linestyle="--", linewidth=1)
    axes.annotate(
        f"limit {settings.per_hour:g}",
        (0.005, settings.per_hour),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=8,
        color=_LIMIT,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )
    for number, flood in enumerate(health.floods):
        span = (_place(flood.starts_at), _place(flood.ends_at))
        axes.axvspan(*span, color=_LIMIT, alpha=0.25, label="flood" if number == 0 else None)
    if health.floods:
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.set_xlim(_place(health.since), _place(health.until))
    axes.set_ylim(0, max([1.2 * settings.per_hour, *(1.1 * height for height in heights)]))
    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]


def _place(moment: datetime) -> float:
    return float(date2num(moment))  # type: ignore[no-untyped-call]


def _worst(axes: Axes, health: AlarmHealth) -> None:
    axes.set_title(f"{len(health.worst)} devices: {100 * health.worst_share:.0f} % of all", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    if not health.worst:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nothing was told", ha="center", va="center", transform=axes.transAxes, color=_LINE)
        return
    chattering = {device for device, _ in health.chattering}
    places = range(len(health.worst), 0, -1)
    colours = [_LIMIT if device in chattering else _BAR for device, _ in health.worst]
    axes.barh(places, [count for _, count in health.worst], 0.7, color=colours, alpha=0.75)
    axes.set_yticks(places, [device for device, _ in health.worst], fontsize=8, **_NAME)
    axes.set_xlabel("notifications" + (", red where it chatters" if chattering else ""), fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))

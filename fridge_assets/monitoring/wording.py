"""What is watched, and what is said when it is beyond its limit (SPEC 8)."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from fridge_assets.monitoring.watch import MonitoringReport

_NAMED = 5
_AS_SHARES = ("flagged_share", "coverage", "agreement", "unanimous_agreement")


@dataclass(frozen=True)
class Watch:
    """A kind of limit.

    Args:
        name: of the check.
        metrics: that are held against it.
        meaning: what the check says when it passes.
        remedy: what to do when it does not.
    """

    name: str
    metrics: tuple[str, ...]
    meaning: str
    remedy: str


WATCHES = (
    Watch(
        "flagged_share",
        ("flagged_share",),
        "Each family flags about the share of devices that its calibration means it to.",
        "Look at score_distribution and feature_drift of this run: where neither has moved, the fleet itself may be "
        "failing; where one has, train again: materialize FAMILY_model, or `fridge-assets train FAMILY`.",
    ),
    Watch(
        "score_level",
        ("mean", "p95"),
        "Mean and 95th percentile of each family's scores are near those of the last days.",
        "Look at the score quantiles for when it began, and at `fridge-assets models history FAMILY` for a release "
        "then, which `fridge-assets models rollback FAMILY` takes back.",
    ),
    Watch(
        "agreement",
        ("agreement", "unanimous_agreement"),
        "The families judge most devices alike.",
        "Find the family whose flagged share or score level moved: it is the one to train again.",
    ),
    Watch(
        "feature_drift",
        ("psi",),
        "The features are distributed as in the training rows of the released versions.",
        "Check the sensors behind these features and the readings' units; where the change is meant to last, such as "
        "a season, train again: materialize FAMILY_model, or `fridge-assets train FAMILY`.",
    ),
    Watch(
        "score_distribution",
        ("kl_trailing",),
        "Each family's scores are distributed as in its last runs.",
        "Compare the quantiles with the runs before and the features with training; take a new release back with "
        "`fridge-assets models rollback FAMILY`.",
    ),
    Watch(
        "coverage",
        ("coverage",),
        "Each family scored nearly all active devices.",
        "The family's score asset lists who was left out and why: check their readings and the device registry.",
    ),
)
"""One check each, in the order they are shown."""


def judgement(watch: Watch, report: MonitoringReport) -> tuple[bool | None, str]:
    """Whether nothing of a kind is beyond its limit, and what there is to say.

    Args:
        watch: the kind.
        report: what was found.

    Returns:
        Passed, None where nothing could be judged, and sentences: what is beyond its limit and what to do, or what
        could not be judged.
    """
    warned = report.warned(*watch.metrics)
    if len(warned):
        return False, f"{_offending(warned)}. {watch.remedy}"
    rows = report.rows[report.rows["metric"].isin(watch.metrics)]
    lacking = rows.loc[rows["verdict"] == "not enough data", "family"].unique()
    if (rows["verdict"] == "not enough data").all():
        return None, f"not enough data of {', '.join(lacking)}" if len(lacking) else "there are no scores yet"
    return True, f"Not enough data to judge all of {', '.join(lacking)}." if len(lacking) else watch.meaning


def summary(report: MonitoringReport) -> pd.DataFrame:
    """The figures of a report as people read them, without those of single features that are ok."""
    rows = report.rows
    shown = rows[~rows["metric"].isin(["psi", "ks"]) | (rows["verdict"] == "warn")]
    return pd.DataFrame(
        {
            "family": shown["family"],
            "window": shown["window_end"].dt.strftime("%Y-%m-%d %H:%M"),
            "metric": [_named(row) for row in shown.itertuples()],
            "value": [_value(row) for row in shown.itertuples()],
            "limits": [_limits(row) for row in shown.itertuples()],
            "rows": [f"{rows:,}" for rows in shown["rows"]],
            "verdict": shown["verdict"],
        }
    )


def _offending(warned: pd.DataFrame) -> str:
    """The worst of each family, furthest beyond its limit first."""
    parts = []
    for family, rows in warned.groupby("family", sort=False):
        worst = rows.assign(beyond=_beyond(rows)).sort_values("beyond", ascending=False, kind="stable")
        named = [f"{_named(row)} is {_value(row)} (limit {_limits(row)})" for row in worst.head(_NAMED).itertuples()]
        more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
        window = rows["window_end"].max()
        parts.append(f"{family} in the window ending {window:%Y-%m-%d %H:%M} UTC: {'; '.join(named)}{more}")
    return ". ".join(parts)


def _beyond(rows: pd.DataFrame) -> "pd.Series[float]":
    under, over = rows["limit_low"] - rows["value"], rows["value"] - rows["limit_high"]
    return pd.concat([under, over], axis=1).max(axis=1)


def _named(row: Any) -> str:
    match row.metric:
        case "agreement":
            return f"agreement with {row.subject}"
        case "psi" | "ks":
            return f"{row.metric.upper()} of {row.subject}"
        case "kl_trailing":
            return "KL divergence from the last runs"
        case _:
            return str(row.metric).replace("_", " ")


def _value(row: Any) -> str:
    return _figure(row.metric, row.value)


def _figure(metric: str, value: float) -> str:
    if pd.isna(value):
        return "–"
    if metric == "throughput":
        return f"{value:,.0f} rows/s"
    if metric in _AS_SHARES:
        return f"{value:.2%}"
    return f"{value:.3g}"


def _limits(row: Any) -> str:
    low, high = (_figure(row.metric, limit) for limit in (row.limit_low, row.limit_high))
    match pd.isna(row.limit_low), pd.isna(row.limit_high):
        case True, True:
            return "none"
        case False, True:
            return f"≥ {low}"
        case True, False:
            return f"≤ {high}"
        case _:
            return f"{low} … {high}"

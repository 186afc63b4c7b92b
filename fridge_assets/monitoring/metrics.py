"""One figure about a model, what it is held against, and what follows (SPEC 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pandas as pd

from fridge_assets.contracts import MODEL_MONITORING
from fridge_assets.settings import MonitoringSettings

Verdict = Literal["ok", "warn", "not enough data"]

ALL_FAMILIES = "all"
"""In place of a family, for what is of all of them together."""


@dataclass(frozen=True)
class Metric:
    """One figure.

    Args:
        name: one of MONITORING_METRICS.
        value: the figure; None when it cannot be computed.
        rows: rows that it is of.
        verdict: what follows.
        subject: what of; a feature, another family, or empty.
        reference: what it should be near.
        low: smallest value that is ok.
        high: largest value that is ok.
    """

    name: str
    value: float | None
    rows: int
    verdict: Verdict
    subject: str = ""
    reference: float | None = None
    low: float | None = None
    high: float | None = None


def judged(
    name: str,
    value: float | None,
    rows: int,
    settings: MonitoringSettings,
    *,
    subject: str = "",
    reference: float | None = None,
    low: float | None = None,
    high: float | None = None,
    enough: bool = True,
    by_chance: bool = False,
) -> Metric:
    """A figure with its verdict: on its limit is ok, beyond it a warning, on too few rows neither.

    Args:
        name: one of MONITORING_METRICS.
        value: the figure.
        rows: rows that it is of.
        settings: how many rows it takes.
        subject: what of.
        reference: what it should be near.
        low: smallest value that is ok; None without a limit.
        high: largest value that is ok; None without a limit.
        enough: False when something else than rows is lacking, such as what it is held against.
        by_chance: True when chance alone goes as far.
    """
    verdict: Verdict = "ok"
    if value is None or not enough or rows < settings.min_rows:
        verdict = "not enough data"
    elif not by_chance and ((low is not None and value < low) or (high is not None and value > high)):
        verdict = "warn"
    return Metric(name, value, rows, verdict, subject, reference, low, high)


def metric_rows(family: str, window_end: datetime, metrics: Sequence[Metric], now: datetime) -> pd.DataFrame:
    """MODEL_MONITORING rows.

    Args:
        family: what the metrics are of.
        window_end: the window they are of.
        metrics: the figures.
        now: recorded as ``computed_at``.
    """
    frame = pd.DataFrame(
        [
            {
                "family": family,
                "window_end": pd.Timestamp(window_end),
                "metric": metric.name,
                "subject": metric.subject,
                "value": metric.value,
                "reference": metric.reference,
                "limit_low": metric.low,
                "limit_high": metric.high,
                "verdict": metric.verdict,
                "rows": metric.rows,
                "computed_at": pd.Timestamp(now),
            }
            for metric in metrics
        ],
        columns=list(MODEL_MONITORING.column_names),
    )
    rows: pd.DataFrame = MODEL_MONITORING.to_arrow(frame).to_pandas()
    return rows

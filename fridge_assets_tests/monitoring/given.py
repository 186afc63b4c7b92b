"""Made-up reports: a week of figures, healthy or not."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.monitoring.levels import QUANTILES
from fridge_assets.monitoring.metrics import Metric, Verdict, metric_rows
from fridge_assets.monitoring.watch import MonitoringReport

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
FOUR = ("isolation_forest", "statistical_baseline", "autoencoder", "dbscan_cohort")


def metric(name: str, value: float | None, verdict: Verdict = "ok", **fields: object) -> Metric:
    return Metric(name, value, 2000, verdict, **fields)  # type: ignore[arg-type]


def report(*found: tuple[str, Metric]) -> MonitoringReport:
    """A report of these families' metrics in one window."""
    rows = pd.concat([metric_rows(family, NOON, [one], NOON) for family, one in found], ignore_index=True)
    return MonitoringReport(rows, rows)


def history(families: tuple[str, ...] = FOUR, hours: int = 168) -> pd.DataFrame:
    """Quantiles and flagged shares of a week, with a rise at its end."""
    rng = np.random.default_rng(0)
    frames = []
    for back in range(hours, -1, -1):
        for family in families:
            if family in FOUR[2:] and back % 24 != 9:
                continue
            rise = max(0, 12 - back) / 60
            levels = [metric(n, (1 - (1 - q) ** 0.35) * 0.6 + rise + rng.normal(0, 0.01)) for n, q in QUANTILES.items()]
            share = 0.01 * rng.uniform(0.8, 1.2) + rise / 5
            verdict: Verdict = "warn" if share > 0.03 else "ok"
            flagged = metric("flagged_share", share, verdict, reference=0.01, low=0.01 / 3, high=0.03)
            frames.append(metric_rows(family, NOON - timedelta(hours=back), [*levels, flagged], NOON))
    return pd.concat(frames, ignore_index=True)


def drifted(families: tuple[str, ...] = FOUR) -> pd.DataFrame:
    """PSI of every feature, some beyond the limit, and the agreement of each pair."""
    rng = np.random.default_rng(1)
    found = []
    for place, family in enumerate(families):
        for feature in MODEL_FEATURES:
            value = float(rng.gamma(1.0, 0.06))
            verdict: Verdict = "warn" if value > 0.2 else "ok"
            found.append((family, metric("psi", value, verdict, subject=feature, high=0.2)))
        found.extend(
            (family, metric("agreement", 0.83 + 0.05 * place, "ok" if place else "warn", subject=other, low=0.85))
            for other in families[place + 1 :]
        )
    return report(*found).rows

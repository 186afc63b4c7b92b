"""One look at every model family (SPEC 8)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from fridge_assets.contracts import MODEL_MONITORING
from fridge_assets.models.base import View
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.monitoring.agreement import agreement_metrics, agreements
from fridge_assets.monitoring.drift import FeatureSample, drift_metrics
from fridge_assets.monitoring.inputs import (
    current_features,
    newest_windows,
    read_scored_window,
    training_features,
)
from fridge_assets.monitoring.levels import level_metrics
from fridge_assets.monitoring.metrics import metric_rows
from fridge_assets.monitoring.store import commit_monitoring, monitoring_history
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class MonitoringReport:
    """What one look found.

    Args:
        rows: MODEL_MONITORING rows of each family's newest window; none before the first scores.
        history: those of the last days, without features, oldest first.
    """

    rows: pd.DataFrame
    history: pd.DataFrame

    def warned(self, *metrics: str) -> pd.DataFrame:
        """The rows of ``metrics`` beyond their limits."""
        return self.rows[self.rows["metric"].isin(metrics) & (self.rows["verdict"] == "warn")]


def watch_models(warehouse: Warehouse, models: ModelLifecycle, now: datetime, settings: Settings) -> MonitoringReport:
    """Measure the newest scores of each family, hold them against their limits and store what was found.

    A family that scores once a day is looked at in every run, so that a warning about it lasts for the day; the
    window stays the same, and what is found replaces what was found.

    Args:
        warehouse: holds scores and features, and gets the rows.
        models: the released versions, whose training rows features are held against, and when a family was resumed.
        now: decides which windows are the newest, and is recorded as ``computed_at``.
        settings: all of them.

    Raises:
        ContractViolation: a figure is none; nothing was written.
    """
    with warehouse.read() as connection:
        newest = newest_windows(connection, now, settings.staleness)
        alike = agreements(connection, newest, settings.staleness)
    found = [
        *_levels(warehouse, models, newest, now, settings),
        *_drift(warehouse, models, newest, now, settings),
        *(
            metric_rows(family, window_end, [metric], now)
            for family, window_end, metric in agreement_metrics(alike, settings.monitoring)
        ),
    ]
    rows = pd.concat([MODEL_MONITORING.empty(), *found], ignore_index=True)
    if len(rows):
        commit_monitoring(warehouse, rows)
    return MonitoringReport(rows, monitoring_history(warehouse, now, settings.monitoring))


def _levels(
    warehouse: Warehouse, models: ModelLifecycle, newest: dict[str, datetime], now: datetime, settings: Settings
) -> Iterator[pd.DataFrame]:
    for family, window_end in newest.items():
        since = models.deployments.of(family).resumed_at
        with warehouse.read() as connection:
            window = read_scored_window(connection, family, window_end, since, settings.monitoring)
        yield metric_rows(family, window_end, level_metrics(window, settings), now)


def _drift(
    warehouse: Warehouse, models: ModelLifecycle, newest: dict[str, datetime], now: datetime, settings: Settings
) -> Iterator[pd.DataFrame]:
    # Families mostly see the same rows, and reading them takes most of the time.
    seen: dict[tuple[datetime, View], FeatureSample] = {}
    learned: dict[str, FeatureSample] = {}
    for family, window_end in newest.items():
        view, version = FAMILIES[family].view, models.require_serving(family)
        if (window_end, view) not in seen:
            with warehouse.read() as connection:
                seen[window_end, view] = current_features(connection, window_end, view, settings)
        trained_on = version.metadata.training.hash
        if trained_on not in learned:
            learned[trained_on] = training_features(models.registry, version, settings.monitoring)
        metrics = drift_metrics(
            seen[window_end, view], learned[trained_on], version.metadata.features, settings.monitoring
        )
        yield metric_rows(family, window_end, list(metrics), now)

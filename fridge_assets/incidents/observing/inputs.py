"""What alert generation reads from the warehouse: the latest scores, what came before, and what is usual."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import duckdb
import pandas as pd

from fridge_assets.core.identity import deterministic_ids
from fridge_assets.features.latest import latest_rows
from fridge_assets.features.usual_values import usual_values
from fridge_assets.incidents.observing.judged import LIMIT
from fridge_assets.models.families import SPEAKING_SQL
from fridge_assets.scoring.comparisons import comparisons_of, no_comparisons
from fridge_assets.scoring.current import current_scores
from fridge_assets.settings import Settings
from fridge_assets.staleness.fallback import LIMITED_FEATURES, limits_of
from fridge_assets.stores.frames import query, registered

_PREVIOUS_SPAN = timedelta(hours=26)
_LAST_WINDOWS = "QUALIFY row_number() OVER (PARTITION BY device_id ORDER BY window_end DESC) <= $windows"

FALLBACK_MODEL = "rules_based_fallback_v1"
"""What alerts of the rules name as their model."""


@dataclass(frozen=True)
class AlertInputs:
    """Frames of one window for :func:`fridge_assets.incidents.observing.observed.observed_in`."""

    scores: pd.DataFrame
    previous_scores: pd.DataFrame
    features: pd.DataFrame
    typical: pd.DataFrame
    comparisons: pd.DataFrame


def read_alert_inputs(
    connection: duckdb.DuckDBPyConnection,
    window_end: datetime,
    registry: pd.DataFrame,
    settings: Settings,
    paused: Collection[str] = (),
) -> AlertInputs:
    """Read what is needed to turn the scores of ``window_end`` into alerts.

    Args:
        connection: an open warehouse connection.
        window_end: the latest scored window.
        registry: ``device_id`` and ``cohort`` of the fleet.
        settings: how many windows without a flag resolve an alert.
        paused: families that do not count.
    """
    scores = current_scores(connection, window_end, settings, paused)
    previous = query(
        connection,
        "SELECT device_id, window_end, bool_or(anomaly_flag) AS flagged FROM model_scores "
        f"WHERE window_end < $window AND window_end >= $since AND {SPEAKING_SQL} GROUP BY device_id, window_end "
        f"{_LAST_WINDOWS}",
        {**_before(window_end, settings), "paused": sorted(paused)},
    )
    comparisons = comparisons_of(connection, scores.loc[scores["anomaly_flag"], "score_id"])
    return _with_features(connection, scores, previous, comparisons, window_end, registry, settings)


def read_fallback_inputs(
    connection: duckdb.DuckDBPyConnection, window_end: datetime, registry: pd.DataFrame, settings: Settings
) -> AlertInputs:
    """The same from what the rules said of ``window_end``: conditions in place of contributors, and no score."""
    verdicts = query(
        connection,
        "SELECT *, conditions AS top_contributors, NULL::TIMESTAMPTZ AS carried_from, '' AS provisional "
        "FROM rules_based_fallback "
        "WHERE window_end = $window ORDER BY device_id",
        {"window": window_end},
    )
    window = window_end.isoformat()
    scores = verdicts.assign(
        model_id=FALLBACK_MODEL, score_id=deterministic_ids(verdicts["device_id"], window, FALLBACK_MODEL)
    )
    previous = query(
        connection,
        "SELECT device_id, window_end, anomaly_flag AS flagged FROM rules_based_fallback "
        f"WHERE window_end < $window AND window_end >= $since {_LAST_WINDOWS}",
        _before(window_end, settings),
    )
    found = _with_features(connection, scores, previous, no_comparisons(), window_end, registry, settings)
    return replace(found, comparisons=_with_limits(scores, found.features, settings))


def _with_limits(scores: pd.DataFrame, features: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The values beyond a fixed limit and that limit, as comparisons."""
    beyond = scores.loc[scores["anomaly_flag"], ["score_id", "device_id", "window_start", "window_end", "conditions"]]
    beyond = beyond.explode("conditions").rename(columns={"conditions": "feature", "window_start": "measured_from"})
    values = features.melt("device_id", list(LIMITED_FEATURES), "feature", "measured")
    found = beyond.merge(values, on=["device_id", "feature"])
    limits = limits_of(settings.fallback)
    return found.assign(expected=found["feature"].map(limits), spread=math.nan, deviation=math.nan, basis=LIMIT)


def _before(window_end: datetime, settings: Settings) -> dict[str, object]:
    return {
        "window": window_end,
        "since": window_end - _PREVIOUS_SPAN,
        "windows": settings.alerts.resolve_after_windows - 1,
    }


def _with_features(
    connection: duckdb.DuckDBPyConnection,
    scores: pd.DataFrame,
    previous: pd.DataFrame,
    comparisons: pd.DataFrame,
    window_end: datetime,
    registry: pd.DataFrame,
    settings: Settings,
) -> AlertInputs:
    flagged = scores.loc[scores["anomaly_flag"], ["device_id"]].drop_duplicates()
    devices = flagged.merge(registry[["device_id", "cohort"]], on="device_id", how="left")
    features = latest_rows(connection, window_end, devices, settings.features)
    with registered(connection, devices=devices, registry=registry[["device_id", "cohort"]]):
        typical = usual_values(connection, window_end, settings.features.window)
    return AlertInputs(scores, previous, features, typical, comparisons)

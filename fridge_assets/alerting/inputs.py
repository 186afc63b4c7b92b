"""What alert generation reads from the warehouse: the latest scores, what came before, and what is usual."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import duckdb
import pandas as pd

from fridge_assets.alerting.judged import LIMIT
from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.identity import deterministic_ids
from fridge_assets.models.families import SPEAKING_SQL
from fridge_assets.scoring.comparisons import comparisons_of, no_comparisons
from fridge_assets.scoring.current import current_scores
from fridge_assets.settings import Settings
from fridge_assets.staleness.fallback import LIMITED_FEATURES, limits_of
from fridge_assets.stores.frames import query, registered

_USUAL_DAYS = 7
"""A day is too short a memory: a fault that has grown for a day would pass for usual."""
_USUAL_AROUND = timedelta(hours=1)
"""Around the same time of day, since ambient and doors move most features over the day."""
_PREVIOUS_SPAN = timedelta(hours=26)
_LAST_WINDOWS = "QUALIFY row_number() OVER (PARTITION BY device_id ORDER BY window_end DESC) <= $windows"

FALLBACK_MODEL = "rules_based_fallback_v1"
"""What alerts of the rules name as their model."""


@dataclass(frozen=True)
class AlertInputs:
    """Frames of one window for :func:`fridge_assets.alerting.generate.generate_alerts`."""

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
        "SELECT *, conditions AS top_contributors, NULL::TIMESTAMPTZ AS carried_from FROM rules_based_fallback "
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
    with registered(connection, devices=devices, registry=registry[["device_id", "cohort"]]):
        features = query(
            connection,
            "SELECT f.* FROM device_features f SEMI JOIN devices USING (device_id) WHERE window_end = $window",
            {"window": window_end},
        )
        typical = usual_values(connection, window_end, settings.features.window)
    return AlertInputs(scores, previous, features, typical, comparisons)


def usual_values(
    connection: duckdb.DuckDBPyConnection,
    window_end: datetime,
    window: timedelta,
    features: Sequence[str] = MODEL_FEATURES,
) -> pd.DataFrame:
    """Of each device its median at this time of day; else of its last day, hourly; else its cohort's.

    Args:
        connection: an open warehouse connection in which ``devices`` (``device_id``, ``cohort``) and ``registry`` (the
            same of the whole fleet) are registered.
        window_end: the window whose time of day counts.
        window: its length.
        features: of which features.

    Returns:
        ``device_id`` and ``features``, one row per row of ``devices``.
    """
    around = range(-(_USUAL_AROUND // window), _USUAL_AROUND // window + 1)
    same_time = [window_end - timedelta(days=day) + n * window for day in range(1, _USUAL_DAYS + 1) for n in around]
    hour = max(timedelta(hours=1) // window, 1) * window  # window ends are multiples of the window
    last_day = [window_end - n * hour for n in range(1, timedelta(days=1) // hour + 1)]
    medians = ", ".join(f"median(f.{name}) AS {name}" for name in features)
    first = ", ".join(f"coalesce(own.{name}, lately.{name}, peers.{name}) AS {name}" for name in features)
    return query(
        connection,
        f"""
WITH own AS (
  SELECT device_id, {medians} FROM device_features f SEMI JOIN devices USING (device_id)
  WHERE window_end IN (SELECT unnest($same_time)) GROUP BY device_id
),
lately AS (
  SELECT device_id, {medians} FROM device_features f SEMI JOIN devices USING (device_id)
  WHERE window_end IN (SELECT unnest($last_day)) GROUP BY device_id
),
peers AS (
  SELECT cohort, {medians} FROM device_features f JOIN registry USING (device_id)
  WHERE window_end = $window AND cohort IN (SELECT cohort FROM devices) GROUP BY cohort
)
SELECT device_id, {first}
FROM devices LEFT JOIN own USING (device_id) LEFT JOIN lately USING (device_id) LEFT JOIN peers USING (cohort)
ORDER BY device_id
""",
        {"window": window_end, "same_time": same_time, "last_day": last_day},
    )

"""Device and site status: what operators look at, ready before they ask (SPEC 1.8)."""

from collections.abc import Collection, Mapping
from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.contracts import DEVICE_STATUS, SITE_STATUS
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.core.exact_sums import FEATURE_PARTS, parts_sql, slope_sql, weighted_mean_sql
from fridge_assets.models.families import FAMILY_SQL, HOURLY_SQL, SPEAKING_SQL
from fridge_assets.settings import FleetSettings, Settings, StalenessSettings
from fridge_assets.staleness.tiers import MODELS_SPEAK, tier_of
from fridge_assets.stores.frames import query

HEALTH_OF_SEVERITY: Mapping[str, str] = {
    "LOW": "warning",
    "MEDIUM": "warning",
    "HIGH": "critical",
    "CRITICAL": "critical",
}

_WORST_FIRST = ("critical", "warning", "unknown", "healthy", "offline")
_MIN_TREND_WINDOWS = 3


def device_activity(connection: duckdb.DuckDBPyConnection, now: datetime, settings: FleetSettings) -> pd.DataFrame:
    """What each device sent lately: ``last_reading_at``, 24 h means and reading count, one row per device seen."""
    return query(
        connection,
        f"""
WITH recent AS (
  SELECT device_id, max(window_end) AS newest_window_end, sum(reading_count)::BIGINT AS reading_count_24h,
    {_mean_of_readings("temp_evaporator_mean")} AS temp_evaporator_mean_24h,
    {_mean_of_readings("current_compressor_mean")} AS current_compressor_mean_24h
  FROM device_features WHERE window_end <= $now AND window_end > $since GROUP BY device_id
)
SELECT device_id,
  CASE WHEN last_reading_at <= $now THEN last_reading_at ELSE newest_window_end END AS last_reading_at,
  temp_evaporator_mean_24h, current_compressor_mean_24h, reading_count_24h
FROM device_last_seen LEFT JOIN recent USING (device_id)
""",
        {"now": now, "since": now - settings.trend_span},
    )


def _mean_of_readings(feature: str) -> str:
    return weighted_mean_sql(parts_sql(feature, FEATURE_PARTS), "reading_count", FEATURE_PARTS)


def device_scores(
    connection: duckdb.DuckDBPyConnection, now: datetime, settings: Settings, paused: Collection[str] = ()
) -> pd.DataFrame:
    """Each device's newest score and its change over the trend span, one row per scored device.

    The newest is the highest over the families: of the newest window, and of the daily models' latest ones while
    these count (``staleness.daily_expired``). Only hourly models make a trend and decide how old the scores are;
    ``paused`` families count for nothing.

    Returns:
        ``device_id``, ``latest_anomaly_score``, ``scored_at`` (UTC; null where only old windows were
        scored again), ``score_change`` (over the span; null with too few windows).
    """
    minutes = settings.fleet.trend_span.total_seconds() / 60
    slope = slope_sql(parts_sql("score", FEATURE_PARTS), "(epoch_ms(window_end) - epoch_ms($since))", FEATURE_PARTS)
    return query(
        connection,
        f"""
WITH windows AS (
  SELECT device_id, window_end, max(anomaly_score) AS score,
    max(scored_at) FILTER (scored_at <= window_end + $max_age) AS scored_at
  FROM model_scores WHERE window_end <= $now AND window_end > $since AND {HOURLY_SQL} AND {SPEAKING_SQL}
  GROUP BY device_id, window_end
),
newest AS (
  SELECT device_id, arg_max(score, window_end) FILTER (scored_at IS NOT NULL) AS score,
    arg_max(scored_at, window_end) FILTER (scored_at IS NOT NULL) AS scored_at,
    CASE WHEN count(*) >= {_MIN_TREND_WINDOWS} THEN {slope} * {minutes} END AS score_change
  FROM windows GROUP BY device_id
),
latest_daily AS (
  SELECT device_id, {FAMILY_SQL} AS family, arg_max(anomaly_score, window_end) AS score
  FROM model_scores WHERE window_end <= $now AND window_end > $carried AND NOT {HOURLY_SQL} AND {SPEAKING_SQL}
  GROUP BY ALL
),
daily AS (SELECT device_id, max(score) AS score FROM latest_daily GROUP BY device_id)
SELECT device_id, greatest(newest.score, daily.score) AS latest_anomaly_score, scored_at, score_change
FROM newest LEFT JOIN daily USING (device_id)
""",
        {
            "now": now,
            "since": now - settings.fleet.trend_span,
            "carried": now - settings.staleness.daily_expired,
            "max_age": settings.features.max_age,
            "paused": sorted(paused),
        },
    )


def device_status(
    registry: pd.DataFrame,
    activity: pd.DataFrame,
    scores: pd.DataFrame,
    open_alerts: pd.DataFrame,
    now: datetime,
    settings: Settings,
    judged_by_rules: Collection[str] = (),
) -> pd.DataFrame:
    """DEVICE_STATUS rows, one per registered device.

    Args:
        registry: DEVICE_REGISTRY rows.
        activity: from :func:`device_activity`.
        scores: from :func:`device_scores`.
        open_alerts: ``device_id``, ``open_alerts`` and ``worst_severity`` of the devices with active alerts.
        now: the clock; ages are measured from it.
        settings: staleness tiers, offline span, trend threshold.
        judged_by_rules: devices that the rules watch while the models' scores are too old.
    """
    status = registry
    for frame in (activity, scores, open_alerts):
        status = status.merge(frame, on="device_id", how="left")
    status["score_status"] = _tiers(status["scored_at"], now, settings.staleness)
    expired = status["score_status"] == "expired"
    status["latest_anomaly_score"] = status["latest_anomaly_score"].where(~expired)
    source = pd.Series("models", index=status.index, dtype="str").mask(expired)
    models_silent = ~status["score_status"].isin(MODELS_SPEAK)
    status["score_source"] = source.mask(models_silent & status["device_id"].isin(judged_by_rules), "rules_fallback")
    status["anomaly_trend"] = _trend(status["score_change"].where(~expired), settings.fleet.trend_slope)
    for count in ("open_alerts", "reading_count_24h"):
        status[count] = status[count].fillna(0).astype("int64")
    silent_for = now - status["last_reading_at"]
    offline = status["last_reading_at"].isna() | (silent_for > settings.fleet.offline_after)
    status["health_status"] = health_of(status["worst_severity"], status["score_source"], offline)
    return status[list(DEVICE_STATUS.column_names)].sort_values("device_id", ignore_index=True)


def health_of(worst_severity: pd.Series, score_source: pd.Series, offline: pd.Series) -> pd.Series:
    """Health of each device: the first of these that holds.

    ``offline`` when it is silent; what its worst open alert says, whoever raised it; ``healthy`` when somebody judges
    it and found nothing; ``unknown`` when nobody does: it was never scored, or was left out or its models paused for
    so long that its scores are blanked, and the rules have not judged it either.

    Args:
        worst_severity: of the open alerts; null without one.
        score_source: who judges the device; null when nobody does.
        offline: whether it is silent.
    """
    unalerted = pd.Series("healthy", index=score_source.index, dtype="object").where(score_source.notna(), "unknown")
    return worst_severity.map(HEALTH_OF_SEVERITY).fillna(unalerted).mask(offline, "offline").astype("str")


def with_alerts(devices: pd.DataFrame, open_alerts: pd.DataFrame) -> pd.DataFrame:
    """DEVICE_STATUS rows whose ``open_alerts`` and ``worst_severity`` are those of ``open_alerts``.

    Args:
        devices: DEVICE_STATUS rows.
        open_alerts: ``device_id``, ``open_alerts`` and ``worst_severity`` of the devices with active alerts.
    """
    plain = devices.drop(columns=["open_alerts", "worst_severity"])
    merged = plain.merge(open_alerts.astype({"device_id": "str", "worst_severity": "str"}), on="device_id", how="left")
    return merged.assign(open_alerts=merged["open_alerts"].fillna(0).astype("int64"))[list(devices.columns)]


def refreshed_status(
    devices: pd.DataFrame, open_alerts: pd.DataFrame, now: datetime, settings: StalenessSettings
) -> pd.DataFrame:
    """DEVICE_STATUS rows brought up to date with the alerts between two runs, without a look at readings or scores.

    What was sent and scored stays as it is; scores that have become too old meanwhile are shown as such, and a device
    that nobody judges any more is unknown. Whether a device is offline is for the next run to say, which takes in what
    it sent.

    Args:
        devices: DEVICE_STATUS rows as they are stored.
        open_alerts: as of :func:`with_alerts`.
        now: the clock; ages are measured from it.
        settings: staleness tiers.
    """
    status = with_alerts(devices, open_alerts)
    status["score_status"] = _tiers(status["scored_at"], now, settings)
    expired = status["score_status"] == "expired"
    for shown in ("latest_anomaly_score", "anomaly_trend"):
        status[shown] = status[shown].where(~expired)
    status["score_source"] = status["score_source"].mask(expired & (status["score_source"] == "models"))
    offline = status["health_status"] == "offline"
    status["health_status"] = health_of(status["worst_severity"], status["score_source"], offline)
    return status


def site_status(devices: pd.DataFrame) -> pd.DataFrame:
    """SITE_STATUS rows, one per site with an active device.

    Args:
        devices: DEVICE_STATUS rows.
    """
    active = devices[devices["status"] == "active"]
    rank = {health: place for place, health in enumerate(_WORST_FIRST)}
    grouped = active.assign(
        in_alert=active["open_alerts"] > 0,
        health_rank=active["health_status"].map(rank),
        severity_rank=active["worst_severity"].map({name: place for place, name in enumerate(SEVERITIES)}),
    ).groupby("site_id", sort=True)
    sites = grouped.agg(
        region=("region", "first"),
        device_count=("device_id", "size"),
        devices_in_alert=("in_alert", "sum"),
        mean_anomaly_score=("latest_anomaly_score", "mean"),
        max_anomaly_score=("latest_anomaly_score", "max"),
        health_rank=("health_rank", "min"),
        open_alerts=("open_alerts", "sum"),
        severity_rank=("severity_rank", "max"),
    ).reset_index()
    sites["worst_severity"] = sites["severity_rank"].map(dict(enumerate(SEVERITIES))).astype("str")
    sites["health_status"] = sites["health_rank"].map(dict(enumerate(_WORST_FIRST))).astype("str")
    return sites[list(SITE_STATUS.column_names)].astype(
        dict.fromkeys(("device_count", "devices_in_alert", "open_alerts"), "int64")
    )


def _trend(change: pd.Series, threshold: float) -> pd.Series:
    trend = pd.Series("stable", index=change.index, dtype="str")
    return trend.mask(change > threshold, "increasing").mask(change < -threshold, "decreasing").mask(change.isna())


def _tiers(scored_at: pd.Series, now: datetime, settings: StalenessSettings) -> pd.Series:
    tiers = {moment: tier_of(moment.to_pydatetime(), now, settings) for moment in scored_at.dropna().unique()}
    return scored_at.map(tiers).astype("object").fillna("expired").astype("str")

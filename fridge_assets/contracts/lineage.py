"""Which columns each column of a dataset is computed from: the column lineage of the asset graph.

What a column is computed from follows from the contracts and from the table of features, so it is derived here instead
of being written beside each query. Columns that a step makes itself (ids, times of computation) have no source.
"""

from collections.abc import Mapping, Sequence

from fridge_assets.contracts._contract import Contract
from fridge_assets.contracts.canary_scores import CANARY_SCORES
from fridge_assets.contracts.clean_sensor_readings import CLEAN_SENSOR_READINGS
from fridge_assets.contracts.device_alerts import DEVICE_ALERTS
from fridge_assets.contracts.device_features import DEVICE_FEATURES, MODEL_FEATURES, SENSOR_FEATURES, sensors_of
from fridge_assets.contracts.device_registry import DEVICE_REGISTRY
from fridge_assets.contracts.device_status import DEVICE_STATUS
from fridge_assets.contracts.model_scores import MODEL_SCORES
from fridge_assets.contracts.quarantined_readings import QUARANTINED_READINGS
from fridge_assets.contracts.rules_based_fallback import RULES_BASED_FALLBACK
from fridge_assets.contracts.sensor_readings import SENSOR_READINGS, SENSORS
from fridge_assets.contracts.site_status import SITE_STATUS

Source = tuple[str, str]
"""Dataset and column."""

Lineage = Mapping[str, tuple[Source, ...]]
"""Column → what it is computed from."""

_SENSOR_NAMES = tuple(sensor.name for sensor in SENSORS)
_FALLBACK_FEATURES = ("temp_evaporator_mean", "vibration_compressor_max", "pressure_low_mean", "current_compressor_max")


def _same(upstream: Contract, columns: Sequence[str]) -> dict[str, tuple[Source, ...]]:
    """Columns that are taken over as they are."""
    return {column: ((upstream.name, column),) for column in columns}


def _of(upstream: Contract, *columns: str) -> tuple[Source, ...]:
    return tuple((upstream.name, column) for column in columns)


def _features() -> dict[str, tuple[Source, ...]]:
    numeric = [*(feature.name for feature in SENSOR_FEATURES), *MODEL_FEATURES]
    time = _of(CLEAN_SENSOR_READINGS, "timestamp_utc")
    lineage = {feature: _of(CLEAN_SENSOR_READINGS, *sensors_of(feature)) for feature in numeric}
    slopes = {feature: sources + time for feature, sources in lineage.items() if feature.endswith("_slope")}
    return {
        **_same(CLEAN_SENSOR_READINGS, ["device_id"]),
        **lineage,
        **slopes,
        "window_start": time,
        "window_end": time,
        "reading_count": _of(CLEAN_SENSOR_READINGS, "event_id"),
        "sensor_completeness": _of(CLEAN_SENSOR_READINGS, "sensor_null_count"),
        "own_completeness": _of(CLEAN_SENSOR_READINGS, "sensor_null_count", *_SENSOR_NAMES),
        "quality_flag_count": _of(CLEAN_SENSOR_READINGS, "quality_flags"),
        "range_violation_count": _of(CLEAN_SENSOR_READINGS, "quality_flags"),
    }


_WINDOW = ("device_id", "window_start", "window_end")
_JUDGED_FEATURES = _of(DEVICE_FEATURES, *MODEL_FEATURES)
_CAUSES = (
    *_of(MODEL_SCORES, "anomaly_score", "anomaly_flag"),
    *_of(RULES_BASED_FALLBACK, "conditions"),
)
_OPEN_ALERTS = _of(DEVICE_ALERTS, "status", "severity")

LINEAGE: Mapping[str, Lineage] = {
    CLEAN_SENSOR_READINGS.name: {
        **_same(SENSOR_READINGS, ["device_id", "timestamp_ingested", *_SENSOR_NAMES]),
        "event_id": _of(SENSOR_READINGS, "event_id", "device_id", "timestamp_device", *_SENSOR_NAMES),
        "timestamp_utc": _of(SENSOR_READINGS, "timestamp_device", "timestamp_ingested"),
        "quality_flags": _of(SENSOR_READINGS, "timestamp_device", "sequence_number", *_SENSOR_NAMES),
        "sensor_null_count": _of(SENSOR_READINGS, *_SENSOR_NAMES),
    },
    QUARANTINED_READINGS.name: {
        **_same(SENSOR_READINGS, ["device_id"]),
        "reason": (
            *_of(SENSOR_READINGS, "device_id", "timestamp_device", *_SENSOR_NAMES),
            *_of(DEVICE_REGISTRY, "device_id"),
        ),
        "raw": _of(SENSOR_READINGS, *SENSOR_READINGS.column_names),
    },
    DEVICE_FEATURES.name: _features(),
    RULES_BASED_FALLBACK.name: {
        **_same(DEVICE_FEATURES, [*_WINDOW, "sensor_completeness"]),
        "anomaly_flag": _of(DEVICE_FEATURES, *_FALLBACK_FEATURES),
        "conditions": _of(DEVICE_FEATURES, *_FALLBACK_FEATURES),
    },
    CANARY_SCORES.name: {
        **_same(DEVICE_FEATURES, ["device_id", "window_end"]),
        **dict.fromkeys(
            ("candidate_score", "production_score", "candidate_flag", "production_flag", "score_diff"),
            _JUDGED_FEATURES,
        ),
    },
    DEVICE_ALERTS.name: {
        **_same(MODEL_SCORES, ["device_id", "window_end", "model_id", "anomaly_score"]),
        "site_id": _of(DEVICE_REGISTRY, "site_id"),
        "severity": _CAUSES,
        "alert_type": _CAUSES,
        "title": (*_of(MODEL_SCORES, "top_contributors"), *_of(RULES_BASED_FALLBACK, "conditions")),
        "description": (*_of(MODEL_SCORES, "top_contributors"), *_of(RULES_BASED_FALLBACK, "conditions")),
        "top_contributors": (*_of(MODEL_SCORES, "top_contributors"), *_of(RULES_BASED_FALLBACK, "conditions")),
        "score_ids": _of(MODEL_SCORES, "score_id"),
        "models_flagging": _of(MODEL_SCORES, "model_id", "anomaly_flag"),
    },
    DEVICE_STATUS.name: {
        **_same(DEVICE_REGISTRY, [name for name in DEVICE_REGISTRY.column_names if name in DEVICE_STATUS.column_names]),
        "last_reading_at": _of(CLEAN_SENSOR_READINGS, "timestamp_utc"),
        "latest_anomaly_score": _of(MODEL_SCORES, "anomaly_score"),
        "anomaly_trend": _of(MODEL_SCORES, "anomaly_score", "window_end"),
        "health_status": (*_of(CLEAN_SENSOR_READINGS, "timestamp_utc"), *_OPEN_ALERTS),
        "score_status": _of(MODEL_SCORES, "scored_at"),
        "score_source": _of(MODEL_SCORES, "model_id"),
        "scored_at": _of(MODEL_SCORES, "scored_at"),
        "open_alerts": _OPEN_ALERTS,
        "worst_severity": _OPEN_ALERTS,
        "temp_evaporator_mean_24h": _of(DEVICE_FEATURES, "temp_evaporator_mean", "reading_count"),
        "current_compressor_mean_24h": _of(DEVICE_FEATURES, "current_compressor_mean", "reading_count"),
        "reading_count_24h": _of(DEVICE_FEATURES, "reading_count"),
    },
    SITE_STATUS.name: {
        **_same(DEVICE_STATUS, ["site_id", "region", "health_status", "open_alerts", "worst_severity"]),
        "device_count": _of(DEVICE_STATUS, "device_id", "status"),
        "devices_in_alert": _of(DEVICE_STATUS, "open_alerts"),
        "mean_anomaly_score": _of(DEVICE_STATUS, "latest_anomaly_score"),
        "max_anomaly_score": _of(DEVICE_STATUS, "latest_anomaly_score"),
    },
}
"""Dataset → the sources of its columns."""


def scores_lineage() -> Lineage:
    """Sources of the scores of one family, which are computed from the features."""
    return {
        **_same(DEVICE_FEATURES, [*_WINDOW, "sensor_completeness"]),
        **dict.fromkeys(("anomaly_score", "anomaly_flag", "top_contributors", "contributor_scores"), _JUDGED_FEATURES),
    }


def published_lineage(scores: Sequence[str]) -> Lineage:
    """Sources of ``model_scores``, which takes over the rows of the families.

    Args:
        scores: the families' own datasets of scores.
    """
    return {column: tuple((dataset, column) for dataset in scores) for column in MODEL_SCORES.column_names}

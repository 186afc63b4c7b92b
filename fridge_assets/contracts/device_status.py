"""What operators look at: the state of each device (SPEC 1.8)."""

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.contracts.device_registry import DEVICE_REGISTRY
from fridge_assets.contracts.sensor_readings import SENSORS

HEALTH = ("healthy", "warning", "critical", "unknown", "offline")
"""What nobody judged is unknown: no model has scored it lately enough, and the rules do not stand in for them."""
SCORE_STATUSES = ("fresh", "stale", "very_stale", "expired")
TRENDS = ("increasing", "stable", "decreasing")

_SENSORS = {sensor.name: sensor for sensor in SENSORS}


def _mean_of_a_day(name: str, sensor: str) -> Column:
    measured = _SENSORS[sensor]
    least, most = measured.limits  # unusual values count, too
    return Column(name, "double", f"24 h mean of {measured.label}", measured.unit, minimum=least, maximum=most)


DEVICE_STATUS = Contract(
    name="device_status",
    description="One device as it stands now.",
    columns=(
        *(column for column in DEVICE_REGISTRY.columns if column.name not in ("refrigerant", "timezone")),
        Column("last_reading_at", "timestamp", "newest reading"),
        Column(
            "latest_anomaly_score",
            "double",
            "highest over production models; blank once expired",
            minimum=0,
            maximum=1,
        ),
        Column("anomaly_trend", "text", "over 24 h", allowed=TRENDS),
        Column(
            "health_status",
            "text",
            "by the open alerts; without one healthy where it is judged, else unknown",
            nullable=False,
            allowed=HEALTH,
        ),
        Column("score_status", "text", "how old the scores are", nullable=False, allowed=SCORE_STATUSES),
        Column("score_source", "text", "who judges the device; blank when nobody does"),
        Column("scored_at", "timestamp", "when the device was last scored"),
        Column("open_alerts", "integer", "open incidents that no silence holds", nullable=False, minimum=0),
        Column("worst_severity", "text", "of the open alerts", allowed=SEVERITIES),
        _mean_of_a_day("temp_evaporator_mean_24h", "temperature_evaporator"),
        _mean_of_a_day("current_compressor_mean_24h", "current_compressor"),
        Column("reading_count_24h", "integer", "readings in 24 h", nullable=False, minimum=0),
    ),
    key=("device_id",),
)

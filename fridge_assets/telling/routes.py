"""Which channel looks after which part of the graph (SPEC 4, 7)."""

from fridge_assets.contracts import (
    CLEAN_SENSOR_READINGS,
    DEVICE_ALERTS,
    DEVICE_FEATURES,
    DEVICE_STATUS,
    QUARANTINED_READINGS,
    RULES_BASED_FALLBACK,
    SITE_STATUS,
)
from fridge_assets.notifications.message import Channel

_DATA_PLATFORM = frozenset({"ingest", CLEAN_SENSOR_READINGS.name, QUARANTINED_READINGS.name, DEVICE_FEATURES.name})
_OPERATIONS = frozenset(
    {
        RULES_BASED_FALLBACK.name,
        DEVICE_ALERTS.name,
        "fleet_status",
        DEVICE_STATUS.name,
        SITE_STATUS.name,
        "refresh_changed_status",
        "device_status_agrees_with_alerts",
        "retention",
        "publish",
        "fallback",
        "streaming_alerts",
    }
)

LATE_DATA = "FeaturesStale"
"""The error of a model that was given no young features: nothing is wrong with the model."""


def channel_of(name: str, error: str = "") -> Channel:
    """Who is told about an asset or a step; whatever is not data and not operations belongs to the models.

    Args:
        name: asset or step.
        error: class of the error that it failed with; empty when unknown.
    """
    if name in _DATA_PLATFORM or error == LATE_DATA:
        return "data_platform"
    return "operations" if name in _OPERATIONS else "ml"

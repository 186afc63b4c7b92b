"""Every tunable of the product: one module of settings for each room, and `Settings`, which joins them."""

from fridge_assets.settings._group import Group
from fridge_assets.settings._settings import Settings, read_settings
from fridge_assets.settings.alert_quality import AlarmHealthSettings, QualitySettings
from fridge_assets.settings.canary import BatterySettings, CanarySettings
from fridge_assets.settings.display import DisplaySettings
from fridge_assets.settings.features import FeatureSettings, OperatingSettings
from fridge_assets.settings.incidents import IncidentSettings
from fridge_assets.settings.models import (
    AutoencoderSettings,
    BaselineSettings,
    CalibrationSettings,
    DbscanSettings,
    ForestSettings,
    TrainingSettings,
)
from fridge_assets.settings.monitoring import MonitoringSettings
from fridge_assets.settings.mqtt import MqttSettings
from fridge_assets.settings.notifications import (
    AnyDestination,
    Destination,
    EmailDestination,
    EventDestination,
    NotificationSettings,
    SlackChannels,
    WebhookDestination,
    check_address,
)
from fridge_assets.settings.readings import ReadingSettings
from fridge_assets.settings.running import UiSettings
from fridge_assets.settings.scoring import ScoringSettings
from fridge_assets.settings.staleness import FallbackSettings, StalenessSettings
from fridge_assets.settings.status import FleetSettings
from fridge_assets.settings.stores import DiskSettings, OperationsSettings, WarehouseSettings
from fridge_assets.settings.streaming import KafkaSettings, LearnedThresholdSettings, StreamingSettings
from fridge_assets.settings.upkeep import HealthSettings, RetentionSettings
from fridge_assets.settings.work_orders import WorkOrderSettings

__all__ = [
    "AlarmHealthSettings",
    "AnyDestination",
    "AutoencoderSettings",
    "BaselineSettings",
    "BatterySettings",
    "CalibrationSettings",
    "CanarySettings",
    "DbscanSettings",
    "Destination",
    "DiskSettings",
    "DisplaySettings",
    "EmailDestination",
    "EventDestination",
    "FallbackSettings",
    "FeatureSettings",
    "FleetSettings",
    "ForestSettings",
    "Group",
    "HealthSettings",
    "IncidentSettings",
    "KafkaSettings",
    "LearnedThresholdSettings",
    "MonitoringSettings",
    "MqttSettings",
    "NotificationSettings",
    "OperatingSettings",
    "OperationsSettings",
    "QualitySettings",
    "ReadingSettings",
    "RetentionSettings",
    "ScoringSettings",
    "Settings",
    "SlackChannels",
    "StalenessSettings",
    "StreamingSettings",
    "TrainingSettings",
    "UiSettings",
    "WarehouseSettings",
    "WebhookDestination",
    "WorkOrderSettings",
    "check_address",
    "read_settings",
]

"""One contract a dataset: tables, validation, sample data and docs all come from it (SPEC 1)."""

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.alert_quality import ALERT_QUALITY
from fridge_assets.contracts.canary_reports import CANARY_REPORTS
from fridge_assets.contracts.canary_scores import CANARY_SCORES
from fridge_assets.contracts.clean_sensor_readings import CLEAN_SENSOR_READINGS
from fridge_assets.contracts.device_alerts import DEVICE_ALERTS
from fridge_assets.contracts.device_features import DEVICE_FEATURES, MODEL_FEATURES
from fridge_assets.contracts.device_registry import DEVICE_REGISTRY
from fridge_assets.contracts.device_status import DEVICE_STATUS
from fridge_assets.contracts.incidents import INCIDENT_EVENTS, INCIDENTS
from fridge_assets.contracts.label_events import LABEL_EVENTS
from fridge_assets.contracts.model_monitoring import MODEL_MONITORING
from fridge_assets.contracts.model_scores import MODEL_SCORES
from fridge_assets.contracts.quarantined_readings import QUARANTINED_READINGS
from fridge_assets.contracts.rules_based_fallback import RULES_BASED_FALLBACK
from fridge_assets.contracts.sensor_readings import SENSOR_READINGS, SENSORS
from fridge_assets.contracts.silences import SILENCES
from fridge_assets.contracts.site_status import SITE_STATUS
from fridge_assets.contracts.withheld_scores import WITHHELD_SCORES
from fridge_assets.contracts.work_orders import WORK_ORDERS

__all__ = [
    "ALERT_QUALITY",
    "CANARY_REPORTS",
    "CANARY_SCORES",
    "CLEAN_SENSOR_READINGS",
    "DEVICE_ALERTS",
    "DEVICE_FEATURES",
    "DEVICE_REGISTRY",
    "DEVICE_STATUS",
    "INCIDENTS",
    "INCIDENT_EVENTS",
    "LABEL_EVENTS",
    "MODEL_FEATURES",
    "MODEL_MONITORING",
    "MODEL_SCORES",
    "QUARANTINED_READINGS",
    "RULES_BASED_FALLBACK",
    "SENSORS",
    "SENSOR_READINGS",
    "SILENCES",
    "SITE_STATUS",
    "WITHHELD_SCORES",
    "WORK_ORDERS",
    "Column",
    "Contract",
]

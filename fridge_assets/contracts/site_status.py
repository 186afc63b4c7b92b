"""What operators look at: the state of each site (SPEC 1.8)."""

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.contracts.device_status import HEALTH

SITE_STATUS = Contract(
    name="site_status",
    description="One site as it stands now.",
    columns=(
        Column("site_id", "text", "site", nullable=False),
        Column("region", "text", "rollout region", nullable=False),
        Column("device_count", "integer", "active devices", nullable=False, minimum=0),
        Column("devices_in_alert", "integer", "devices with an open alert", nullable=False, minimum=0),
        Column("mean_anomaly_score", "double", "over its devices", minimum=0, maximum=1),
        Column("max_anomaly_score", "double", "over its devices", minimum=0, maximum=1),
        Column(
            "health_status",
            "text",
            "worst of its devices: unknown where none is worse and nobody judged one, offline when all are",
            nullable=False,
            allowed=HEALTH,
        ),
        Column(
            "open_alerts",
            "integer",
            "open incidents of active devices that no silence holds",
            nullable=False,
            minimum=0,
        ),
        Column("worst_severity", "text", "of the open alerts", allowed=SEVERITIES),
    ),
    key=("site_id",),
)

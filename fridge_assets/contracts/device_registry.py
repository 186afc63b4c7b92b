"""The device registry: which devices exist, where they stand and their acute thresholds (SPEC 1.1)."""

from fridge_assets.contracts._contract import Column, Contract

DEVICE_REGISTRY = Contract(
    name="device_registry",
    description="One device of the fleet. Its cohort is equipment model × climate zone.",
    columns=(
        Column("device_id", "text", "device", nullable=False),
        Column("site_id", "text", "site it stands in", nullable=False),
        Column("region", "text", "rollout region", nullable=False),
        Column("model", "text", "equipment model", nullable=False),
        Column("climate_zone", "text", "climate zone", nullable=False),
        Column("install_date", "timestamp", "when it was installed"),
        Column("firmware_version", "text", "firmware"),
        Column("status", "text", "retired devices are not scored", nullable=False, allowed=("active", "retired")),
        Column("current_threshold", "double", "compressor overload", "A", nullable=False, minimum=0),
        Column(
            "vibration_ratio_threshold",
            "double",
            "vibration spike, multiple of the 24 h mean of the running compressor",
            nullable=False,
            minimum=0,
        ),
        Column(
            "pressure_drop_threshold",
            "double",
            "acute pressure loss, fraction",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        Column("temperature_rise_threshold", "double", "total cooling loss", "°C/min", nullable=False, minimum=0),
        Column("refrigerant", "text", "such as R290, which decides what its sensors plausibly read; none: any"),
        Column("timezone", "text", "IANA name of the site's time zone; none: that of the display"),
    ),
    key=("device_id",),
)

NO_SITE = "unassigned"
"""Site of a device that the registry does not know: there is none, or the device has left it."""

REGISTRY_REQUIRED = ("device_id", "site_id")

REGISTRY_DEFAULTS: dict[str, str | float] = {
    "region": "unknown",
    "model": "unknown",
    "climate_zone": "unknown",
    "status": "active",
    "current_threshold": 40.0,
    "vibration_ratio_threshold": 3.0,
    "pressure_drop_threshold": 0.30,
    "temperature_rise_threshold": 2.0,
}
"""What an absent column or value means (SPEC 1.1)."""

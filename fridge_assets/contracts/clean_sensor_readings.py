"""Clean readings: one row per event, impossible values null, oddities flagged (SPEC 1.3)."""

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.sensor_readings import SENSORS

QUALITY_FLAGS = ("RANGE_VIOLATION", "CLOCK_DRIFT", "DUPLICATE_REMOVED", "SENSOR_GAP")

CLEAN_SENSOR_READINGS = Contract(
    name="clean_sensor_readings",
    description="One row per event; unusual values are flagged, impossible ones null and flagged.",
    columns=(
        Column(
            "event_id",
            "text",
            "identity of the event; derived where it came without one",
            nullable=False,
        ),
        Column("device_id", "text", "device that measured", nullable=False),
        Column("timestamp_utc", "timestamp", "when it was measured, clock drift corrected", nullable=False),
        Column("timestamp_ingested", "timestamp", "when the reading arrived", nullable=False),
        *(
            Column(
                s.name,
                "boolean" if s.is_boolean else "double",
                s.label,
                s.unit,
                minimum=s.limits[0],
                maximum=s.limits[1],
            )
            for s in SENSORS
        ),
        Column("quality_flags", "text_list", "what was odd about it: " + ", ".join(QUALITY_FLAGS), nullable=False),
        Column(
            "sensor_null_count",
            "integer",
            "sensors without a value",
            nullable=False,
            minimum=0,
            maximum=len(SENSORS),
        ),
    ),
    key=("event_id",),
)

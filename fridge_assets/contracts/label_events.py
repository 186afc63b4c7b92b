"""What people have said of incidents: the only labels there are (SPEC 6)."""

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.device_alerts import ALERT_SOURCES, SEVERITIES

LABELS = ("confirmed", "false_positive")

LABEL_EVENTS = Contract(
    name="label_events",
    description="One verdict of a person on one incident; the newest of an incident counts.",
    columns=(
        Column("label_id", "text", "UUIDv5 of incident and revision", nullable=False),
        Column("incident_id", "text", "incident", nullable=False),
        Column("alert_id", "text", "alert that says best what people were told", nullable=False),
        Column("revision", "integer", "event of the incident that the verdict came with", nullable=False, minimum=1),
        Column("device_id", "text", "device", nullable=False),
        Column("site_id", "text", "site it stands in", nullable=False),
        Column("label", "text", "a real failure or not", nullable=False, allowed=LABELS),
        Column("labelled_at", "timestamp", "when", nullable=False),
        Column("actor", "text", "who", nullable=False),
        Column("note", "text", "why", nullable=False),
        Column("severity", "text", "of the alert", nullable=False, allowed=SEVERITIES),
        Column("source", "text", "what raised the alert", nullable=False, allowed=ALERT_SOURCES),
        Column("model_id", "text", "model with the highest score, or rule", nullable=False),
        Column("anomaly_score", "double", "of the alert", nullable=False, minimum=0, maximum=1),
        Column("first_detected_at", "timestamp", "when the anomaly was first seen", nullable=False),
        Column("window_end", "timestamp", "end of the window that the alert is about", nullable=False),
    ),
    key=("label_id",),
)

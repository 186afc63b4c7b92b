"""Contract 6: alerts, what operators act on, and the events of their life (SPEC 1.7)."""

from fridge_assets.contracts._contract import Column, Contract

ALERT_TYPES = ("ANOMALY_DETECTED", "ANOMALY_SUSTAINED", "ANOMALY_ESCALATED", "ANOMALY_RESOLVED")
SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
"""From least to most severe."""
ALERT_STATUSES = ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS", "RESOLVED", "FALSE_POSITIVE")
ACTIVE_STATUSES = ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS")
ESCALATION_LEVELS = ("L1", "L2", "L3")
ALERT_SOURCES = ("models", "streaming", "rules_fallback")
SUPPRESSION_REASONS = ("repeat", "being_worked_on", "unconfirmed", "silenced", "known_benign", "part_of_site")
"""Why an alert was stored and nobody told: what the audit shows."""

DEVICE_ALERTS = Contract(
    name="device_alerts",
    description="One alert: what one source has seen of one device in one window, and where its incident stands.",
    columns=(
        Column("alert_id", "text", "UUIDv5 of device, window and source", nullable=False),
        Column("device_id", "text", "device", nullable=False),
        Column("site_id", "text", "site it stands in", nullable=False),
        Column("alert_type", "text", "how it relates to what was known", nullable=False, allowed=ALERT_TYPES),
        Column("severity", "text", "how urgent", nullable=False, allowed=SEVERITIES),
        Column("title", "text", "one line", nullable=False),
        Column("description", "text", "sentences for a technician", nullable=False),
        Column("model_id", "text", "model with the highest score", nullable=False),
        Column("anomaly_score", "double", "highest score", nullable=False, minimum=0, maximum=1),
        Column("top_contributors", "text_list", "features behind it, strongest first", nullable=False),
        Column(
            "first_detected_at",
            "timestamp",
            "when it was first seen; of the stream, when it began",
            nullable=False,
        ),
        Column("alert_created_at", "timestamp", "when this row was made", nullable=False),
        Column("suppressed", "boolean", "stored for audit, nobody is told", nullable=False),
        Column("ontology_action_id", "text", "work order of its incident"),
        Column("status", "text", "where its incident stands", nullable=False, allowed=ALERT_STATUSES),
        Column("resolved_at", "timestamp", "when its incident was closed"),
        Column("escalation_level", "text", "who is responsible", nullable=False, allowed=ESCALATION_LEVELS),
        Column("sla_deadline", "timestamp", "its incident is to be taken by; null before it was told"),
        Column("sla_breached", "boolean", "nobody had taken it by its deadline", nullable=False),
        Column("incident_id", "text", "trouble that it belongs to", nullable=False),
        Column("score_ids", "text_list", "score rows behind it", nullable=False),
        Column("source", "text", "what raised it", nullable=False, allowed=ALERT_SOURCES),
        Column("models_flagging", "integer", "distinct families that flagged", nullable=False, minimum=0),
        Column("window_end", "timestamp", "end of the window it is about", nullable=False),
        Column("suppressed_because", "text", "why nobody is told; null when people are", allowed=SUPPRESSION_REASONS),
        Column("note", "text", "anything else a reader should know", nullable=False),
    ),
    key=("alert_id",),
)

OF_THE_INCIDENT = (
    "ontology_action_id",
    "status",
    "resolved_at",
    "escalation_level",
    "sla_deadline",
    "sla_breached",
)
"""Columns of an alert that are those of its incident; the others were measured and never change."""

"""Contract 6: alerts, what operators act on, and the events of their life (SPEC 1.7)."""

from fridge_assets.contracts._contract import Column, Contract

ALERT_TYPES = ("ANOMALY_DETECTED", "ANOMALY_SUSTAINED", "ANOMALY_ESCALATED", "ANOMALY_RESOLVED")
SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
"""From least to most severe."""
ALERT_STATUSES = ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS", "RESOLVED", "FALSE_POSITIVE")
ACTIVE_STATUSES = ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS")
ESCALATION_LEVELS = ("L1", "L2", "L3")
ALERT_SOURCES = ("models", "streaming", "rules_fallback")
SUPPRESSION_REASONS = ("repeat", "told_by_stream", "maintenance", "silence", "withdrawn")
"""Why an alert was stored and nobody told: what the audit shows."""
ALERT_ACTIONS = (
    "detect",
    "continue",
    "suppress",
    "raise",
    "tell",
    "sustain",
    "reopen",
    "supersede",
    "recover",
    "withdraw",
    "breach",
    "acknowledge",
    "start",
    "maintain",
    "escalate",
    "resolve",
    "false_positive",
    "confirm",
)
"""What can happen to an alert; :mod:`fridge_assets.alerting.lifecycle` says when."""

DEVICE_ALERTS = Contract(
    name="device_alerts",
    description="One alert about one device in one window; suppressed repeats are kept for audit.",
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
        Column("first_detected_at", "timestamp", "when this anomaly was first seen", nullable=False),
        Column("alert_created_at", "timestamp", "when this row was made", nullable=False),
        Column(
            "suppressed",
            "boolean",
            "stored for audit, nobody is told",
            nullable=False,
        ),
        Column("suppressed_because", "text", "why nobody is told; null when people are", allowed=SUPPRESSION_REASONS),
        Column("ontology_action_id", "text", "work order made from it"),
        Column("status", "text", "where it stands", nullable=False, allowed=ALERT_STATUSES),
        Column("resolved_at", "timestamp", "when it was resolved"),
        Column("escalation_level", "text", "who is responsible", nullable=False, allowed=ESCALATION_LEVELS),
        Column("sla_deadline", "timestamp", "to be acted on by", nullable=False),
        Column("sla_breached", "boolean", "nobody had taken it by its deadline", nullable=False),
        Column("next_escalation_at", "timestamp", "when it goes up a level if nobody takes it; null when it does not"),
        Column("score_ids", "text_list", "score rows behind it", nullable=False),
        Column("source", "text", "what raised it", nullable=False, allowed=ALERT_SOURCES),
        Column("models_flagging", "integer", "distinct families that flagged", nullable=False, minimum=0),
        Column("window_end", "timestamp", "end of the window it is about", nullable=False),
        Column("dedup_until", "timestamp", "end of the span in which repeats are suppressed", nullable=False),
        Column("note", "text", "anything else a reader should know", nullable=False),
        Column("revision", "integer", "number of its newest event", nullable=False, minimum=1),
    ),
    key=("alert_id",),
)

ALERT_EVENTS = Contract(
    name="alert_events",
    description="One immutable change of one alert.",
    columns=(
        Column("event_id", "text", "UUIDv5 of alert and revision", nullable=False),
        Column("alert_id", "text", "alert", nullable=False),
        Column("revision", "integer", "1 for an alert's first event, then one more each", nullable=False, minimum=1),
        Column("occurred_at", "timestamp", "when", nullable=False),
        Column("actor", "text", "who", nullable=False),
        Column("action", "text", "what happened", nullable=False, allowed=ALERT_ACTIONS),
        Column("from_status", "text", "before; null for a new alert", allowed=ALERT_STATUSES),
        Column("to_status", "text", "after", nullable=False, allowed=ALERT_STATUSES),
        Column("note", "text", "why", nullable=False),
        Column("changes", "text", "columns of the alert that it set, with their values, as JSON", nullable=False),
    ),
    key=("event_id",),
)

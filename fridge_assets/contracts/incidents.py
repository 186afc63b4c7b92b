"""Incidents, what people work on, and the events that they add up to (SPEC 1.7, 6.1)."""

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.device_alerts import ALERT_STATUSES, ESCALATION_LEVELS, SEVERITIES, SUPPRESSION_REASONS

TELL_REASONS = ("opened", "severity_rose", "new_sensor", "reopened", "deadline_passed", "reminder")
"""Why people are told of an incident; every telling has one."""
CLOSE_REASONS = ("recovered", "withdrawn", "resolved", "false_positive")
VERDICTS = ("", "unjudged", "confirmed", "transient")
INCIDENT_ACTIONS = (
    "open",
    "reopen",
    "join",
    "quiet",
    "recover",
    "withdraw",
    "breach",
    "remind",
    "wake",
    "acknowledge",
    "take",
    "start",
    "maintain",
    "snooze",
    "resolve",
    "false_positive",
    "confirm",
    "escalate",
    "undo",
)
"""What can happen to an incident; :mod:`fridge_assets.incidents.decide` says when."""

INCIDENTS = Contract(
    name="incidents",
    description="One device's trouble from first sight to closure; a device has at most one that is open.",
    columns=(
        Column("incident_id", "text", "UUIDv5 of device, evidence that opened it and incident before", nullable=False),
        Column("device_id", "text", "device", nullable=False),
        Column("site_id", "text", "site it stands in", nullable=False),
        Column("opened_at", "timestamp", "when it was opened", nullable=False),
        Column("first_detected_at", "timestamp", "when it was first seen, by whatever source", nullable=False),
        Column("severity", "text", "highest that was told; before that, seen", nullable=False, allowed=SEVERITIES),
        Column("seen", "text", "highest severity that was seen", nullable=False, allowed=SEVERITIES),
        Column("told", "text", "highest severity that people were told of; null before", allowed=SEVERITIES),
        Column("waiting", "text", "reason with which it will be told; null where nothing waits", allowed=TELL_REASONS),
        Column("evidence_id", "text", "alert that says best what people were told", nullable=False),
        Column("probable_cause", "text", "newest that was clear, in words; empty where none was", nullable=False),
        Column("named", "text", "sensors that people were told of and their directions, as JSON", nullable=False),
        Column("windows", "text", "what was said of its last windows, as JSON", nullable=False),
        Column("sources", "text", "who has seen something, as JSON", nullable=False),
        Column("onsets", "text", "what the stream has seen, as JSON", nullable=False),
        Column("verdict", "text", "what the models say of that", nullable=False, allowed=VERDICTS),
        Column("last_window", "timestamp", "end of the newest window in which something was seen", nullable=False),
        Column("status", "text", "where it stands", nullable=False, allowed=ALERT_STATUSES),
        Column("level", "text", "who is responsible", nullable=False, allowed=ESCALATION_LEVELS),
        Column("deadline", "timestamp", "to be taken by; null before it was told"),
        Column("breached", "boolean", "nobody had taken it by its deadline", nullable=False),
        Column("next_escalation_at", "timestamp", "when it goes up a level if nobody takes it; null when it does not"),
        Column("remind_at", "timestamp", "when people are reminded if nobody takes it; null when they are not"),
        Column("snoozed_until", "timestamp", "when it is work again by itself; null where it is not snoozed"),
        Column("quiet_since", "timestamp", "end of the first window since which nothing was seen"),
        Column("owner", "text", "who has taken it; null for nobody by name"),
        Column("work_order_id", "text", "work made from it; null for none"),
        Column("closed_at", "timestamp", "when it was closed; null while it is open"),
        Column("closed_because", "text", "why", allowed=CLOSE_REASONS),
        Column("labelled_at", "timestamp", "when a person said whether it was real"),
        Column("release", "text", "released models at its newest evidence", nullable=False),
        Column("registry_entry", "text", "entry in the registry at its newest evidence", nullable=False),
        Column("undoable", "text", "last action of a person while it can be taken back, as JSON"),
        Column("revision", "integer", "number of its newest event", nullable=False, minimum=1),
    ),
    key=("incident_id",),
)

INCIDENT_EVENTS = Contract(
    name="incident_events",
    description="One immutable change of one incident; those of an incident add up to its row.",
    columns=(
        Column("event_id", "text", "UUIDv5 of incident and revision", nullable=False),
        Column("incident_id", "text", "incident", nullable=False),
        Column("revision", "integer", "1 for its first event, then one more each", nullable=False, minimum=1),
        Column("occurred_at", "timestamp", "when, which may be before anybody looked", nullable=False),
        Column("actor", "text", "who: a person, a source or sla", nullable=False),
        Column("action", "text", "what happened", nullable=False, allowed=INCIDENT_ACTIONS),
        Column("from_status", "text", "before; null for a new incident", allowed=ALERT_STATUSES),
        Column("to_status", "text", "after", nullable=False, allowed=ALERT_STATUSES),
        Column("note", "text", "why", nullable=False),
        Column("told", "text", "why people are told of it; null where they are not", allowed=TELL_REASONS),
        Column("held", "text", "why people are not told of the evidence", allowed=SUPPRESSION_REASONS),
        Column("evidence_id", "text", "alert that it is about; empty for none", nullable=False),
        Column("changes", "text", "columns of the incident that it set, with their values, as JSON", nullable=False),
    ),
    key=("event_id",),
)

"""Readings that could not be used, each with its reason and its raw text (SPEC 1.3)."""

from fridge_assets.contracts._contract import Column, Contract

QUARANTINE_REASONS = (
    "DEVICE_UNKNOWN",
    "DEVICE_MISSING",
    "ALL_SENSORS_NULL",
    "TIMESTAMP_MISSING",
    "TIMESTAMP_UNREADABLE",
    "TIMESTAMP_IN_FUTURE",
    "TIMESTAMP_TOO_OLD",
    "VALUE_UNREADABLE",
    "ROW_MALFORMED",
)

QUARANTINED_READINGS = Contract(
    name="quarantined_readings",
    description="One delivered row that could not be used; nothing of it is lost.",
    columns=(
        Column("quarantine_id", "text", "identity: file, row and reason", nullable=False),
        Column("source_file", "text", "landing file it came in", nullable=False),
        Column("row_number", "integer", "row in that file, from 1", nullable=False, minimum=1),
        Column("reason", "text", "why it could not be used", nullable=False, allowed=QUARANTINE_REASONS),
        Column("detail", "text", "the offending value and what would be right", nullable=False),
        Column("device_id", "text", "device, where it could be read"),
        Column("raw", "text", "the delivered row as JSON, or the line itself", nullable=False),
        Column("quarantined_at", "timestamp", "when it was set aside", nullable=False),
    ),
    key=("quarantine_id",),
)

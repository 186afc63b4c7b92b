"""Spans in which a device or a site raises nothing (SPEC 6)."""

from fridge_assets.contracts._contract import Column, Contract

SILENCE_KINDS = ("maintenance", "silence")

SILENCES = Contract(
    name="silences",
    description="One span in which alerts of a device or a whole site are stored for audit and nobody is told.",
    columns=(
        Column("silence_id", "text", "UUIDv5 of scope, start, who and when it was made", nullable=False),
        Column(
            "kind",
            "text",
            "maintenance: people work on it, and models do not learn from it; silence: nobody wants to hear of it",
            nullable=False,
            allowed=SILENCE_KINDS,
        ),
        Column("device_id", "text", "device; null for a whole site"),
        Column("site_id", "text", "site; null for one device"),
        Column("starts_at", "timestamp", "first moment", nullable=False),
        Column(
            "ends_at",
            "timestamp",
            "first moment after it; moved forward when it is ended early, to its start if it has not begun",
            nullable=False,
        ),
        Column("actor", "text", "who made it", nullable=False),
        Column("reason", "text", "why", nullable=False),
        Column("created_at", "timestamp", "when it was made", nullable=False),
        Column("ended_by", "text", "who ended it early; empty for nobody", nullable=False),
        Column("work_order_id", "text", "the work that it is for; null for none"),
    ),
    key=("silence_id",),
)

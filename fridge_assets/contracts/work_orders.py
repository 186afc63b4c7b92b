"""Work that was asked for because of incidents, and what the maintenance system knows of it (SPEC 6)."""

from fridge_assets.contracts._contract import Column, Contract

PRIORITIES = ("normal", "urgent")
"""From least to most urgent."""
WORK_ORDER_STATUSES = ("open", "done", "cancelled")

WORK_ORDERS = Contract(
    name="work_orders",
    description="One piece of work on one device, asked for by an incident.",
    columns=(
        Column("work_order_id", "text", "UUIDv5 of the incident that asked for it", nullable=False),
        Column("incident_id", "text", "incident that it is for", nullable=False),
        Column("device_id", "text", "device", nullable=False),
        Column("site_id", "text", "site it stands in", nullable=False),
        Column("priority", "text", "how soon", nullable=False, allowed=PRIORITIES),
        Column("status", "text", "where it stands", nullable=False, allowed=WORK_ORDER_STATUSES),
        Column("title", "text", "one line", nullable=False),
        Column("description", "text", "sentences for a technician", nullable=False),
        Column("requested_by", "text", "who asked for it: a person, or what saw the trouble", nullable=False),
        Column("created_at", "timestamp", "when it was asked for", nullable=False),
        Column("due_at", "timestamp", "deadline of the incident", nullable=False),
        Column("scheduled_from", "timestamp", "when the work begins; null when nobody has said"),
        Column("scheduled_to", "timestamp", "when it ends; null when nobody has said"),
        Column("reason", "text", "why it stands as it does", nullable=False),
        Column("updated_at", "timestamp", "when it last changed", nullable=False),
        Column("revision", "integer", "1, and one more with each change", nullable=False, minimum=1),
        Column("delivered_revision", "integer", "revision that was handed over; 0 for none", nullable=False, minimum=0),
        Column("attempts", "integer", "failed deliveries in a row", nullable=False, minimum=0),
        Column("next_attempt_at", "timestamp", "not to be delivered before; null for at once"),
        Column("last_error", "text", "why the newest delivery failed; empty after a success", nullable=False),
        Column("delivered_to", "text", "file or address it was handed to; empty for none", nullable=False),
        Column("external_reference", "text", "what the maintenance system calls it; empty for none", nullable=False),
    ),
    key=("work_order_id",),
)

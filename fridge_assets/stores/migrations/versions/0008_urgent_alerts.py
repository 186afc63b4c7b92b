"""Active alerts in the order of their urgency, from an index alone."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the index."""
    active = sa.text("status IN ('OPEN', 'ACKNOWLEDGED', 'IN_PROGRESS')")
    columns = ["sla_breached", "next_escalation_at", "severity", "sla_deadline", "suppressed", "status", "alert_id"]
    op.create_index("ix_device_alerts_urgency", "device_alerts", columns, sqlite_where=active, postgresql_where=active)

"""Evidence of one severity, and evidence that was held for one reason, from an index."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_HELD = ("ix_alert_evidence_held_by_window_end", "ix_alert_evidence_held_by_device_id")
_COLUMNS = (["suppressed_because", "window_end"], ["suppressed_because", "device_id", "window_end", "site_id"])


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_alert_evidence_severity_window_end", "alert_evidence", ["severity", "window_end"])
    held = sa.text("suppressed_because IS NOT NULL")
    for name, columns in zip(_HELD, _COLUMNS, strict=True):
        op.create_index(name, "alert_evidence", columns, sqlite_where=held, postgresql_where=held)

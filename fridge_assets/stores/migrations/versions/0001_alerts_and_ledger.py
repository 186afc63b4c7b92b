"""Alerts, their events and the ingest ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables, types spelled out: a migration must not change with the contracts."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "device_alerts",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("alert_type", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("anomaly_score", sa.Double(), nullable=False),
        sa.Column("top_contributors", sa.JSON(), nullable=False),
        sa.Column("first_detected_at", moment, nullable=False),
        sa.Column("alert_created_at", moment, nullable=False),
        sa.Column("suppressed", sa.Boolean(), nullable=False),
        sa.Column("ontology_action_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("resolved_at", moment),
        sa.Column("escalation_level", sa.Text(), nullable=False),
        sa.Column("sla_deadline", moment, nullable=False),
        sa.Column("sla_breached", sa.Boolean(), nullable=False),
        sa.Column("score_ids", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("models_flagging", sa.BigInteger(), nullable=False),
        sa.Column("window_end", moment, nullable=False),
        sa.Column("dedup_until", moment, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_device_alerts"),
    )
    op.create_index("ix_device_alerts_device_id_window_end", "device_alerts", ["device_id", "window_end"])
    op.create_index("ix_device_alerts_window_end", "device_alerts", ["window_end"])
    op.create_index("ix_device_alerts_status", "device_alerts", ["status"])
    op.create_index("ix_device_alerts_alert_created_at", "device_alerts", ["alert_created_at"])

    op.create_table(
        "alert_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", moment, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("from_status", sa.Text()),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_alert_events"),
        sa.ForeignKeyConstraint(["alert_id"], ["device_alerts.alert_id"], name="fk_alert_events_alert_id"),
    )
    op.create_index("ix_alert_events_alert_id_occurred_at", "alert_events", ["alert_id", "occurred_at"])

    op.create_table(
        "ingest_ledger",
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", moment, nullable=False),
        sa.Column("batch_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("clean", sa.BigInteger()),
        sa.Column("quarantined", sa.BigInteger()),
        sa.Column("duplicates", sa.BigInteger()),
        sa.Column("first_timestamp", moment),
        sa.Column("last_timestamp", moment),
        sa.Column("recorded_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("file_name", name="pk_ingest_ledger"),
    )
    op.create_index("ix_ingest_ledger_status", "ingest_ledger", ["status"])

"""The life of an alert: revisions and what each event changed, labels, work orders, silences, site incidents."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_PIECE = 1000
_LIFE = (
    "severity",
    "alert_type",
    "first_detected_at",
    "suppressed",
    "suppressed_because",
    "ontology_action_id",
    "status",
    "resolved_at",
    "escalation_level",
    "sla_deadline",
    "sla_breached",
    "next_escalation_at",
    "note",
)


def upgrade() -> None:
    """Add columns and tables; what happened to older alerts keeps its events, the newest of which says all."""
    moment = sa.DateTime(timezone=True)
    op.add_column("device_alerts", sa.Column("suppressed_because", sa.Text()))
    op.add_column("device_alerts", sa.Column("next_escalation_at", moment))
    op.add_column("device_alerts", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("alert_events", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("alert_events", sa.Column("action", sa.Text(), nullable=False, server_default="sustain"))
    op.add_column("alert_events", sa.Column("changes", sa.Text(), nullable=False, server_default="{}"))
    _number_events()
    _keep_states()
    if op.get_bind().dialect.name != "sqlite":
        # SQLite would have to make the table anew, and refuses to drop one that events refer to.
        for table, column in (
            ("device_alerts", "revision"),
            ("alert_events", "revision"),
            ("alert_events", "action"),
            ("alert_events", "changes"),
        ):
            op.alter_column(table, column, server_default=None)
    op.drop_index("ix_alert_events_alert_id_occurred_at", "alert_events")
    op.create_index("ix_alert_events_alert_id_revision", "alert_events", ["alert_id", "revision"], unique=True)
    op.create_index("ix_alert_events_occurred_at", "alert_events", ["occurred_at"])
    op.create_index("ix_device_alerts_next_escalation_at", "device_alerts", ["next_escalation_at"])
    op.create_index("ix_device_alerts_site_id_alert_created_at", "device_alerts", ["site_id", "alert_created_at"])
    op.drop_index("ix_device_alerts_status", "device_alerts")
    active = sa.text("status IN ('OPEN', 'ACKNOWLEDGED', 'IN_PROGRESS')")
    for first in ("window_end", "device_id"):
        columns = [first, "severity", "suppressed", "status"]
        name = f"ix_device_alerts_active_by_{first}"
        op.create_index(name, "device_alerts", columns, sqlite_where=active, postgresql_where=active)
    _create_tables(moment)


def _number_events() -> None:
    op.execute(
        "UPDATE alert_events SET revision = (SELECT count(*) FROM alert_events AS e WHERE e.alert_id = "
        "alert_events.alert_id AND (e.occurred_at, e.event_id) <= (alert_events.occurred_at, alert_events.event_id))"
    )
    op.execute(
        "UPDATE alert_events SET action = CASE "
        "WHEN from_status IS NULL AND to_status = 'RESOLVED' THEN 'suppress' WHEN from_status IS NULL THEN 'detect' "
        "WHEN from_status = 'RESOLVED' AND to_status = 'OPEN' THEN 'reopen' "
        "WHEN to_status = 'RESOLVED' AND note LIKE 'Continued by%' THEN 'supersede' "
        "WHEN to_status = 'RESOLVED' THEN 'recover' WHEN from_status = to_status THEN 'sustain' ELSE 'raise' END"
    )
    op.execute(
        "UPDATE device_alerts SET suppressed_because = CASE WHEN suppressed THEN 'repeat' END, "
        "next_escalation_at = CASE WHEN status = 'OPEN' THEN sla_deadline END, "
        "revision = (SELECT max(1, count(*)) FROM alert_events AS e WHERE e.alert_id = device_alerts.alert_id)"
        if op.get_bind().dialect.name == "sqlite"
        else "UPDATE device_alerts SET suppressed_because = CASE WHEN suppressed THEN 'repeat' END, "
        "next_escalation_at = CASE WHEN status = 'OPEN' THEN sla_deadline END, revision = "
        "(SELECT greatest(1, count(*)) FROM alert_events AS e WHERE e.alert_id = device_alerts.alert_id)"
    )


def _keep_states() -> None:
    connection = op.get_bind()
    columns = ", ".join(f"a.{name}" for name in _LIFE)
    rows = connection.execute(
        sa.text(
            f"SELECT e.event_id, {columns} FROM device_alerts AS a JOIN alert_events AS e "
            "ON e.alert_id = a.alert_id AND e.revision = a.revision"
        ).columns(
            **{name: sa.DateTime(timezone=True) for name in _LIFE if name.endswith(("_at", "_deadline"))},
            suppressed=sa.Boolean(),
            sla_breached=sa.Boolean(),
        )
    ).mappings()
    statement = sa.text("UPDATE alert_events SET changes = :changes WHERE event_id = :event_id")
    for piece in _pieces([{"event_id": row["event_id"], "changes": _state(row)} for row in rows]):
        connection.execute(statement, piece)


def _state(row: Any) -> str:
    return json.dumps({name: _plain(row[name]) for name in _LIFE})


def _plain(value: object) -> object:
    if not isinstance(value, datetime):
        return value
    return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()


def _pieces(rows: list[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    return (rows[first : first + _PIECE] for first in range(0, len(rows), _PIECE))


def _create_tables(moment: sa.DateTime) -> None:
    op.create_table(
        "status_due",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_status_due"),
    )
    op.create_table(
        "label_events",
        sa.Column("label_id", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("labelled_at", moment, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("anomaly_score", sa.Double(), nullable=False),
        sa.Column("first_detected_at", moment, nullable=False),
        sa.Column("window_end", moment, nullable=False),
        sa.PrimaryKeyConstraint("label_id", name="pk_label_events"),
    )
    op.create_index("ix_label_events_alert_id", "label_events", ["alert_id"])
    op.create_index("ix_label_events_labelled_at", "label_events", ["labelled_at"])
    op.create_table(
        "work_orders",
        sa.Column("work_order_id", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("scheduled_from", moment),
        sa.Column("scheduled_to", moment),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("delivered_revision", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", moment),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("delivered_to", sa.Text(), nullable=False),
        sa.Column("external_reference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("work_order_id", name="pk_work_orders"),
    )
    for column in ("alert_id", "device_id", "status"):
        op.create_index(f"ix_work_orders_{column}", "work_orders", [column])
    undelivered = sa.text("delivered_revision < revision")
    op.create_index(
        "ix_work_orders_undelivered",
        "work_orders",
        ["next_attempt_at"],
        sqlite_where=undelivered,
        postgresql_where=undelivered,
    )
    op.create_table(
        "silences",
        sa.Column("silence_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text()),
        sa.Column("site_id", sa.Text()),
        sa.Column("starts_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("work_order_id", sa.Text()),
        sa.PrimaryKeyConstraint("silence_id", name="pk_silences"),
    )
    op.create_index("ix_silences_ends_at", "silences", ["ends_at"])
    op.create_table(
        "site_incidents",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("last_alert_at", moment, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("devices", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "started_at", name="pk_site_incidents"),
    )
    op.create_table(
        "outbox_subjects",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "subject", name="pk_outbox_subjects"),
    )
    op.create_index("ix_outbox_subjects_subject", "outbox_subjects", ["subject"])

"""Messages have a state for each destination that they go to."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_NEW = ("dedup_key", "only_to")
_MOVED = ("attempts", "maybe_sent", "last_error", "sent_at", "sent_to", "summarised_by")


def upgrade() -> None:
    """Create the deliveries and move what became of each message there; until now all went to Slack or to the log."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "outbox_deliveries",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("maybe_sent", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", moment),
        sa.Column("sent_to", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("summarised_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "destination", name="pk_outbox_deliveries"),
    )
    op.create_index("ix_outbox_deliveries_summarised_by", "outbox_deliveries", ["summarised_by"])
    op.execute(
        "INSERT INTO outbox_deliveries (message_id, destination, status, attempts, maybe_sent, reason, ended_at, "
        "sent_to, said, summarised_by) SELECT message_id, CASE WHEN sent_to = 'log' THEN 'log' ELSE 'slack' END, "
        "status, attempts, maybe_sent, last_error, sent_at, sent_to, CASE WHEN status = 'sent' THEN title ELSE '' END, "
        "summarised_by FROM outbox WHERE attempts > 0 OR status <> 'pending'"
    )
    op.create_table(
        "outbox_routes",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", moment),
        sa.Column("lease_owner", sa.Text(), nullable=False),
        sa.Column("leased_until", moment),
        sa.PrimaryKeyConstraint("channel", "destination", name="pk_outbox_routes"),
    )
    # Only waits and leases of seconds were in it.
    op.drop_table("outbox_channels")
    op.add_column("outbox", sa.Column("commands", sa.JSON(), nullable=False, server_default="[]"))
    for name in _NEW:
        op.add_column("outbox", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in _MOVED:
        op.drop_column("outbox", name)
    if op.get_bind().dialect.name != "sqlite":
        # SQLite would have to make the table anew.
        for name in ("commands", *_NEW):
            op.alter_column("outbox", name, server_default=None)

"""Messages, the channels that they are delivered to, and the states whose changes are told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables of the outbox."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", moment, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("maybe_sent", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("sent_at", moment),
        sa.Column("sent_to", sa.Text(), nullable=False),
        sa.Column("summarised_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_number", "outbox", ["number"])
    op.create_index("ix_outbox_status_channel_number", "outbox", ["status", "channel", "number"])
    op.create_table(
        "outbox_channels",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", moment),
        sa.Column("lease_owner", sa.Text(), nullable=False),
        sa.Column("leased_until", moment),
        sa.PrimaryKeyConstraint("channel", name="pk_outbox_channels"),
    )
    op.create_table(
        "watched_states",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_watched_states"),
    )

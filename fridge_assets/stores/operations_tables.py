"""Tables of the operations store; those of a dataset are derived from its contract (SPEC 1.2, 1.7)."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS, Column, Contract
from fridge_assets.errors import FridgeError


class UtcTimestamp(TypeDecorator[datetime]):
    """A moment: stored in UTC, returned timezone-aware, refused when it has no timezone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The moment in UTC.

        Raises:
            FridgeError: ``value`` has no timezone.
        """
        if value is None:
            return None
        if value.utcoffset() is None:
            raise FridgeError(
                f"The time {value} has no timezone",
                "Pass a timezone-aware datetime, such as datetime.now(UTC).",
            )
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The stored moment with its timezone; SQLite keeps none."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_SQL_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "timestamp": UtcTimestamp(),
    "double": sa.Double(),
    "integer": sa.BigInteger(),
    "boolean": sa.Boolean(),
    "text_list": sa.JSON(),
    "double_list": sa.JSON(),
}

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _column(column: Column, contract: Contract, foreign_key: str | None = None) -> sa.Column[Any]:
    return sa.Column(
        column.name,
        _SQL_TYPES[column.type],
        *([sa.ForeignKey(foreign_key)] if foreign_key else []),
        primary_key=column.name in contract.key,
        nullable=column.nullable,
    )


device_alerts = sa.Table(
    DEVICE_ALERTS.name,
    metadata,
    *(_column(column, DEVICE_ALERTS) for column in DEVICE_ALERTS.columns),
    sa.Index(None, "device_id", "window_end"),
    sa.Index(None, "window_end"),
    sa.Index(None, "status"),
    sa.Index(None, "alert_created_at"),
)

alert_events = sa.Table(
    ALERT_EVENTS.name,
    metadata,
    *(
        _column(column, ALERT_EVENTS, "device_alerts.alert_id" if column.name == "alert_id" else None)
        for column in ALERT_EVENTS.columns
    ),
    sa.Index(None, "alert_id", "occurred_at"),
)

ingest_ledger = sa.Table(
    "ingest_ledger",
    metadata,
    sa.Column("file_name", sa.Text(), primary_key=True),
    sa.Column("size_bytes", sa.BigInteger(), nullable=False),
    sa.Column("modified_at", UtcTimestamp(), nullable=False),
    sa.Column("batch_id", sa.Text()),
    sa.Column("status", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text()),
    sa.Column("rows", sa.BigInteger()),
    sa.Column("clean", sa.BigInteger()),
    sa.Column("quarantined", sa.BigInteger()),
    sa.Column("duplicates", sa.BigInteger()),
    sa.Column("first_timestamp", UtcTimestamp()),
    sa.Column("last_timestamp", UtcTimestamp()),
    sa.Column("recorded_at", UtcTimestamp(), nullable=False),
    sa.Index(None, "status"),
)
"""What became of each landing file: ``loading``, ``ingested``, ``refused`` or ``waiting``."""

deployment_decisions = sa.Table(
    "deployment_decisions",
    metadata,
    sa.Column("family", sa.Text(), primary_key=True),
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("action", sa.Text(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("from_version", sa.Text(), nullable=False),
    sa.Column("regions", sa.JSON(), nullable=False),
    sa.Column("occurred_at", UtcTimestamp(), nullable=False),
    sa.Column("actor", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("overridden", sa.Text(), nullable=False),
)
"""Who decided what about which model version, when and why; appended to, never changed."""

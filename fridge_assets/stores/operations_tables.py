"""Tables of the operations store; those of a dataset are derived from its contract (SPEC 1.2, 1.7)."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from fridge_assets.contracts import (
    DEVICE_ALERTS,
    INCIDENT_EVENTS,
    INCIDENTS,
    LABEL_EVENTS,
    SILENCES,
    WORK_ORDERS,
    Column,
    Contract,
)
from fridge_assets.contracts.device_alerts import OF_THE_INCIDENT
from fridge_assets.core.errors import FridgeError


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


incidents = sa.Table(
    INCIDENTS.name,
    metadata,
    *(_column(column, INCIDENTS) for column in INCIDENTS.columns),
    sa.Index(None, "device_id", "opened_at"),
    sa.Index(None, "site_id", "opened_at"),
    sa.Index(None, "closed_at"),
    sa.Index(None, "labelled_at"),
    sa.Index(None, "probable_cause", "closed_at"),
)
"""One device's trouble each, as its events add up to; :mod:`fridge_assets.incidents.store` alone writes them."""

is_open = incidents.c.closed_at.is_(None)
"""Whether an incident is somebody's work, or will be."""

sa.Index(
    "ix_incidents_open_by_device", incidents.c.device_id, unique=True, sqlite_where=is_open, postgresql_where=is_open
)

sa.Index(
    "ix_incidents_urgency",
    *(
        incidents.c[name]
        for name in ("breached", "next_escalation_at", "severity", "deadline", "told", "status", "incident_id")
    ),
    sqlite_where=is_open,
    postgresql_where=is_open,
)
"""All that the most urgent incidents are found by."""

DUE = ("next_escalation_at", "remind_at", "snoozed_until")
"""Columns of moments at which something becomes due of an incident."""

for _name in DUE:
    _is_due = incidents.c[_name].is_not(None)
    sa.Index(f"ix_incidents_{_name}", incidents.c[_name], sqlite_where=_is_due, postgresql_where=_is_due)

incident_events = sa.Table(
    INCIDENT_EVENTS.name,
    metadata,
    *(
        _column(column, INCIDENT_EVENTS, "incidents.incident_id" if column.name == "incident_id" else None)
        for column in INCIDENT_EVENTS.columns
    ),
    sa.Index(None, "incident_id", "revision", unique=True),
    sa.Index(None, "occurred_at"),
)
"""Appended to, never changed."""

alert_evidence = sa.Table(
    "alert_evidence",
    metadata,
    *(
        _column(column, DEVICE_ALERTS, "incidents.incident_id" if column.name == "incident_id" else None)
        for column in DEVICE_ALERTS.columns
        if column.name not in OF_THE_INCIDENT
    ),
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("probable_cause", sa.Text(), nullable=False),
    sa.Column("signs_for", sa.JSON(), nullable=False),
    sa.Column("signs_against", sa.JSON(), nullable=False),
    sa.Index(None, "incident_id", "window_end"),
    sa.Index(None, "device_id", "window_end"),
    sa.Index(None, "window_end"),
    sa.Index(None, "alert_created_at"),
    sa.Index(None, "severity", "window_end"),
)
"""What was measured, appended to and never changed; ``number`` is 1, and more where further models have made the same
window more severe."""

is_held = alert_evidence.c.suppressed_because.is_not(None)
"""Whether nobody was told of evidence, where its reason is looked at; the indexes by reason hold no other."""

for _names in (("suppressed_because", "window_end"), ("suppressed_because", "device_id", "window_end", "site_id")):
    sa.Index(
        f"ix_alert_evidence_held_by_{_names[1]}",
        *(alert_evidence.c[_name] for _name in _names),
        sqlite_where=is_held,
        postgresql_where=is_held,
    )

views = sa.MetaData()
"""What is read like a table and stored in others."""

device_alerts = sa.Table(
    DEVICE_ALERTS.name, views, *(_column(column, DEVICE_ALERTS) for column in DEVICE_ALERTS.columns)
)
"""The newest evidence of each device, window and source, with where its incident stands (Contract 6)."""

_COMPUTED = {
    "alert_type": "CASE WHEN i.closed_because IN ('recovered', 'withdrawn') THEN 'ANOMALY_RESOLVED' "
    "WHEN e.source = 'streaming' AND i.verdict = 'confirmed' THEN 'ANOMALY_SUSTAINED' ELSE e.alert_type END",
    "note": "CASE WHEN e.source = 'streaming' AND i.verdict = 'transient' "
    "THEN e.note || '. The models found it transient' ELSE e.note END",
    "ontology_action_id": "i.work_order_id",
    "status": "i.status",
    "resolved_at": "i.closed_at",
    "escalation_level": "i.level",
    "sla_deadline": "i.deadline",
    "sla_breached": "i.breached",
}
_SELECTED = ", ".join(f"{_COMPUTED.get(name, f'e.{name}')} AS {name}" for name in DEVICE_ALERTS.column_names)
VIEW = (
    f"CREATE VIEW device_alerts AS SELECT {_SELECTED} FROM alert_evidence AS e "
    "JOIN incidents AS i ON i.incident_id = e.incident_id WHERE NOT EXISTS (SELECT 1 FROM alert_evidence AS later "
    "WHERE later.alert_id = e.alert_id AND later.number > e.number)"
)
"""How :data:`device_alerts` is read."""

sa.event.listen(metadata, "after_create", sa.DDL(VIEW))  # type: ignore[no-untyped-call]

incident_groups = sa.Table(
    "incident_groups",
    metadata,
    sa.Column("scope", sa.Text(), primary_key=True),
    sa.Column("started_at", UtcTimestamp(), primary_key=True),
    sa.Column("ends_at", UtcTimestamp(), nullable=False),
    sa.Column("severity", sa.Text(), nullable=False),
    sa.Column("devices", sa.JSON(), nullable=False),
    sa.Index(None, "ends_at"),
)
"""Times in which so many devices of a site, or of the fleet (scope empty), opened incidents together that people are
told of all as one."""

status_due = sa.Table(
    "status_due",
    metadata,
    sa.Column("event_id", sa.Text(), primary_key=True),
    sa.Column("device_id", sa.Text(), nullable=False),
)
"""Events of incidents that device and site status do not show yet."""

label_events = sa.Table(
    LABEL_EVENTS.name,
    metadata,
    *(_column(column, LABEL_EVENTS) for column in LABEL_EVENTS.columns),
    sa.Index(None, "incident_id"),
    sa.Index(None, "labelled_at"),
)

work_orders = sa.Table(
    WORK_ORDERS.name,
    metadata,
    *(_column(column, WORK_ORDERS) for column in WORK_ORDERS.columns),
    sa.Index(None, "incident_id"),
    sa.Index(None, "device_id"),
    sa.Index(None, "status"),
)

is_undelivered = work_orders.c.delivered_revision < work_orders.c.revision
"""Whether an order has changed since it was handed over."""

sa.Index(
    "ix_work_orders_undelivered",
    work_orders.c.next_attempt_at,
    sqlite_where=is_undelivered,
    postgresql_where=is_undelivered,
)

silences = sa.Table(
    SILENCES.name,
    metadata,
    *(_column(column, SILENCES) for column in SILENCES.columns),
    sa.Index(None, "ends_at"),
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
"""What became of each landing file: ``loading``, ``ingested``, ``repeated``, ``refused`` or ``waiting``."""

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

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("message_id", sa.Text(), primary_key=True),
    # Not unique: a summary takes the place of the first message that it stands for.
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("channel", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("key", sa.Text(), nullable=False),
    sa.Column("title", sa.Text(), nullable=False),
    sa.Column("lines", sa.JSON(), nullable=False),
    sa.Column("commands", sa.JSON(), nullable=False),
    sa.Column("run_id", sa.Text(), nullable=False),
    sa.Column("dedup_key", sa.Text(), nullable=False),
    sa.Column("occurred_at", UtcTimestamp(), nullable=False),
    sa.Column("created_at", UtcTimestamp(), nullable=False),
    sa.Column("only_to", sa.Text(), nullable=False),
    sa.Column("status", sa.Text(), nullable=False),
    sa.Index(None, "number"),
    sa.Index(None, "status", "channel", "number"),
)
"""What people are told (SPEC 7): ``pending`` until every destination of its channel has had it; then ``sent``, or,
where none had it by itself, ``summarised`` or ``superseded``."""

outbox_deliveries = sa.Table(
    "outbox_deliveries",
    metadata,
    sa.Column("message_id", sa.Text(), primary_key=True),
    sa.Column("destination", sa.Text(), primary_key=True),
    sa.Column("status", sa.Text(), nullable=False),
    sa.Column("attempts", sa.BigInteger(), nullable=False),
    sa.Column("maybe_sent", sa.Boolean(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("ended_at", UtcTimestamp()),
    sa.Column("sent_to", sa.Text(), nullable=False),
    sa.Column("said", sa.Text(), nullable=False),
    sa.Column("summarised_by", sa.Text(), nullable=False),
    sa.Index(None, "summarised_by"),
)
"""What became of a message at each destination that it was tried at: ``pending``, ``sent``, ``summarised`` by another
message, or ``superseded``: it was no longer true when its turn came."""

outbox_subjects = sa.Table(
    "outbox_subjects",
    metadata,
    sa.Column("message_id", sa.Text(), primary_key=True),
    sa.Column("subject", sa.Text(), primary_key=True),
    sa.Index(None, "subject"),
)
"""Which incidents a message is about, by id."""

outbox_routes = sa.Table(
    "outbox_routes",
    metadata,
    sa.Column("channel", sa.Text(), primary_key=True),
    sa.Column("destination", sa.Text(), primary_key=True),
    sa.Column("failures", sa.BigInteger(), nullable=False),
    sa.Column("next_attempt_at", UtcTimestamp()),
    sa.Column("lease_owner", sa.Text(), nullable=False),
    sa.Column("leased_until", UtcTimestamp()),
)
"""Of each channel's way to each destination: failures in a row, when it is tried next, and who is delivering on it."""

watched_states = sa.Table(
    "watched_states",
    metadata,
    sa.Column("subject", sa.Text(), primary_key=True),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("since", UtcTimestamp(), nullable=False),
    sa.Column("detail", sa.Text(), nullable=False),
)
"""The last known state of whatever people are told about when it changes."""

score_ages = sa.Table(
    "score_ages",
    metadata,
    sa.Column("family", sa.Text(), primary_key=True),
    sa.Column("window_end", UtcTimestamp(), nullable=False),
    sa.Column("scored_at", UtcTimestamp(), nullable=False),
)
"""The newest published scores of each family, for those who must not wait for the warehouse."""

pulse = sa.Table(
    "pulse",
    metadata,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("beaten_at", UtcTimestamp(), nullable=False),
)
"""When each long-running part was last alive and able to load the code."""

stream_positions = sa.Table(
    "stream_positions",
    metadata,
    sa.Column("source", sa.Text(), primary_key=True),
    sa.Column("part", sa.Text(), primary_key=True),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("recorded_at", UtcTimestamp(), nullable=False),
)
"""How far the stream has answered for each part of its source; written together with the alerts."""

stream_files = sa.Table(
    "stream_files",
    metadata,
    sa.Column("file_name", sa.Text(), primary_key=True),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("modified_at", UtcTimestamp(), nullable=False),
    sa.Column("consumed_at", UtcTimestamp(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Index(None, "number"),
)
"""Landing files in the order in which the stream took them; ``reason`` says why one was passed over."""

stream_status = sa.Table(
    "stream_status",
    metadata,
    sa.Column("instance", sa.Text(), primary_key=True),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("started_at", UtcTimestamp(), nullable=False),
    sa.Column("beaten_at", UtcTimestamp(), nullable=False),
    sa.Column("stopped_at", UtcTimestamp()),
    sa.Column("newest_reading_at", UtcTimestamp()),
    sa.Column("behind", sa.BigInteger(), nullable=False),
    sa.Column("lag_seconds", sa.Double(), nullable=False),
    sa.Column("readings", sa.BigInteger(), nullable=False),
    sa.Column("unusable", sa.BigInteger(), nullable=False),
    sa.Column("too_late", sa.BigInteger(), nullable=False),
    sa.Column("alerts", sa.BigInteger(), nullable=False),
)
"""Pulse, lag and counts of every streaming process; counts since it started."""

threshold_history = sa.Table(
    "threshold_history",
    metadata,
    sa.Column("device_id", sa.Text(), primary_key=True),
    sa.Column("rule", sa.Text(), primary_key=True),
    sa.Column("origin", sa.Text(), primary_key=True),
    sa.Column("since", UtcTimestamp(), primary_key=True),
    sa.Column("value", sa.Double()),
    sa.Column("detail", sa.Text(), nullable=False),
    sa.Index(None, "since"),
)
"""Every change of a device's acute thresholds: by the ``registry`` or learned by a ``model``; a null value takes the
origin's word back."""

"""Messages in the operations store: putting them in, and what people ask about them (SPEC 7)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.notifications.message import Channel, Kind, Message, Status
from fridge_assets.stores.beginnings import Ids, id_beginning_with
from fridge_assets.stores.operations import insert_missing, outbox, outbox_subjects

_NUMBERING_LOCK = 7_308_611_291
"""PostgreSQL advisory lock that lets one transaction number messages at a time."""


_IDS = Ids(outbox.c.message_id, "message", "messages list")


@dataclass(frozen=True)
class StoredMessage:
    """A message and what became of it.

    Args:
        message_id: identity of channel and key.
        number: order of delivery; a summary has the number of the first message that it stands for.
        channel: who is told.
        kind: what it is about.
        key: natural key within the channel.
        title: one line.
        lines: the text.
        run_id: the Dagster run; empty for none.
        occurred_at: when what it is about happened.
        created_at: when it was stored.
        status: ``pending``, ``sent``, or ``summarised``: another message stands for it.
        attempts: how often it was handed to the sender.
        maybe_sent: it may have been posted already, so that the next attempt says so.
        last_error: why the newest attempt failed; empty after a success.
        sent_at: when it was sent; None while it was not.
        sent_to: Slack's timestamp of the post, or ``log``; empty while it was not sent.
        summarised_by: id of the message that stands for it; empty for none.
    """

    message_id: str
    number: int
    channel: Channel
    kind: Kind
    key: str
    title: str
    lines: tuple[str, ...]
    run_id: str
    occurred_at: datetime
    created_at: datetime
    status: Status
    attempts: int
    maybe_sent: bool
    last_error: str
    sent_at: datetime | None
    sent_to: str
    summarised_by: str

    @property
    def message(self) -> Message:
        """What is to be said."""
        return Message(self.key, self.channel, self.kind, self.title, self.lines, self.occurred_at, self.run_id)


@dataclass(frozen=True)
class OutboxFilter:
    """Which messages to list.

    Args:
        channel: of this channel only.
        status: with this status only.
        limit: at most this many, newest first.
    """

    channel: Channel | None = None
    status: Status | None = None
    limit: int = 100


def enqueue(connection: Connection, messages: Iterable[Message], created_at: datetime) -> None:
    """Store messages to be delivered, in the caller's transaction and in their order; known ones are left alone.

    Args:
        connection: of the transaction that stores what the messages are about.
        messages: what to say.
        created_at: the actual time, timezone-aware; how long a message waits is counted from here.
    """
    wanted = list(messages)
    if not wanted:
        return
    if connection.dialect.name == "postgresql":
        # Without it a message could be sent before one with a lower number becomes visible.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_NUMBERING_LOCK)))
    first = (connection.scalar(sa.select(sa.func.max(outbox.c.number))) or 0) + 1
    insert_missing(connection, outbox, [_row(m, first + n, created_at) for n, m in enumerate(wanted)])
    for message in wanted:
        also_about(connection, message.message_id, message.about)


def also_about(connection: Connection, message_id: str, alert_ids: Collection[str]) -> None:
    """Let a message stand for these alerts, too; nobody is told of them otherwise."""
    rows = [{"message_id": message_id, "subject": alert_id} for alert_id in alert_ids]
    insert_missing(connection, outbox_subjects, rows)


def put(connection: Connection, message: Message, number: int, created_at: datetime) -> None:
    """Store one message at a place of its own in the order of delivery; a known one takes the new text."""
    row = _row(message, number, created_at)
    insert_missing(connection, outbox, [row])
    text = {name: row[name] for name in ("title", "lines", "occurred_at")}
    connection.execute(sa.update(outbox).where(outbox.c.message_id == message.message_id).values(text))


def list_messages(connection: Connection, wanted: OutboxFilter) -> list[StoredMessage]:
    """Messages that pass the filter, newest first."""
    query = sa.select(outbox).order_by(outbox.c.number.desc(), outbox.c.created_at.desc()).limit(wanted.limit)
    if wanted.channel is not None:
        query = query.where(outbox.c.channel == wanted.channel)
    if wanted.status is not None:
        query = query.where(outbox.c.status == wanted.status)
    return stored_messages(connection, query)


def find_message(connection: Connection, beginning: str) -> StoredMessage:
    """The message whose id begins with ``beginning``.

    Raises:
        UnknownName: there is none, or more than one, or it is too short to be meant.
    """
    identity = id_beginning_with(connection, _IDS, beginning)
    (found,) = stored_messages(connection, sa.select(outbox).where(outbox.c.message_id == identity))
    return found


def messages_about(connection: Connection, alert_id: str) -> list[StoredMessage]:
    """Messages that stand for an alert, in the order of their delivery."""
    own = sa.select(outbox_subjects.c.message_id).where(outbox_subjects.c.subject == alert_id)
    query = sa.select(outbox).where(outbox.c.message_id.in_(own)).order_by(outbox.c.number, outbox.c.created_at)
    return stored_messages(connection, query)


def oldest_pending(connection: Connection) -> StoredMessage | None:
    """The message that has waited longest for its delivery, or None."""
    query = sa.select(outbox).where(outbox.c.status == "pending").order_by(outbox.c.created_at, outbox.c.number)
    return next(iter(stored_messages(connection, query.limit(1))), None)


def counts(connection: Connection) -> dict[tuple[Channel, Status], int]:
    """How many messages there are of each channel and status."""
    columns = outbox.c
    query = sa.select(columns.channel, columns.status, sa.func.count()).group_by(columns.channel, columns.status)
    return {(channel, status): count for channel, status, count in connection.execute(query)}


def stored_messages(connection: Connection, query: sa.Select[tuple[object, ...]]) -> list[StoredMessage]:
    """The rows of a query on the whole table."""
    rows = connection.execute(query).mappings()
    return [StoredMessage(**{**row, "lines": tuple(row["lines"])}) for row in rows]


def _row(message: Message, number: int, created_at: datetime) -> dict[str, object]:
    return {
        "message_id": message.message_id,
        "number": number,
        "channel": message.channel,
        "kind": message.kind,
        "key": message.key,
        "title": message.title,
        "lines": list(message.lines),
        "run_id": message.run_id,
        "occurred_at": message.occurred_at,
        "created_at": created_at,
        "status": "pending",
        "attempts": 0,
        "maybe_sent": False,
        "last_error": "",
        "sent_at": None,
        "sent_to": "",
        "summarised_by": "",
    }

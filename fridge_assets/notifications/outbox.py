"""Messages in the operations store: putting them in, and what people ask about them (SPEC 7)."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.notifications.message import Channel, Kind, Message, Status, plain
from fridge_assets.stores.beginnings import Ids, id_beginning_with
from fridge_assets.stores.operations import insert_missing, outbox, outbox_deliveries, outbox_subjects

_NUMBERING_LOCK = 7_308_611_291
"""PostgreSQL advisory lock that lets one transaction number messages at a time."""
_PIECE = 500
"""Messages that one query names."""


@dataclass(frozen=True)
class Delivery:
    """What became of a message at one destination.

    Args:
        destination: its name.
        status: ``pending``, ``sent``, ``summarised`` by another message, or ``superseded``: no longer true when its
            turn came.
        attempts: how often it was handed to the sender.
        maybe_sent: it may have arrived already, so that the next attempt says so.
        reason: why the newest attempt failed, or why it was not sent; empty after a success.
        ended_at: when it was sent, or taken off the list; None while it waits.
        sent_to: where it stands there, such as Slack's timestamp of the post; empty while it was not sent.
        said: the title as it was sent; empty while it was not.
        summarised_by: id of the message that stands for it; empty for none.
    """

    destination: str
    status: Status
    attempts: int
    maybe_sent: bool
    reason: str
    ended_at: datetime | None
    sent_to: str
    said: str
    summarised_by: str


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
        commands: what to type next.
        run_id: the Dagster run; empty for none.
        dedup_key: what services that call people know it by; empty for its own key.
        occurred_at: when what it is about happened.
        created_at: when it was stored.
        only_to: the one destination that it is for; empty for all of its channel.
        status: ``pending`` until every destination of its channel has had it.
        deliveries: what became of it where it was tried, by name of the destination.
    """

    message_id: str
    number: int
    channel: Channel
    kind: Kind
    key: str
    title: str
    lines: tuple[str, ...]
    commands: tuple[str, ...]
    run_id: str
    dedup_key: str
    occurred_at: datetime
    created_at: datetime
    only_to: str
    status: Status
    deliveries: tuple[Delivery, ...] = ()

    @property
    def message(self) -> Message:
        """What is to be said."""
        return Message(
            self.key,
            self.channel,
            self.kind,
            self.title,
            self.lines,
            self.occurred_at,
            self.run_id,
            commands=self.commands,
            dedup_key=self.dedup_key,
        )

    @property
    def last_error(self) -> str:
        """Why destinations that it waits for do not have it; empty when none has failed."""
        failed = [d for d in self.deliveries if d.status == "pending" and d.reason]
        return "; ".join(f"{d.destination}: {d.reason}" for d in failed)


@dataclass(frozen=True)
class OutboxFilter:
    """Which messages to list.

    Args:
        channel: of this channel only.
        status: with this status only.
        summarised_by: those only that the message with this id stands for.
        limit: at most this many, newest first.
    """

    channel: Channel | None = None
    status: Status | None = None
    summarised_by: str | None = None
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


def also_about(connection: Connection, message_id: str, incident_ids: Collection[str]) -> None:
    """Let a message stand for these incidents, too; nobody is told of them otherwise."""
    rows = [{"message_id": message_id, "subject": incident_id} for incident_id in incident_ids]
    insert_missing(connection, outbox_subjects, rows)


def put(connection: Connection, message: Message, number: int, created_at: datetime, only_to: str) -> None:
    """Store a message for one destination at a place of its own in the order; a known one takes the new text."""
    row = _row(message, number, created_at) | {"only_to": only_to}
    insert_missing(connection, outbox, [row])
    text = {name: row[name] for name in ("title", "lines", "commands", "occurred_at")}
    connection.execute(sa.update(outbox).where(outbox.c.message_id == message.message_id).values(text))


def list_messages(connection: Connection, wanted: OutboxFilter) -> list[StoredMessage]:
    """Messages that pass the filter, newest first."""
    query = sa.select(outbox).order_by(outbox.c.number.desc(), outbox.c.created_at.desc()).limit(wanted.limit)
    if wanted.channel is not None:
        query = query.where(outbox.c.channel == wanted.channel)
    if wanted.status is not None:
        query = query.where(outbox.c.status == wanted.status)
    if wanted.summarised_by is not None:
        columns = outbox_deliveries.c
        covered = sa.select(columns.message_id).where(columns.summarised_by == wanted.summarised_by)
        query = query.where(outbox.c.message_id.in_(covered))
    return stored_messages(connection, query)


def find_message(connection: Connection, beginning: str) -> StoredMessage:
    """The message whose id begins with ``beginning``.

    Raises:
        UnknownName: there is none, or more than one, or it is too short to be meant.
    """
    identity = id_beginning_with(connection, _IDS, beginning)
    (found,) = stored_messages(connection, sa.select(outbox).where(outbox.c.message_id == identity))
    return found


def messages_about(connection: Connection, incident_id: str) -> list[StoredMessage]:
    """Messages that stand for an incident, in the order of their delivery."""
    own = sa.select(outbox_subjects.c.message_id).where(outbox_subjects.c.subject == incident_id)
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
    """The rows of a query on the whole table, with their deliveries."""
    rows = connection.execute(query).mappings().all()
    deliveries: dict[str, list[Delivery]] = defaultdict(list)
    columns = outbox_deliveries.c
    for first in range(0, len(rows), _PIECE):
        ids = [row["message_id"] for row in rows[first : first + _PIECE]]
        found = sa.select(outbox_deliveries).where(columns.message_id.in_(ids)).order_by(columns.destination)
        for delivery in connection.execute(found).mappings():
            own = {name: value for name, value in delivery.items() if name != "message_id"}
            deliveries[delivery["message_id"]].append(Delivery(**own))
    return [
        StoredMessage(
            **{**row, "lines": tuple(row["lines"]), "commands": tuple(row["commands"])},
            deliveries=tuple(deliveries[row["message_id"]]),
        )
        for row in rows
    ]


def _row(message: Message, number: int, created_at: datetime) -> dict[str, object]:
    return {
        "message_id": message.message_id,
        "number": number,
        "channel": message.channel,
        "kind": message.kind,
        "key": message.key,
        "title": plain(message.title),
        "lines": [plain(part) for line in message.lines for part in line.splitlines() or ("",)],
        "commands": [plain(command) for command in message.commands],
        "run_id": message.run_id,
        "dedup_key": message.dedup_key,
        "occurred_at": message.occurred_at,
        "created_at": created_at,
        "only_to": "",
        "status": "pending",
    }

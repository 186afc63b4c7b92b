"""One message in place of many that have become too old to be told one by one (SPEC 7)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.core.moments import spoken
from fridge_assets.notifications.deliveries import record, waits_for
from fridge_assets.notifications.message import Channel, Kind, Message
from fridge_assets.notifications.outbox import StoredMessage, put, stored_messages
from fridge_assets.settings import NotificationSettings
from fridge_assets.stores.operations import outbox, outbox_deliveries

_SUMMARY: Kind = "summary"


def summarise(
    connection: Connection, channel: Channel, destination: str, now: datetime, settings: NotificationSettings
) -> int:
    """Let one summary stand for the messages that are too old and have yet to reach a destination.

    It takes the place of the first of them. A summary that has not arrived yet takes in what has become too old since:
    there is never more than one on its way to a destination. Messages that may have been sent are taken in as well.

    Returns:
        How many messages it took in.
    """
    columns = outbox.c
    waits = waits_for(channel, destination)
    too_old = sa.and_(waits, columns.kind != _SUMMARY, columns.occurred_at < now - settings.summarise_after)
    ids = connection.scalars(sa.select(columns.message_id).where(too_old).order_by(columns.number)).all()
    if not ids:
        return 0
    own = sa.and_(waits, columns.kind == _SUMMARY, columns.only_to == destination)
    first = _first(connection, columns.message_id == ids[0])
    open_summary = _first(connection, own)
    key = open_summary.key if open_summary else f"summary/{destination}/{ids[0]}"
    number = open_summary.number if open_summary else first.number if first else 0
    empty = Message(key, channel, _SUMMARY, "", (), now)
    record(connection, ids, destination, status="summarised", summarised_by=empty.message_id, ended_at=now)
    put(connection, _written(connection, empty, settings), number, now, destination)
    return len(ids)


def _first(connection: Connection, condition: sa.ColumnElement[bool]) -> StoredMessage | None:
    query = sa.select(outbox).where(condition).order_by(outbox.c.number).limit(1)
    return next(iter(stored_messages(connection, query)), None)


def _written(connection: Connection, empty: Message, settings: NotificationSettings) -> Message:
    """``empty`` with a text about all messages that it stands for."""
    columns = outbox.c
    stands_for = sa.select(outbox_deliveries.c.message_id).where(outbox_deliveries.c.summarised_by == empty.message_id)
    covered = columns.message_id.in_(stands_for)
    by_kind = sa.select(columns.kind, sa.func.count()).where(covered).group_by(columns.kind)
    kinds = {str(kind): int(count) for kind, count in connection.execute(by_kind.order_by(sa.func.count().desc()))}
    begin, end = connection.execute(
        sa.select(sa.func.min(columns.occurred_at), sa.func.max(columns.occurred_at)).where(covered)
    ).one()
    newest_first = sa.select(columns.title).where(covered).order_by(columns.number.desc())
    newest = list(connection.scalars(newest_first.limit(settings.summary_titles)))
    return text_of_summary(empty, kinds, (begin, end), newest, settings)


def text_of_summary(
    empty: Message,
    kinds: dict[str, int],
    span: tuple[datetime, datetime],
    newest: Sequence[str],
    settings: NotificationSettings,
) -> Message:
    """The summary in words.

    Args:
        empty: the summary without its text.
        kinds: how many messages of each kind it stands for.
        span: when the first and the last of them happened.
        newest: titles of the newest of them.
        settings: from which age on messages are summarised.
    """
    number = sum(kinds.values())
    messages = "1 message" if number == 1 else f"{number:,} messages"
    listing = f"fridge-assets messages list --summarised-by {empty.short_id} --limit {number}"
    lines = (
        f"Older than {spoken(settings.summarise_after)} before they could be delivered, so they come as one: "
        + ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in kinds.items()),
        f"First {span[0]:%Y-%m-%d %H:%M} UTC, last {span[1]:%Y-%m-%d %H:%M} UTC; the newest:",
        *(f"• {title}" for title in newest),
    )
    title = f"{messages} from {span[0]:%Y-%m-%d %H:%M} to {span[1]:%Y-%m-%d %H:%M} UTC"
    return replace(empty, title=title, lines=lines, commands=(listing,))

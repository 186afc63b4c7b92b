"""What became of a message at each destination: one that fails neither holds up nor doubles the others (SPEC 7)."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.notifications.message import Channel
from fridge_assets.stores.operations import insert_missing, outbox, outbox_deliveries


def waits_for(channel: Channel, destination: str) -> sa.ColumnElement[bool]:
    """Whether a message of a channel has yet to reach a destination, for queries on the outbox."""
    columns = outbox_deliveries.c
    ended = sa.exists().where(
        columns.message_id == outbox.c.message_id, columns.destination == destination, columns.status != "pending"
    )
    return sa.and_(
        outbox.c.status == "pending", outbox.c.channel == channel, outbox.c.only_to.in_(("", destination)), ~ended
    )


def record(connection: Connection, message_ids: Iterable[str], destination: str, **values: Any) -> None:
    """Store ``values`` of the deliveries of messages to a destination, whether or not they were tried before."""
    columns = outbox_deliveries.c
    ids = list(message_ids)
    for message_id in ids:
        new = {
            "message_id": message_id, "destination": destination, "status": "pending", "attempts": 0,
            "maybe_sent": False, "reason": "", "ended_at": None, "sent_to": "", "said": "", "summarised_by": "",
        }  # fmt: skip
        insert_missing(connection, outbox_deliveries, [new])
        own = sa.and_(columns.message_id == message_id, columns.destination == destination)
        connection.execute(sa.update(outbox_deliveries).where(own).values(**values))


def close(connection: Connection, channel: Channel, destinations: Sequence[str], message_id: str | None = None) -> None:
    """Close pending messages that every destination of their channel has had.

    Args:
        connection: of a transaction of the operations store.
        channel: of these messages.
        destinations: where its messages go now; where they went before does not count.
        message_id: look at this message only; None for all of the channel.
    """
    columns = outbox_deliveries.c
    own = sa.select(columns.message_id).where(columns.message_id == outbox.c.message_id).correlate(outbox)
    ended = own.where(columns.status != "pending", columns.destination.in_(destinations))
    count = ended.with_only_columns(sa.func.count()).scalar_subquery()
    everywhere = sa.and_(outbox.c.only_to == "", count == len(destinations))
    there = sa.and_(outbox.c.only_to != "", sa.or_(count == 1, outbox.c.only_to.not_in(destinations)))
    query = sa.update(outbox).where(
        outbox.c.status == "pending", outbox.c.channel == channel, sa.or_(everywhere, there)
    )
    if message_id is not None:
        query = query.where(outbox.c.message_id == message_id)
    status = sa.case(
        *((own.where(columns.status == status).exists(), status) for status in ("sent", "summarised")),
        else_="superseded",
    )
    connection.execute(query.values(status=status))

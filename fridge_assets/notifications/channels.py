"""Who is delivering to a channel, and when the channel is tried next (SPEC 7)."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.notifications.message import Channel
from fridge_assets.stores.operations import insert_missing, outbox, outbox_channels


@dataclass(frozen=True)
class WaitingChannel:
    """A channel with pending messages.

    Args:
        channel: its name.
        failures: failed attempts in a row.
        next_attempt_at: not to be tried before; None for at once.
        leased_by: owner of the lease; empty for nobody.
        leased_until: when the lease runs out.
    """

    channel: Channel
    failures: int
    next_attempt_at: datetime | None
    leased_by: str
    leased_until: datetime | None

    def open_to(self, owner: str, now: datetime) -> bool:
        """Whether no other deliverer is at work here."""
        return self.leased_by in ("", owner) or self.leased_until is None or self.leased_until <= now

    def due(self, now: datetime) -> bool:
        """Whether the wait after the last message or failure is over."""
        return self.next_attempt_at is None or self.next_attempt_at <= now


def waiting_channels(connection: Connection) -> list[WaitingChannel]:
    """Channels with pending messages, the one that could be tried for longest first."""
    columns = outbox_channels.c
    pending = sa.select(outbox.c.channel).where(outbox.c.status == "pending").distinct().subquery()
    query = (
        sa.select(
            pending.c.channel,
            sa.func.coalesce(columns.failures, 0),
            columns.next_attempt_at,
            sa.func.coalesce(columns.lease_owner, ""),
            columns.leased_until,
        )
        .outerjoin_from(pending, outbox_channels, pending.c.channel == columns.channel)
        .order_by(columns.next_attempt_at.nulls_first(), pending.c.channel)
    )
    return [WaitingChannel(*row) for row in connection.execute(query)]


def take_lease(connection: Connection, channel: Channel, owner: str, now: datetime, until: datetime) -> bool:
    """Take or prolong the lease of a channel that is due; False when it is not due or another deliverer has it.

    The row stays locked until the transaction ends, so that what it does next is done by one deliverer.
    """
    columns = outbox_channels.c
    unknown = {
        "channel": channel, "failures": 0, "next_attempt_at": None, "lease_owner": "", "leased_until": None,
    }  # fmt: skip
    insert_missing(connection, outbox_channels, [unknown])
    free = sa.or_(columns.lease_owner.in_(("", owner)), columns.leased_until <= now)
    due = sa.or_(columns.next_attempt_at.is_(None), columns.next_attempt_at <= now)
    lease = sa.update(outbox_channels).where(columns.channel == channel, free, due)
    return connection.execute(lease.values(lease_owner=owner, leased_until=until)).rowcount == 1


def schedule(connection: Connection, channel: Channel, owner: str, failures: int, next_attempt_at: datetime) -> bool:
    """Record how the newest attempt went; False, and nothing is recorded, when the lease was lost meanwhile."""
    columns = outbox_channels.c
    own = sa.update(outbox_channels).where(columns.channel == channel, columns.lease_owner == owner)
    return connection.execute(own.values(failures=failures, next_attempt_at=next_attempt_at)).rowcount == 1


def release_leases(connection: Connection, owner: str) -> None:
    """Give back every lease of ``owner``."""
    own = sa.update(outbox_channels).where(outbox_channels.c.lease_owner == owner)
    connection.execute(own.values(lease_owner="", leased_until=None))

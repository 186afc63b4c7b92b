"""A channel's way to one destination: who is delivering on it, and when it is tried next (SPEC 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.notifications.deliveries import waits_for
from fridge_assets.notifications.message import Channel
from fridge_assets.stores.operations import insert_missing, outbox, outbox_routes


@dataclass(frozen=True)
class Route:
    """A channel's way to a destination that messages wait for.

    Args:
        channel: who is told.
        destination: by what.
        failures: failed attempts in a row.
        next_attempt_at: not to be tried before; None for at once.
        leased_by: owner of the lease; empty for nobody.
        leased_until: when the lease runs out.
    """

    channel: Channel
    destination: str
    failures: int = 0
    next_attempt_at: datetime | None = None
    leased_by: str = ""
    leased_until: datetime | None = None

    def open_to(self, owner: str, now: datetime) -> bool:
        """Whether no other deliverer is at work here."""
        return self.leased_by in ("", owner) or self.leased_until is None or self.leased_until <= now

    def due(self, now: datetime) -> bool:
        """Whether the wait after the last message or failure is over."""
        return self.next_attempt_at is None or self.next_attempt_at <= now


def waiting_routes(connection: Connection, destinations: Mapping[Channel, Sequence[str]]) -> list[Route]:
    """Routes that messages wait for, the one that could be tried for longest first.

    Args:
        connection: an open connection.
        destinations: channel → where its messages go.
    """
    known = {(row.channel, row.destination): Route(*row) for row in connection.execute(sa.select(outbox_routes))}
    pending = connection.scalars(sa.select(outbox.c.channel).where(outbox.c.status == "pending").distinct()).all()
    routes = [
        known.get((channel, destination)) or Route(channel, destination)
        for channel in pending
        for destination in destinations.get(channel, ())
        if connection.scalar(sa.select(sa.exists().where(waits_for(channel, destination))))
    ]
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(routes, key=lambda route: (route.next_attempt_at or never, route.channel, route.destination))


def take_lease(connection: Connection, route: Route, owner: str, now: datetime, until: datetime) -> bool:
    """Take or prolong the lease of a route that is due; False when it is not due or another deliverer has it.

    The row stays locked until the transaction ends, so that what it does next is done by one deliverer.
    """
    columns = outbox_routes.c
    unknown = {
        "channel": route.channel, "destination": route.destination, "failures": 0, "next_attempt_at": None,
        "lease_owner": "", "leased_until": None,
    }  # fmt: skip
    insert_missing(connection, outbox_routes, [unknown])
    free = sa.or_(columns.lease_owner.in_(("", owner)), columns.leased_until <= now)
    due = sa.or_(columns.next_attempt_at.is_(None), columns.next_attempt_at <= now)
    lease = sa.update(outbox_routes).where(_is(route), free, due)
    return connection.execute(lease.values(lease_owner=owner, leased_until=until)).rowcount == 1


def schedule(connection: Connection, route: Route, owner: str, failures: int, next_attempt_at: datetime) -> bool:
    """Record how the newest attempt went; False, and nothing is recorded, when the lease was lost meanwhile."""
    own = sa.update(outbox_routes).where(_is(route), outbox_routes.c.lease_owner == owner)
    return connection.execute(own.values(failures=failures, next_attempt_at=next_attempt_at)).rowcount == 1


def release_leases(connection: Connection, owner: str) -> None:
    """Give back every lease of ``owner``."""
    own = sa.update(outbox_routes).where(outbox_routes.c.lease_owner == owner)
    connection.execute(own.values(lease_owner="", leased_until=None))


def _is(route: Route) -> sa.ColumnElement[bool]:
    columns = outbox_routes.c
    return sa.and_(columns.channel == route.channel, columns.destination == route.destination)

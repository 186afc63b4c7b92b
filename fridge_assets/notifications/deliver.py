"""Delivering the outbox: in order, at least once, and never two deliverers on one route (SPEC 7)."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.core.moments import retry_delay
from fridge_assets.notifications.current import ZoneOf, incidents_now, said_now, why_superseded
from fridge_assets.notifications.deliveries import close, record, waits_for
from fridge_assets.notifications.message import CHANNELS, Message
from fridge_assets.notifications.outbox import StoredMessage, stored_messages
from fridge_assets.notifications.routes import (
    Route,
    release_leases,
    schedule,
    take_lease,
    waiting_routes,
)
from fridge_assets.notifications.senders import destinations_of
from fridge_assets.notifications.sending import NotSent, Sender
from fridge_assets.notifications.summary import summarise
from fridge_assets.settings import NotificationSettings
from fridge_assets.stores.operations import Operations, outbox

_SENDS_PER_LEASE = 2
"""Requests that one message may take: blocks, and plain text when they are refused."""


@dataclass(frozen=True)
class DeliveryReport:
    """What one delivery did.

    Args:
        sent: messages that arrived, counted at each destination.
        failed: attempts that failed.
        summarised: messages that a summary now stands for, counted at each destination.
        superseded: messages that were no longer true when their turn came, counted at each destination.
        waiting: messages that still wait for a destination.
    """

    sent: int = 0
    failed: int = 0
    summarised: int = 0
    superseded: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class _Claimed:
    """A message that is about to be sent.

    Args:
        route: on which way.
        message: what is said now.
        message_id: its identity.
        maybe_sent: it may have arrived at an earlier attempt.
    """

    route: Route
    message: Message
    message_id: str
    maybe_sent: bool


def deliver_due(
    operations: Operations,
    senders: Mapping[str, Sender],
    settings: NotificationSettings,
    wall_time: Callable[[], datetime],
    zone_of: ZoneOf,
    sleep: Callable[[float], None] = time.sleep,
) -> DeliveryReport:
    """Send what is due, one message of each channel to each of its destinations in turn, until nothing is or the time
    budget is used up.

    Safe to call from several processes at once. A message is marked before it is sent: whoever finds the mark does not
    know whether it arrived, and sends it again with a note. What became of a message is kept for each destination, so
    that one that fails is tried again and the others are left alone.

    Args:
        operations: the store with the outbox.
        senders: destination → what messages are handed to.
        settings: destinations, pace, patience and budget.
        wall_time: the actual time; not that of a run, which recorded data may set back.
        zone_of: the time zone of sites, for local times in messages about them.
        sleep: waits so many seconds for a route's next turn.

    Raises:
        FridgeError: the store cannot be read or written.
    """
    delivery = _Delivery(operations, senders, settings, wall_time, zone_of)
    deadline = time.monotonic() + settings.budget.total_seconds()
    try:
        delivery.begin()
        while time.monotonic() < deadline:
            if delivery.round(deadline):
                continue
            pause = delivery.pause()
            if pause is None or time.monotonic() + pause > deadline:
                break
            sleep(pause)
    finally:
        delivery.end()
    return delivery.report


class _Delivery:
    """One call of :func:`deliver_due`: an owner of leases and what it did so far."""

    def __init__(
        self,
        operations: Operations,
        senders: Mapping[str, Sender],
        settings: NotificationSettings,
        wall_time: Callable[[], datetime],
        zone_of: ZoneOf,
    ) -> None:
        self.report = DeliveryReport()
        self._owner = uuid.uuid4().hex
        self._operations = operations
        self._senders = senders
        self._settings = settings
        self._destinations = {channel: destinations_of(channel, settings) for channel in CHANNELS}
        self._wall_time = wall_time
        self._zone_of = zone_of
        self._leased = False

    def begin(self) -> None:
        """Close what waits only for destinations that are no longer wanted."""
        with self._operations.read() as connection:
            pending = sa.select(outbox.c.channel).where(outbox.c.status == "pending").distinct()
            channels = connection.scalars(pending).all()
        if channels:
            with self._operations.transaction() as connection:
                for channel in channels:
                    close(connection, channel, self._destinations[channel])

    def round(self, deadline: float) -> bool:
        """Send the first message of every route that is due; whether there was any."""
        found = False
        for route in self._open_routes():
            if time.monotonic() >= deadline:
                break
            if route.due(self._wall_time()):
                claimed = self._claim(route)
                if claimed is not None:
                    found = True
                    self._send(claimed)
        return found

    def pause(self) -> float | None:
        """Seconds until a route that works may have its next message; None when there is no such route."""
        now = self._wall_time()
        # A route that fails waits for a later delivery.
        turns = [route.next_attempt_at or now for route in self._open_routes() if not route.failures]
        return max((min(turns) - now).total_seconds(), 0.0) if turns else None

    def end(self) -> None:
        """Give the leases back and count what still waits."""
        if self._leased:
            with self._operations.transaction() as connection:
                release_leases(connection, self._owner)
        with self._operations.read() as connection:
            pending = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.status == "pending")
            self.report = replace(self.report, waiting=connection.scalar(pending) or 0)

    def _open_routes(self) -> Iterator[Route]:
        with self._operations.read() as connection:
            waiting = waiting_routes(connection, self._destinations)
        now = self._wall_time()
        return (route for route in waiting if route.open_to(self._owner, now))

    def _claim(self, route: Route) -> _Claimed | None:
        """The route's first message, marked as perhaps sent; None when another deliverer has the route."""
        now = self._wall_time()
        until = now + self._settings.lease + _SENDS_PER_LEASE * self._settings.timeout
        claimed, superseded = None, 0
        with self._operations.transaction() as connection:
            if not take_lease(connection, route, self._owner, now, until):
                return None
            self._leased = True
            summarised = summarise(connection, route.channel, route.destination, now, self._settings)
            if summarised:
                close(connection, route.channel, self._destinations[route.channel])
            while claimed is None and (stored := _first(connection, route)) is not None:
                alerts = incidents_now(connection, stored.message_id)
                message = said_now(stored, alerts, now, self._zone_of, self._settings)
                if message is None:
                    why = why_superseded(alerts)
                    self._end(connection, route, stored.message_id, status="superseded", ended_at=now, reason=why)
                    superseded += 1
                else:
                    before = next((d for d in stored.deliveries if d.destination == route.destination), None)
                    attempts = before.attempts + 1 if before else 1
                    record(connection, [stored.message_id], route.destination, maybe_sent=True, attempts=attempts)
                    claimed = _Claimed(route, message, stored.message_id, bool(before and before.maybe_sent))
        self.report = replace(
            self.report,
            summarised=self.report.summarised + summarised,
            superseded=self.report.superseded + superseded,
        )
        return claimed

    def _send(self, claimed: _Claimed) -> None:
        route = claimed.route
        try:
            sent_to = self._senders[route.destination].send(route.channel, claimed.message, claimed.maybe_sent)
        except NotSent as error:
            wait = error.retry_after or retry_delay(route.failures + 1, self._settings)
            self._record_failure(claimed, error, wait)
        else:
            self._record_success(claimed, sent_to)

    def _record_success(self, claimed: _Claimed, sent_to: str) -> None:
        now, said = self._wall_time(), claimed.message.title
        with self._operations.transaction() as connection:
            schedule(connection, claimed.route, self._owner, 0, now + self._settings.pause_between)
            # It has arrived, even when another deliverer took the route for abandoned meanwhile.
            sent = {"status": "sent", "ended_at": now, "sent_to": sent_to, "said": said, "reason": ""}
            self._end(connection, claimed.route, claimed.message_id, **sent)
        self.report = replace(self.report, sent=self.report.sent + 1)

    def _record_failure(self, claimed: _Claimed, error: NotSent, wait: timedelta) -> None:
        route = claimed.route
        # An attempt that surely failed says nothing about the ones before it.
        maybe_sent = claimed.maybe_sent or not error.certain
        with self._operations.transaction() as connection:
            if schedule(connection, route, self._owner, route.failures + 1, self._wall_time() + wait):
                failed = {"maybe_sent": maybe_sent, "reason": error.reason}
                record(connection, [claimed.message_id], route.destination, **failed)
        self.report = replace(self.report, failed=self.report.failed + 1)

    def _end(self, connection: Connection, route: Route, message_id: str, **values: Any) -> None:
        """Record that a message is done with at a destination, and close it where it is done with at all of them."""
        record(connection, [message_id], route.destination, **values)
        close(connection, route.channel, self._destinations[route.channel], message_id)


def _first(connection: Connection, route: Route) -> StoredMessage | None:
    waits = waits_for(route.channel, route.destination)
    return next(
        iter(stored_messages(connection, sa.select(outbox).where(waits).order_by(outbox.c.number).limit(1))), None
    )

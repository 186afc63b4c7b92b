"""Delivering what waits in the outbox: in order, at least once, and never two deliverers at a channel (SPEC 7)."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from fridge_assets.moments import retry_delay
from fridge_assets.notifications.channels import (
    WaitingChannel,
    release_leases,
    schedule,
    take_lease,
    waiting_channels,
)
from fridge_assets.notifications.message import Channel
from fridge_assets.notifications.outbox import StoredMessage, stored_messages
from fridge_assets.notifications.senders import NotSent, Sender
from fridge_assets.notifications.summary import summarise
from fridge_assets.settings import NotificationSettings
from fridge_assets.stores.operations import Operations, outbox

_SENDS_PER_LEASE = 2
"""Requests that one message may take: blocks, and plain text when they are refused."""


@dataclass(frozen=True)
class DeliveryReport:
    """What one delivery did.

    Args:
        sent: messages that arrived.
        failed: attempts that failed.
        summarised: messages that a summary now stands for.
        waiting: messages that still wait.
    """

    sent: int = 0
    failed: int = 0
    summarised: int = 0
    waiting: int = 0


def deliver_due(
    operations: Operations,
    sender: Sender,
    settings: NotificationSettings,
    wall_time: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
) -> DeliveryReport:
    """Send what is due, one message of each channel in turn, until nothing is or the time budget is used up.

    Safe to call from several processes at once. A message is marked before it is sent: whoever finds the mark does not
    know whether it arrived, and sends it again with a note.

    Args:
        operations: the store with the outbox.
        sender: what messages are handed to.
        settings: pace, patience and budget.
        wall_time: the actual time; not that of a run, which recorded data may set back.
        sleep: waits so many seconds for a channel's next turn.

    Raises:
        FridgeError: the store cannot be read or written.
    """
    delivery = _Delivery(operations, sender, settings, wall_time)
    deadline = time.monotonic() + settings.budget.total_seconds()
    try:
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
        self, operations: Operations, sender: Sender, settings: NotificationSettings, wall_time: Callable[[], datetime]
    ) -> None:
        self.report = DeliveryReport()
        self._owner = uuid.uuid4().hex
        self._operations = operations
        self._sender = sender
        self._settings = settings
        self._wall_time = wall_time
        self._leased = False

    def round(self, deadline: float) -> bool:
        """Send the first message of every channel that is due; whether there was any."""
        found = False
        for waiting in self._open_channels():
            if time.monotonic() >= deadline:
                break
            if waiting.due(self._wall_time()):
                message = self._claim(waiting.channel)
                if message is not None:
                    found = True
                    self._send(message, waiting.failures)
        return found

    def pause(self) -> float | None:
        """Seconds until a channel that works may have its next message; None when there is no such channel."""
        now = self._wall_time()
        # A channel that fails waits for a later delivery.
        turns = [w.next_attempt_at or now for w in self._open_channels() if not w.failures]
        return max((min(turns) - now).total_seconds(), 0.0) if turns else None

    def end(self) -> None:
        """Give the leases back and count what still waits."""
        if self._leased:
            with self._operations.transaction() as connection:
                release_leases(connection, self._owner)
        with self._operations.read() as connection:
            pending = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.status == "pending")
            self.report = replace(self.report, waiting=connection.scalar(pending) or 0)

    def _open_channels(self) -> Iterator[WaitingChannel]:
        with self._operations.read() as connection:
            waiting = waiting_channels(connection)
        now = self._wall_time()
        return (channel for channel in waiting if channel.open_to(self._owner, now))

    def _claim(self, channel: Channel) -> StoredMessage | None:
        """The channel's first message, marked as perhaps sent; None when another deliverer has the channel."""
        now = self._wall_time()
        until = now + self._settings.lease + _SENDS_PER_LEASE * self._settings.timeout
        first = (
            sa.select(outbox)
            .where(outbox.c.status == "pending", outbox.c.channel == channel)
            .order_by(outbox.c.number)
            .limit(1)
        )
        with self._operations.transaction() as connection:
            if not take_lease(connection, channel, self._owner, now, until):
                return None
            self._leased = True
            summarised = summarise(connection, channel, now, self._settings)
            message = next(iter(stored_messages(connection, first)), None)
            if message is not None:
                mark = sa.update(outbox).where(outbox.c.message_id == message.message_id)
                connection.execute(mark.values(maybe_sent=True, attempts=message.attempts + 1))
        self.report = replace(self.report, summarised=self.report.summarised + summarised)
        return message

    def _send(self, stored: StoredMessage, failures: int) -> None:
        try:
            sent_to = self._sender.send(stored.channel, stored.message, stored.maybe_sent)
        except NotSent as error:
            wait = error.retry_after or retry_delay(failures + 1, self._settings)
            self._record_failure(stored, failures + 1, error, wait)
        else:
            self._record_success(stored, sent_to)

    def _record_success(self, stored: StoredMessage, sent_to: str) -> None:
        now = self._wall_time()
        row = sa.update(outbox).where(outbox.c.message_id == stored.message_id)
        with self._operations.transaction() as connection:
            schedule(connection, stored.channel, self._owner, 0, now + self._settings.pause_between)
            # It has arrived, even when another deliverer took the channel for abandoned meanwhile.
            connection.execute(row.values(status="sent", sent_at=now, sent_to=sent_to, last_error=""))
        self.report = replace(self.report, sent=self.report.sent + 1)

    def _record_failure(self, stored: StoredMessage, failures: int, error: NotSent, wait: timedelta) -> None:
        row = sa.update(outbox).where(outbox.c.message_id == stored.message_id)
        # An attempt that surely failed says nothing about the ones before it.
        maybe_sent = stored.maybe_sent or not error.certain
        with self._operations.transaction() as connection:
            if schedule(connection, stored.channel, self._owner, failures, self._wall_time() + wait):
                connection.execute(row.values(maybe_sent=maybe_sent, last_error=error.reason))
        self.report = replace(self.report, failed=self.report.failed + 1)

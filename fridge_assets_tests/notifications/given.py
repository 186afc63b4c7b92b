"""Messages, settings and a clock for the tests of this room."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from fridge_assets.notifications.deliver import DeliveryReport, deliver_due
from fridge_assets.notifications.message import Channel, Kind, Message
from fridge_assets.notifications.outbox import Delivery, OutboxFilter, StoredMessage, enqueue, list_messages
from fridge_assets.notifications.senders import senders_of
from fridge_assets.notifications.sending import Sender
from fridge_assets.settings import NotificationSettings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.slack_server import TOKEN, SlackServer

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ON_CALL = "#fridge-on-call"
ML = "#fridge-ml"


def message(
    key: str = "a", channel: Channel = "on_call", occurred_at: datetime = NOON, kind: Kind = "anomaly", **more: Any
) -> Message:
    given = {"title": f"Title of {key}", "lines": (f"Text of {key}.",)} | more
    return Message(key=key, channel=channel, kind=kind, occurred_at=occurred_at, **given)


def notification_settings(slack: SlackServer | None = None, **changes: object) -> NotificationSettings:
    """Settings without a pause between messages; the token and address of ``slack`` when there is one."""
    here = {"token": SecretStr(TOKEN), "api_url": slack.url, "timeout": timedelta(seconds=5)} if slack else {}
    return NotificationSettings.model_validate({"pause_between": timedelta(0)} | here | changes)


def store(operations: Operations, messages: Iterable[Message], at: datetime = NOON) -> None:
    with operations.transaction() as connection:
        enqueue(connection, messages, at)


def stored(operations: Operations) -> dict[str, StoredMessage]:
    """All messages by their key."""
    with operations.read() as connection:
        return {m.key: m for m in list_messages(connection, OutboxFilter(limit=100_000))}


@dataclass
class WallClock:
    """A wall clock that moves when it is told to, or when somebody sleeps."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, span: timedelta) -> None:
        self.now += span

    def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))


def utc(sites: Collection[str]) -> str:
    """Every site has the time of UTC."""
    return "UTC"


def deliver(
    operations: Operations, senders: Mapping[str, Sender], settings: NotificationSettings, clock: WallClock
) -> DeliveryReport:
    return deliver_due(operations, senders, settings, clock, utc, clock.sleep)


def delivered(operations: Operations, slack: SlackServer, clock: WallClock, **changes: object) -> DeliveryReport:
    settings = notification_settings(slack, **changes)
    return deliver(operations, senders_of(settings), settings, clock)


def only(operations: Operations) -> StoredMessage:
    (one,) = stored(operations).values()
    return one


def at(operations: Operations, key: str = "a", destination: str = "slack") -> Delivery:
    """What became of a message at a destination; it must have been tried there."""
    (one,) = [d for d in stored(operations)[key].deliveries if d.destination == destination]
    return one


def keys(slack: SlackServer, channel: str = ON_CALL) -> list[str]:
    return [post.key for post in slack.posted(channel)]

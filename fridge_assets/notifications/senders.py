"""What a message is handed to: the log, or Slack when there is a token (SPEC 7)."""

import logging
from datetime import timedelta
from typing import Protocol

from fridge_assets.notifications.message import Channel, Message
from fridge_assets.settings import NotificationSettings

_LOG = logging.getLogger("fridge_assets.notifications")


class NotSent(Exception):
    """A message could not be sent, or nobody knows whether it was.

    Args:
        reason: what went wrong and what to do, for people.
        certain: it was surely not posted.
        retry_after: how long the receiver asks to be left alone; None when it does not say.
    """

    def __init__(self, reason: str, certain: bool, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.certain = certain
        self.retry_after = retry_after


class Sender(Protocol):
    """Sends one message."""

    def send(self, channel: Channel, message: Message, resend: bool) -> str:
        """Send ``message`` and return where it stands there.

        Args:
            channel: who is told.
            message: what to say.
            resend: it may have been posted before.

        Raises:
            NotSent: it was not posted, or perhaps not.
        """


class LogSender:
    """Writes messages to the log: the product is fully usable offline."""

    def send(self, channel: Channel, message: Message, resend: bool) -> str:  # noqa: ARG002 (a log repeats itself)
        """Write one line, at a level that is shown unless somebody turned it off."""
        text = " / ".join((message.title, *message.lines))
        _LOG.warning("[%s] %s (message %s)", channel, " ".join(text.split()), message.short_id)
        return "log"


def sender_of(settings: NotificationSettings) -> Sender:
    """Slack when there is a token, else the log."""
    if not settings.token.get_secret_value().strip():
        return LogSender()
    # Imported here because it brings Dagster, which takes seconds that nobody without a token should wait.
    from fridge_assets.notifications.slack import SlackSender  # noqa: PLC0415

    return SlackSender(settings)

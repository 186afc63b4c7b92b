"""What every sender of messages keeps (SPEC 7)."""

from datetime import timedelta
from typing import Protocol

from fridge_assets.notifications.message import Channel, Message


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

"""Where messages go and what they are handed to there; the log when there is nothing else (SPEC 7)."""

import logging
from typing import Final

from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.sending import Sender
from fridge_assets.settings import AnyDestination, EmailDestination, EventDestination, NotificationSettings

SLACK: Final = "slack"
"""The destination that Slack's bot token is for."""
LOG: Final = "log"
"""The destination of channels that have no other."""

_LOG = logging.getLogger("fridge_assets.notifications")


class LogSender:
    """Writes messages to the log: the product is fully usable offline."""

    def send(self, channel: Channel, message: Message, resend: bool) -> str:  # noqa: ARG002 (a log repeats itself)
        """Write one line, at a level that is shown unless somebody turned it off."""
        text = " / ".join((message.title, *message.lines, *message.commands))
        _LOG.warning("[%s] %s (message %s)", channel, " ".join(text.split()), message.short_id)
        return "log"


def has_token(settings: NotificationSettings) -> bool:
    """Whether Slack's bot token is set."""
    return bool(settings.token.get_secret_value().strip())


def destinations_of(channel: Channel, settings: NotificationSettings) -> tuple[str, ...]:
    """Where the messages of a channel go; the log when they would go nowhere else."""
    slack = [SLACK] if has_token(settings) else []
    others = [name for name, chosen in sorted(settings.destinations.items()) if channel in chosen.channels]
    return (*slack, *others) or (LOG,)


def senders_of(settings: NotificationSettings) -> dict[str, Sender]:
    """Destination → what its messages are handed to.

    Raises:
        FridgeError: Slack's token has characters that no token has.
    """
    senders: dict[str, Sender] = {LOG: LogSender()}
    for name, chosen in settings.destinations.items():
        senders[name] = _sender_of(name, chosen, settings)
    if has_token(settings):
        # Imported here because it brings Dagster, which takes seconds that nobody without a token should wait.
        from fridge_assets.notifications.slack import SlackSender  # noqa: PLC0415

        senders[SLACK] = SlackSender(settings)
    return senders


def _sender_of(name: str, chosen: AnyDestination, settings: NotificationSettings) -> Sender:
    # Each brings a library that takes a moment to load.
    if isinstance(chosen, EmailDestination):
        from fridge_assets.notifications.mail import EmailSender  # noqa: PLC0415

        return EmailSender(chosen, settings)
    if isinstance(chosen, EventDestination):
        from fridge_assets.notifications.events import EventSender  # noqa: PLC0415

        return EventSender(name, chosen, settings)
    from fridge_assets.notifications.webhooks import WebhookSender  # noqa: PLC0415

    return WebhookSender(name, chosen, settings)

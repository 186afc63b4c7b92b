"""Trying every way to people without bothering them, and with a marked message where nothing else tells (SPEC 7)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from fridge_assets.core.errors import FridgeError
from fridge_assets.notifications.message import CHANNELS, Channel, Message
from fridge_assets.notifications.senders import LOG, SLACK, destinations_of, has_token, senders_of
from fridge_assets.notifications.sending import NotSent, Sender
from fridge_assets.settings import EmailDestination, NotificationSettings


@dataclass(frozen=True)
class ChannelCheck:
    """What was found out about a destination.

    Args:
        destination: its name, and of Slack the channel.
        ok: whether messages arrive there; None where a person should look, or only a message can tell.
        detail: a sentence, with the remedy where it does not do.
    """

    destination: str
    ok: bool | None
    detail: str


def check_channels(settings: NotificationSettings) -> list[ChannelCheck]:
    """Try every channel and destination; one finding each, never an exception, and nobody sees a message."""
    found: list[ChannelCheck] = []
    if has_token(settings):
        found += _check_slack(settings)
    for name, destination in sorted(settings.destinations.items()):
        if isinstance(destination, EmailDestination):
            found.append(_check_mail(name, destination, settings))
        else:
            detail = (
                f"{destination.kind} tells nothing without a message; send one with "
                f"`fridge-assets messages test --destination {name}`"
            )
            found.append(ChannelCheck(name, None, detail))
    logged = [channel for channel in CHANNELS if destinations_of(channel, settings) == (LOG,)]
    if logged:
        detail = (
            f"messages to {', '.join(logged)} go to the log and the outbox only (`fridge-assets messages list`); for "
            "Slack set FRIDGE_NOTIFICATIONS__TOKEN, for others see docs/notifications.md"
        )
        found.append(ChannelCheck(LOG, None, detail))
    return found


def send_tests(
    settings: NotificationSettings, now: datetime, channel: Channel | None = None, destination: str | None = None
) -> Iterator[ChannelCheck]:
    """Send a message that says it is a test to every channel and destination, or to the given ones; yields each result.

    Raises:
        FridgeError: no messages go to that channel and destination.
    """
    routes = [
        (audience, place)
        for audience in ((channel,) if channel else CHANNELS)
        for place in destinations_of(audience, settings)
        if destination in (None, place)
    ]
    if not routes:
        places = sorted({place for audience in CHANNELS for place in destinations_of(audience, settings)})
        raise FridgeError(
            f"no messages of {channel or 'any channel'} go to {destination or 'any destination'}",
            f"The destinations are {', '.join(places)}; docs/notifications.md says how to add one.",
        )
    senders = senders_of(settings)
    for audience, place in routes:
        yield _tested(senders, audience, place, now)


def _tested(senders: Mapping[str, Sender], channel: Channel, destination: str, now: datetime) -> ChannelCheck:
    message = Message(
        key=f"test/{destination}/{now.isoformat()}",
        channel=channel,
        kind="test",
        title=f"Test message for {channel.replace('_', ' ')}: nothing has happened",
        lines=("Somebody tries whether messages arrive here. There is nothing to do.",),
        occurred_at=now,
    )
    name = f"{destination}, {channel}"
    try:
        return ChannelCheck(name, True, f"sent ({senders[destination].send(channel, message, False)})")
    except NotSent as error:
        return ChannelCheck(name, False, error.reason)


def _check_slack(settings: NotificationSettings) -> Iterator[ChannelCheck]:
    # Imported here because it brings Slack's client, which nobody without a token needs.
    from fridge_assets.notifications.slack import SlackSender  # noqa: PLC0415

    try:
        sender = SlackSender(settings)
        yield ChannelCheck(SLACK, True, f"the token is that of {sender.check_token()}")
    except FridgeError as error:
        yield ChannelCheck(SLACK, False, str(error))
        return
    for channel in CHANNELS:
        try:
            name = sender.check_channel(channel)
        except FridgeError as error:
            yield ChannelCheck(f"{SLACK} {getattr(settings.channels, channel)}", False, str(error))
        else:
            yield ChannelCheck(f"{SLACK} {name}", True, f"takes messages for {channel}")


def _check_mail(name: str, destination: EmailDestination, settings: NotificationSettings) -> ChannelCheck:
    from fridge_assets.notifications.mail import EmailSender  # noqa: PLC0415

    try:
        return ChannelCheck(name, True, EmailSender(destination, settings).check())
    except FridgeError as error:
        return ChannelCheck(name, False, str(error))

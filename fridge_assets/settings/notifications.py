"""Settings of the notifications."""

import re
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from fridge_assets.settings._group import Group


class SlackChannels(Group):
    """The Slack channel of each audience; invite the app to every one of them."""

    operations: str = Field("#fridge-operations", description="HIGH alerts and site-wide messages")
    on_call: str = Field("#fridge-on-call", description="CRITICAL alerts and breached deadlines")
    site_digest: str = Field("#fridge-sites", description="MEDIUM alerts")
    data_platform: str = Field("#fridge-data-platform", description="late, missing or refused data")
    ml: str = Field("#fridge-ml", description="failing, paused and drifting models")
    everyone: str = Field("#fridge-everyone", description="fallback and recovery")


_EVERY_CHANNEL = tuple(SlackChannels.model_fields)


_RESERVED_DESTINATIONS = ("slack", "log")


def _split(given: object) -> object:
    """What was given as one text, separated by commas, as a list."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


class Destination(Group):
    """Something beside Slack's bot that messages are sent to, under a name of your choice."""

    channels: Annotated[tuple[str, ...], NoDecode] = Field(
        _EVERY_CHANNEL, description="audiences whose messages it gets, comma-separated"
    )

    @field_validator("channels", mode="before")
    @classmethod
    def _split_channels(cls, given: object) -> object:
        return _split(given)

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in channels if name not in _EVERY_CHANNEL]
        if unknown or not channels:
            raise ValueError(f"the channels are {', '.join(_EVERY_CHANNEL)}; not {', '.join(unknown) or 'none'}")
        return channels


class WebhookDestination(Destination):
    """An incoming webhook of a chat."""

    kind: Literal["slack_webhook", "teams", "mattermost"]
    url: SecretStr = Field(description="address of the webhook; whoever knows it can post, so it is never shown")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        return SecretStr(check_address(url.get_secret_value().strip()))


class EmailDestination(Destination):
    """E-mail by SMTP."""

    kind: Literal["email"]
    host: str = Field(min_length=1, description="the mail server")
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="encrypted after a greeting, from the start, or not at all"
    )
    user: str = Field("", description="empty: nobody logs in")
    password: SecretStr = SecretStr("")
    sender: str = Field(min_length=3, description="address that messages come from")
    recipients: Annotated[tuple[str, ...], NoDecode] = Field(
        min_length=1, description="addresses that they go to, comma-separated"
    )

    @field_validator("recipients", mode="before")
    @classmethod
    def _split_recipients(cls, given: object) -> object:
        return _split(given)

    @field_validator("sender", "recipients")
    @classmethod
    def _are_addresses(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (given,) if isinstance(given, str) else given:
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"{address!r} is no e-mail address like fridges@example.com")
        return given


class EventDestination(Destination):
    """A service that calls people: events with the same deduplication key are one incident there."""

    kind: Literal["pagerduty", "opsgenie"]
    key: SecretStr = Field(description="PagerDuty's integration key (Events API v2), or Opsgenie's API key")
    url: str = Field("", description="address that takes events; empty for the service's own")
    channels: Annotated[tuple[str, ...], NoDecode] = Field(
        ("on_call",), description="audiences whose messages it gets, comma-separated"
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return check_address(url.strip()) if url.strip() else ""

    @field_validator("key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value().strip()
        if not (text and text.isascii() and text.isprintable()):
            raise ValueError("it is empty, or has characters that no key has; copy it again")
        return SecretStr(text)


AnyDestination = Annotated[WebhookDestination | EmailDestination | EventDestination, Field(discriminator="kind")]


class NotificationSettings(Group):
    """Telling people (SPEC 7); docs/notifications.md shows how each way is set up."""

    token: SecretStr = Field(SecretStr(""), description="Slack bot token (xoxb-…); empty: no messages to Slack by it")
    api_url: str = Field("https://slack.com/api/", description="where Slack's Web API answers")
    timeout: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(0), description="how long a destination may take to connect or to answer"
    )
    ui_url: str = Field("http://127.0.0.1:3000", description="the Dagster UI that messages about runs link to")
    alerts_url: str = Field(
        "", description="page that shows incidents; the own one of each is this, a slash and its id; empty: a command"
    )
    channels: SlackChannels = SlackChannels()
    destinations: dict[str, AnyDestination] = Field({}, description="where else messages go, by names of your choice")
    pause_between: timedelta = Field(
        timedelta(seconds=1), ge=timedelta(0), description="Slack takes about one message a second per channel"
    )
    budget: timedelta = Field(
        timedelta(seconds=20), description="one delivery starts no further message after this long"
    )
    first_retry: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="wait after the first failure in a row of a channel's way to a destination",
    )
    retry_factor: float = Field(2.0, ge=1, description="every further failure in a row waits this many times longer")
    max_retry: timedelta = Field(
        timedelta(minutes=5), description="but never longer than this, unless the destination asks to"
    )
    lease: timedelta = Field(
        timedelta(seconds=60),
        description="a deliverer that is this late, beyond the time a destination may take, is dead and another takes "
        "over",
    )
    summarise_after: timedelta = Field(
        timedelta(hours=24),
        description="what happened longer ago than this is told in one summary per channel and destination",
    )
    summary_titles: int = Field(5, ge=0, description="newest messages that a summary names")
    late_after: timedelta = Field(
        timedelta(minutes=15), description="a message that has waited longer than this says of when it is"
    )
    long_wait: timedelta = Field(
        timedelta(minutes=15), description="`doctor` warns of messages that have waited longer than this"
    )

    @field_validator("alerts_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return check_address(url.strip()) if url.strip() else ""

    @field_validator("destinations")
    @classmethod
    def _named_plainly(cls, given: dict[str, AnyDestination]) -> dict[str, AnyDestination]:
        for name in given:
            if not _NAME.fullmatch(name) or name in _RESERVED_DESTINATIONS:
                raise ValueError(
                    f"{name!r} names no destination: letters, digits and single underscores, and neither "
                    f"{' nor '.join(_RESERVED_DESTINATIONS)}"
                )
        return given


_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")


_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


def check_address(url: str) -> str:
    """``url`` as it is, once it is known that something can be posted to it.

    Raises:
        ValueError: it is no http or https address; the message does not show it, since it may be a secret.
    """
    try:
        parts = urlsplit(url)
        # Asking for a port that is no number is refused.
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or any(sign.isspace() for sign in url):
        raise ValueError("it is no address that begins with https:// or http://")
    return url

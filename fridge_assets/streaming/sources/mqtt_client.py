"""A connection to an MQTT broker: what we need of the client library."""

import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import MqttSettings
from fridge_assets.sources.messages import Message

if TYPE_CHECKING:
    import aiomqtt

_MOST = 1000
"""Messages that are taken together."""
_REFUSED = 128
"""In answer to a subscription."""


class Taken:
    """Messages that the broker will send again unless they are acknowledged.

    Args:
        client: that they came by.
        messages: as they came.
    """

    def __init__(self, client: "aiomqtt.Client", messages: "Sequence[aiomqtt.Message]") -> None:
        self.received_at = datetime.now(UTC)
        self.messages = [Message(m.topic.value, m.payload, self.received_at, m.retain) for m in messages]
        self._client = client
        self._theirs = messages

    def acknowledge(self) -> None:
        """Tell the broker that they are safe."""
        # aiomqtt has no word for it; the client that it wraps does.
        wrapped = self._client._client
        for message in self._theirs:
            if message.qos:
                wrapped.ack(message.mid, message.qos)


class BrokerRefuses(FridgeError):
    """A broker that answers, and will not have us: trying again is of no use."""


class Connection:
    """One connection.

    Args:
        client: connected.
    """

    def __init__(self, client: "aiomqtt.Client") -> None:
        self._client = client

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Take the messages of ``topics`` from now on.

        Raises:
            BrokerRefuses: the broker does not let us read one of them.
        """
        for topic in topics:
            (answer,) = await self._client.subscribe(topic, qos=1)
            # MQTT 3.1.1 answers with a number, which the library wraps.
            if getattr(answer, "value", answer) >= _REFUSED:
                raise BrokerRefuses(
                    f"the MQTT broker does not let us read {topic}",
                    "Allow this user to subscribe to it, or correct topics in the source.",
                )

    async def unsubscribe(self, topics: Iterable[str]) -> None:
        """Take no more messages of ``topics``."""
        for topic in topics:
            await self._client.unsubscribe(topic)

    async def taken(self) -> AsyncIterator[Taken]:
        """What comes, as much together as is there; ends with an error of the connection."""
        waiting = self._client.messages
        async for first in waiting:
            together = [first]
            while len(waiting) and len(together) < _MOST:
                together.append(await anext(waiting))
            yield Taken(self._client, together)


@asynccontextmanager
async def connected(settings: MqttSettings, client_id: str, *, is_kept: bool) -> AsyncIterator[Connection]:
    """A connection for the length of the block.

    Args:
        settings: of the broker.
        client_id: ours.
        is_kept: whether the broker keeps what comes for us while we are away.

    Raises:
        BrokerRefuses: the user, the password or the client id is refused, or a certificate cannot be used.
        FridgeError: the client library is missing.
        ConnectionError: there is no connection, or it is lost.
    """
    aiomqtt = library()
    try:
        client = aiomqtt.Client(
            settings.host,
            settings.port,
            identifier=client_id,
            clean_session=not is_kept,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            tls_context=_tls(settings),
            keepalive=max(int(settings.keep_alive.total_seconds()), 1),
            timeout=settings.answer_within.total_seconds(),
        )
        # Otherwise the library acknowledges what nobody has stored yet.
        client._client.manual_ack_set(True)
        async with client:
            yield Connection(client)
    except aiomqtt.exceptions.MqttConnectError as error:
        raise BrokerRefuses(
            f"the MQTT broker at {settings.host}:{settings.port} refuses the connection: {_reason(error)}",
            "Check FRIDGE_MQTT__USERNAME, FRIDGE_MQTT__PASSWORD and FRIDGE_MQTT__CLIENT_ID.",
        ) from error
    except aiomqtt.MqttError as error:
        raise ConnectionError(_reason(error)) from error


def library() -> ModuleType:
    """The client library.

    Raises:
        FridgeError: it is not installed.
    """
    try:
        import aiomqtt  # noqa: PLC0415
    except ImportError as error:
        raise FridgeError(
            f"MQTT cannot be read without its client library ({error})", "Run: pip install 'fridge-assets[mqtt]'"
        ) from error
    return aiomqtt


def _tls(settings: MqttSettings) -> ssl.SSLContext | None:
    if not (settings.tls or settings.ca_file or settings.cert_file):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file or None)
    except OSError as error:  # ssl.SSLError is one
        raise BrokerRefuses(
            f"a certificate for the MQTT broker cannot be used: {error}",
            "Check FRIDGE_MQTT__CA_FILE, FRIDGE_MQTT__CERT_FILE and FRIDGE_MQTT__KEY_FILE.",
        ) from error
    return context


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__

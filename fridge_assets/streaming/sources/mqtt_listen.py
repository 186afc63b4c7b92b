"""Some messages of a broker, to find out how a source is read."""

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import MqttSettings
from fridge_assets.sources.messages import Message, lines_of
from fridge_assets.sources.sample import format_by_content
from fridge_assets.sources.source import Format
from fridge_assets.sources.topics import is_topic
from fridge_assets.streaming.sources.mqtt_client import connected

_MOST = 2000
"""Messages that are enough."""


def listen(settings: MqttSettings, topics: Sequence[str], seconds: float) -> list[Message]:
    """The messages of ``topics`` that come within some seconds; nothing is taken from who else reads them.

    Raises:
        FridgeError: no broker is set, a topic is none, there is no connection, or no message has come.
    """
    if not settings.host:
        raise FridgeError("no MQTT broker is set", "Set FRIDGE_MQTT__HOST, and FRIDGE_MQTT__PORT where it is not 1883.")
    for topic in topics:
        if not is_topic(topic):
            raise FridgeError(f"--topic {topic}: it is no topic", "Give one such as stores/+/+ or stores/#.")
    try:
        found = asyncio.run(_listen(settings, topics, seconds))
    except OSError as error:
        raise FridgeError(
            f"there is no connection to the MQTT broker at {settings.host}:{settings.port}: {error}",
            "Check FRIDGE_MQTT__HOST, FRIDGE_MQTT__PORT, FRIDGE_MQTT__TLS and the network.",
        ) from error
    if not found:
        raise FridgeError(
            f"no message of {', '.join(topics)} came within {seconds:g} s", "Check the topic, or listen longer."
        )
    return found


def write_messages(messages: Sequence[Message], folder: Path, format_: Format | None) -> tuple[Path, Format]:
    """``messages`` as an example of a file of their source.

    Args:
        messages: of one source.
        folder: where it is written.
        format_: as a person has said; found out where nobody has.

    Returns:
        The file, and its format.
    """
    if format_ is None:
        kinds = {format_by_content(Path("message"), message.payload) for message in messages}
        format_ = "line_protocol" if kinds == {"line_protocol"} else "jsonl"
    lines = [line for message in messages for line in lines_of(message, format_, values=True)]
    file = folder / "messages"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="backslashreplace")
    return file, format_


async def _listen(settings: MqttSettings, topics: Sequence[str], seconds: float) -> list[Message]:
    found: list[Message] = []
    async with connected(settings, f"fridge-look-{uuid.uuid4().hex[:12]}", is_kept=False) as connection:

        async def take() -> None:
            async for taken in connection.taken():
                found.extend(taken.messages)
                taken.acknowledge()
                if len(found) >= _MOST:
                    return

        taking = asyncio.create_task(take())
        await connection.subscribe(topics)
        await asyncio.wait({taking}, timeout=seconds)
        if taking.done():
            taking.result()
        taking.cancel()
    return found

"""An MQTT broker as a source: its messages become files of landing, which the stream and ingestion read.

A broker keeps no log that one could read again, so a message is acknowledged once it is safe in a file. What a
process that is killed has not acknowledged comes again, and readings that were taken are recognised.
"""

import asyncio
import logging
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb
from sqlalchemy.engine import Connection as StoreConnection

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import deterministic_id
from fridge_assets.settings import Settings
from fridge_assets.sources.messages import Message, has_time, lines_of, takes_values
from fridge_assets.sources.saved import read_source, source_names
from fridge_assets.sources.source import Source as HowToRead
from fridge_assets.sources.topics import fits
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.streaming.sources.base import Batch, Positions
from fridge_assets.streaming.sources.landing import LandingSource
from fridge_assets.streaming.sources.mqtt_client import BrokerRefuses, Connection, connected, library
from fridge_assets.streaming.sources.mqtt_files import MessageFiles

_LOG = logging.getLogger(__name__)

NAME = "mqtt"

_TICK = 0.1
_FIRST_PAUSE = 1.0
_END_WITHIN = 10.0
"""Seconds for what is done about time, between two attempts, and until the connection is closed."""


class MqttSource:
    """Writes what the broker sends into landing, and reads landing.

    Args:
        landing: the folder; other files in it are read as well.
        operations: the store with the ledger of the stream.
        settings: broker, sizes and spans.

    Raises:
        FridgeError: the client library is missing.
    """

    name = NAME

    def __init__(self, landing: Landing, operations: Operations, settings: Settings) -> None:
        library()
        self._settings = settings
        self._files = MessageFiles(settings.landing_dir, settings.mqtt.file_every)
        self._landing = LandingSource(landing, operations, settings, is_whole=self._files.is_whole)
        self._receiver = _Receiver(self._files, settings)
        self._look_at = 0.0

    def resume(self, positions: Positions | None) -> None:
        """Finish what a killed process was writing, and connect.

        Raises:
            FridgeError: no source has topics, the broker refuses us, or does not answer in time.
        """
        self._landing.resume(positions)
        self._receiver.begin()

    def poll(self, engine: duckdb.DuckDBPyConnection) -> Batch | None:
        """Stage the next files, as the landing folder does; looked for when there is a new one, and every 2 seconds.

        Raises:
            FridgeError: what receives messages has ended.
        """
        self._receiver.require_alive()
        now = time.monotonic()
        if not self._receiver.has_finished_file() and now < self._look_at and not self._landing.behind():
            return None
        self._look_at = now + self._settings.readings.settle.total_seconds()
        return self._landing.poll(engine)

    def record(self, connection: StoreConnection, batch: Batch, now: datetime) -> None:
        """Note the files of the last batch in the ledger."""
        self._landing.record(connection, batch, now)

    def saved(self, positions: Positions) -> None:
        """Nothing to do: the ledger is in operations."""

    def lost_parts(self) -> Sequence[str]:
        """None: one process owns the folder."""
        return ()

    def behind(self) -> int:
        """Files and messages that wait here; how many wait at the broker it does not say."""
        return self._landing.behind() + self._files.waiting

    def close(self) -> None:
        """End the connection; what was received is in whole files."""
        self._receiver.end()


class _Receiver:
    """A thread with the connection: stores what comes, acknowledges it, and connects again when that is lost.

    Args:
        files: where messages go.
        settings: broker and spans.
    """

    def __init__(self, files: MessageFiles, settings: Settings) -> None:
        self._files = files
        self._settings = settings
        self._thread = threading.Thread(target=self._work, name="mqtt", daemon=True)
        self._ended, self._began, self._finished_file = threading.Event(), threading.Event(), threading.Event()
        self._trouble = ""
        self._failure: Exception | None = None
        self._sources: dict[str, HowToRead] = {}
        self._unread: set[str] = set()

    def begin(self) -> None:
        """Connect.

        Raises:
            FridgeError: no source has topics, the broker refuses us, or does not answer in time.
        """
        mqtt = self._settings.mqtt
        self._sources = self._sources_with_topics()
        if not self._sources:
            raise FridgeError(
                f"no source in {self._settings.sources_dir} says which topics of the MQTT broker are read",
                "Make one: fridge-assets sources add NAME --topic 'stores/+/+'.",
            )
        self._files.finish_leftovers({name: source.align_seconds for name, source in self._sources.items()})
        if mqtt.password.get_secret_value() and not (mqtt.tls or mqtt.ca_file or mqtt.cert_file):
            _LOG.warning("MQTT: the password is sent in plain text; FRIDGE_MQTT__TLS=true encrypts it")
        self._thread.start()
        deadline = time.monotonic() + mqtt.answer_within.total_seconds()
        while not self._began.wait(_TICK):
            self.require_alive()
            if time.monotonic() >= deadline:
                self.end()
                raise FridgeError(
                    f"the MQTT broker at {mqtt.host}:{mqtt.port} does not answer within "
                    f"{mqtt.answer_within.total_seconds():g} s: {self._trouble or 'no answer'}",
                    "Check FRIDGE_MQTT__HOST, FRIDGE_MQTT__PORT, FRIDGE_MQTT__TLS and the network.",
                )

    def require_alive(self) -> None:
        """Nothing, as long as messages are received or the connection is tried again.

        Raises:
            FridgeError: it cannot go on.
        """
        if self._failure is None:
            return
        if isinstance(self._failure, FridgeError):
            raise self._failure
        raise FridgeError(
            f"messages of MQTT cannot be received: {self._failure!r}",
            "What was not acknowledged comes again at the next start.",
        ) from self._failure

    def has_finished_file(self) -> bool:
        """Whether a file was finished since the last call."""
        found = self._finished_file.is_set()
        self._finished_file.clear()
        return found

    def end(self) -> None:
        """End the connection and finish the files."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_END_WITHIN)

    def _work(self) -> None:
        try:
            asyncio.run(self._keep_connected())
            self._files.close()
        except Exception as error:
            self._failure = error

    async def _keep_connected(self) -> None:
        mqtt = self._settings.mqtt
        pause = _FIRST_PAUSE
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                async with connected(mqtt, client_id_of(self._settings), is_kept=True) as connection:
                    await self._read(connection)
            except BrokerRefuses as error:
                if not self._began.is_set():
                    raise
                self._note(f"{error.problem}")
            except (OSError, FridgeError) as error:
                self._note(str(error))
            if time.monotonic() - began > mqtt.longest_pause.total_seconds():
                pause = _FIRST_PAUSE
            again = time.monotonic() + pause
            while time.monotonic() < again and not self._ended.is_set():
                self._finish_files()
                await asyncio.sleep(_TICK)
            pause = min(2 * pause, mqtt.longest_pause.total_seconds())

    async def _read(self, connection: Connection) -> None:
        """Store and acknowledge what comes, until the end or an error.

        That begins at once: a broker may send what has waited before it answers anything else.
        """
        storing = asyncio.create_task(self._store_what_comes(connection))
        following = asyncio.create_task(self._follow_sources(connection))
        try:
            while not self._ended.is_set():
                await asyncio.wait({storing, following}, timeout=_TICK)
                for task in (storing, following):
                    if task.done():
                        task.result()
                self._finish_files()
        finally:
            storing.cancel()
            following.cancel()

    async def _follow_sources(self, connection: Connection) -> None:
        """Subscribe to the topics of the sources, also of those that are saved meanwhile."""
        topics: set[str] = set()
        while True:
            wanted = _topics_of(self._sources)
            await connection.subscribe(wanted - topics)
            await connection.unsubscribe(topics - wanted)
            if not topics or wanted != topics:
                _LOG.info("MQTT: reading %s", ", ".join(sorted(wanted)))
            topics, self._trouble = wanted, ""
            self._began.set()
            await asyncio.sleep(self._settings.streaming.reload_every.total_seconds())
            self._sources = self._sources_with_topics() or self._sources

    async def _store_what_comes(self, connection: Connection) -> None:
        async for taken in connection.taken():
            lines: dict[str, list[str]] = defaultdict(list)
            for message in taken.messages:
                name = self._source_of(message)
                if name and has_time(message, self._sources[name]):
                    source = self._sources[name]
                    format_ = source.format or "jsonl"
                    lines[name] += lines_of(message, format_, values=takes_values(source))
            for name, new in lines.items():
                self._files.store(name, new, taken.received_at, self._sources[name].align_seconds)
            taken.acknowledge()

    def _source_of(self, message: Message) -> str:
        for name, source in self._sources.items():
            if any(fits(topic, message.topic) for topic in source.topics):
                return name
        beginning = message.topic.partition("/")[0]
        if beginning not in self._unread:
            self._unread.add(beginning)
            _LOG.warning("MQTT: messages such as those of %s are of no source and are dropped", message.topic)
        return ""

    def _finish_files(self) -> None:
        try:
            if self._files.finish(time.time()):
                self._finished_file.set()
        except OSError as error:
            self._note(f"a file of messages cannot be finished: {error}")

    def _sources_with_topics(self) -> dict[str, HowToRead]:
        folder = self._settings.sources_dir
        found = {}
        for name in source_names(folder):
            try:
                source = read_source(folder, name)
            except FridgeError as error:
                _LOG.warning("%s", error)
                # What it said before is better than nothing.
                source = self._sources.get(name, HowToRead())
            if source.topics:
                found[name] = source
        return found

    def _note(self, trouble: str) -> None:
        if not self._trouble and not self._ended.is_set():
            _LOG.warning("MQTT: %s; trying again", trouble)
        self._trouble = trouble


def client_id_of(settings: Settings) -> str:
    """The id under which the broker keeps what was not taken yet: the same at every start."""
    mine = f"fridge-{deterministic_id('mqtt', socket.gethostname(), str(settings.root))[-12:]}"
    return settings.mqtt.client_id or mine


def _topics_of(sources: Mapping[str, HowToRead]) -> set[str]:
    return {topic for source in sources.values() for topic in source.topics}

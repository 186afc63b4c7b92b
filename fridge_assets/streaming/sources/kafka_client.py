"""One topic of Kafka through a member of a consumer group: what the stream needs of the client library."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, TopicPartition

_LOG = logging.getLogger(__name__)

_DEFAULTS: Mapping[str, str | int] = {
    "client.id": "fridge-assets",
    "queued.max.messages.kbytes": 32_768,  # fetched ahead; beyond it the rest waits in Kafka
    "log_level": 2,  # what matters comes through the error callback, once
}
_FIXED: Mapping[str, str | bool] = {
    "partition.assignment.strategy": "cooperative-sticky",  # a new member takes away only what it is to have
    "enable.auto.commit": False,
    "auto.offset.reset": "error",  # what retention has removed is told, and not jumped over
}
_ONE_LOOK: Mapping[str, str | int | bool] = {
    "queued.min.messages": 1,
    "fetch.message.max.bytes": 65_536,
    "enable.partition.eof": True,
}
"""For reading one message of a partition."""
_PAUSE = 0.1
_DRAINED = 1000

Numbers = Callable[[Sequence[int]], None]


class KafkaMessage(NamedTuple):
    """What the stream wants of a message.

    Args:
        offset: its place in the partition.
        value: None for a tombstone.
        sent_at: milliseconds since 1970, by the account of the sender or of the broker; None where nobody says.
    """

    offset: int
    value: bytes | None
    sent_at: int | None


class KafkaTopic:
    """The topic, and the partitions of it that this process has at the moment.

    Args:
        settings: servers, topic, group.

    Raises:
        FridgeError: the client library is missing, or does not know a setting.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._kafka = _library()
        self._settings = settings
        self._wait = settings.answer_within.total_seconds()
        names = {"bootstrap.servers": settings.bootstrap_servers, "group.id": settings.group}
        self._config = {**_DEFAULTS, **settings.client, **names, **_FIXED}
        self._trouble = ""
        self._closing = False
        try:
            self._consumer: Consumer = self._kafka.Consumer({**self._config, "error_cb": self._note})
        except self._kafka.KafkaException as error:
            raise FridgeError(
                f"Kafka's client refuses a setting: {error.args[0].str()}", "Correct FRIDGE_KAFKA__CLIENT."
            ) from error

    def join(self, on_assigned: Numbers, on_lost: Numbers) -> None:
        """Become a member of the group.

        Args:
            on_assigned: takes the numbers of partitions that are ours from now on, and calls :meth:`read_from`.
            on_lost: takes the numbers of partitions that are not ours any more.

        Raises:
            FridgeError: Kafka does not answer, or has no such topic.
        """
        name = self._settings.topic
        try:
            topic = self._consumer.list_topics(name, timeout=self._wait).topics[name]
        except self._kafka.KafkaException as error:
            self._consumer.poll(0)  # the reasons wait for this call
            raise self._silent(self._trouble or error.args[0].str()) from error
        if topic.error is not None:
            raise FridgeError(
                f"Kafka at {self._settings.bootstrap_servers} does not offer the topic {name}: {topic.error.str()}",
                "Create it and allow this client to read it, or name another one in FRIDGE_KAFKA__TOPIC.",
            )

        def assigned(_: "Consumer", partitions: "list[TopicPartition]") -> None:
            if partitions and not self._closing:
                on_assigned([p.partition for p in partitions])

        def lost(_: "Consumer", partitions: "list[TopicPartition]") -> None:
            on_lost([p.partition for p in partitions])

        self._consumer.subscribe([name], on_assign=assigned, on_revoke=lost, on_lost=lost)

    def consume(self, most: int, seconds: float) -> tuple[dict[int, list[KafkaMessage]], list[int]]:
        """Messages of our partitions; partitions come and go meanwhile.

        Args:
            most: of them.
            seconds: how long to wait for as many.

        Returns:
            Partition → messages in order; and partitions that cannot be read on, since an offset is not there.

        Raises:
            FridgeError: the client cannot go on.
        """
        messages: dict[int, list[KafkaMessage]] = defaultdict(list)
        stuck = []
        for message in self._consumer.consume(most, seconds):
            error = message.error()
            if error is None:
                kind, sent_at = message.timestamp()
                messages[_there(message.partition())].append(
                    KafkaMessage(_there(message.offset()), message.value(), sent_at if kind else None)
                )
            elif error.code() == self._kafka.KafkaError._AUTO_OFFSET_RESET:
                stuck.append(_there(message.partition()))
            elif error.fatal():
                raise FridgeError(f"Kafka's client cannot go on: {error.str()}", "Start the stream again.")
            else:
                self._note(error)
        if messages and self._trouble:
            _LOG.info("Kafka answers again")
            self._trouble = ""
        return messages, stuck

    def read_from(self, offsets: Mapping[int, int]) -> None:
        """Begin to read newly assigned partitions at these offsets."""
        self._consumer.incremental_assign(self._partitions(offsets))

    def stop_reading(self, numbers: Sequence[int]) -> None:
        """Undo :meth:`read_from`."""
        self._consumer.incremental_unassign(self._partitions(dict.fromkeys(numbers, 0)))

    def held(self, number: int) -> tuple[int, int]:
        """The first offset that a partition still holds, and the one that its next message will have.

        Raises:
            FridgeError: Kafka does not answer.
        """
        (partition,) = self._partitions({number: 0})
        try:
            return self._consumer.get_watermark_offsets(partition, timeout=self._wait)
        except self._kafka.KafkaException as error:
            raise self._silent(error.args[0].str()) from error

    def end(self, number: int) -> int:
        """The offset that the next message of one of our partitions will have, as far as is known without asking."""
        (partition,) = self._partitions({number: 0})
        return self._consumer.get_watermark_offsets(partition, cached=True)[1]

    def offsets_at(self, moments: Mapping[int, int]) -> dict[int, int]:
        """The first message at or after a moment.

        Args:
            moments: partition → milliseconds since 1970.

        Returns:
            Partition → offset; without the partitions that have no such message.

        Raises:
            FridgeError: Kafka does not answer.
        """
        if not moments:
            return {}
        try:
            found = self._consumer.offsets_for_times(self._partitions(moments), timeout=self._wait)
        except self._kafka.KafkaException as error:
            raise self._silent(error.args[0].str()) from error
        for partition in found:
            if partition.error is not None:
                raise self._silent(partition.error.str())
        return {p.partition: p.offset for p in found if p.offset >= 0}

    def times_of(self, offsets: Mapping[int, int]) -> dict[int, int]:
        """When messages were sent, by their own account or by that of the broker.

        Args:
            offsets: partition → offset.

        Returns:
            Partition → milliseconds since 1970; without those that cannot be found out.
        """
        if not offsets:
            return {}
        times = {}
        awaited = set(offsets)
        deadline = time.monotonic() + self._wait
        # A second client, since looking back with the first one would disturb what it fetches.
        with self._kafka.Consumer({**self._config, **_ONE_LOOK}) as reader:
            reader.assign(self._partitions(offsets))
            while awaited and time.monotonic() < deadline:
                for message in reader.consume(len(awaited), _PAUSE):
                    kind, moment = message.timestamp()
                    if message.partition() in awaited and not message.error() and kind:
                        times[message.partition()] = moment
                    awaited.discard(message.partition())
        return times

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell Kafka how far partitions were taken, for those who watch lag there; nothing waits for it."""
        if offsets:
            self._consumer.commit(offsets=self._partitions(offsets), asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        # close() alone waits for ever when partitions were just assigned and no consume() has taken them up yet.
        self._closing = True
        self._consumer.unsubscribe()
        while self._consumer.consume(_DRAINED, 0):
            pass
        self._consumer.close()

    def _partitions(self, offsets: Mapping[int, int]) -> "list[TopicPartition]":
        name = self._settings.topic
        return [self._kafka.TopicPartition(name, number, offset) for number, offset in offsets.items()]

    def _note(self, error: "KafkaError") -> None:
        """Say once that something is wrong; the client keeps trying."""
        if not self._trouble:
            _LOG.warning("Kafka: %s; waiting for it", error.str())
        # That all brokers are down says less than why.
        if not self._trouble or error.code() != self._kafka.KafkaError._ALL_BROKERS_DOWN:
            self._trouble = error.str()

    def _silent(self, reason: str) -> FridgeError:
        return FridgeError(
            f"Kafka at {self._settings.bootstrap_servers} does not answer within {self._wait:g} s: {reason}",
            "Check FRIDGE_KAFKA__BOOTSTRAP_SERVERS, FRIDGE_KAFKA__CLIENT and the network.",
        )


def _there(number: int | None) -> int:
    # Every message that was fetched has its place; the types of the library leave it open.
    assert number is not None
    return number


def _library() -> ModuleType:
    try:
        import confluent_kafka  # noqa: PLC0415
    except ImportError as error:
        raise FridgeError(
            f"Kafka cannot be read without its client library ({error})", "Run: pip install 'fridge-assets[kafka]'"
        ) from error
    return confluent_kafka

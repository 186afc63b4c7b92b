"""A Kafka cluster within the test process: librdkafka's own, which speaks the real protocol on a loopback port."""

import ctypes
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition, cimpl

TOPIC = "sensor_readings"

_WAIT = 10.0
"""Seconds that anything may take."""
_PRODUCER = 0
"""The kind of client that holds the cluster."""


class KafkaCluster:
    """One broker with one topic; members of a group get their partitions at once.

    Args:
        partitions: of the topic.
    """

    def __init__(self, partitions: int = 1) -> None:
        # The binding does not offer all of the cluster, but brings the library that does.
        self._library = ctypes.CDLL(cimpl.__file__)
        self._library.rd_kafka_conf_new.restype = ctypes.c_void_p
        self._library.rd_kafka_new.restype = ctypes.c_void_p
        self._library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
        self._library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        message = ctypes.create_string_buffer(512)
        conf, size = ctypes.c_void_p(self._library.rd_kafka_conf_new()), ctypes.c_size_t(len(message))
        assert self._library.rd_kafka_conf_set(conf, b"log_level", b"2", message, size) == 0, message.value
        client = self._library.rd_kafka_new(_PRODUCER, conf, message, size)
        assert client, message.value
        self._client = ctypes.c_void_p(client)
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._client, 1))
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.create_topic(partitions)
        self.servers = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self._producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 0, "log_level": 2})
        self._times: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close()
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def send(self, values: Sequence[bytes | None], *, at: float, partition: int = 0, step: float = 0.0) -> None:
        """Append ``values``, the first with the Kafka timestamp ``at`` (seconds), every further one ``step`` later."""

        def stored(moment: int, error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            self._times[partition].append((moment, message.offset() or 0))

        for number, value in enumerate(values):
            moment = round((at + number * step) * 1000)
            self._producer.produce(
                TOPIC, value, partition=partition, timestamp=moment, on_delivery=partial(stored, moment)
            )
        assert self._producer.flush(_WAIT) == 0

    def forget(self, partition: int, before: int) -> None:
        """Drop the messages of ``partition`` before the offset ``before``, as retention does."""
        self._do("partition_delete_records", TOPIC.encode(), partition, ctypes.c_int64(before))

    def create_topic(self, partitions: int) -> None:
        self._do("topic_create", TOPIC.encode(), partitions, 1)

    def delete_topic(self) -> None:
        self._do("topic_delete", TOPIC.encode())
        self._times.clear()

    def stop_broker(self) -> None:
        self._do("broker_set_down", 1)

    def start_broker(self) -> None:
        self._do("broker_set_up", 1)

    def consumer_class(self) -> type[Consumer]:
        """The consumer, with the one answer that this cluster cannot give: offsets by time."""
        times = self._times

        class TimedConsumer(Consumer):
            def offsets_for_times(self, partitions: list[TopicPartition], **_: float) -> list[TopicPartition]:
                return [
                    TopicPartition(
                        p.topic,
                        p.partition,
                        next((o for t, o in times[p.partition] if t >= p.offset), confluent_kafka.OFFSET_END),
                    )
                    for p in partitions
                ]

        return TimedConsumer

    def _do(self, name: str, *arguments: object) -> None:
        function: Callable[..., int] = getattr(self._library, f"rd_kafka_mock_{name}")
        assert function(self._cluster, *arguments) == 0, name

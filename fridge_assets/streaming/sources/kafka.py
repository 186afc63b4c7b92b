"""A topic of Kafka as a source: every message once, however often its partition changes hands.

The operations store says how far each partition is answered, in the transaction that stores what was shown; that
decides, and the offsets of the consumer group do not. What lies before that position only rebuilds the state.
"""

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import duckdb
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, stream_positions
from fridge_assets.streaming.sources.base import Batch, Positions
from fridge_assets.streaming.sources.kafka_client import KafkaMessage, KafkaTopic
from fridge_assets.streaming.sources.kafka_messages import stage_messages

_LOG = logging.getLogger(__name__)

NAME = "kafka"

_MILLISECOND = timedelta(milliseconds=1)


@dataclass
class _Partition:
    """A partition of ours.

    Args:
        answered: what its messages before this offset show is stored.
        taken: the offset after the last message that was given out.
        waiting: messages that were fetched and not given out.
    """

    answered: int
    taken: int
    waiting: deque[KafkaMessage] = field(default_factory=deque)

    @property
    def replays(self) -> bool:
        """Whether the next message was answered before."""
        return bool(self.waiting) and self.waiting[0].offset < self.answered

    def next(self) -> list[KafkaMessage]:
        """The waiting messages that may be given out together: those that were answered, or those that were not."""
        if not self.replays:
            return list(self.waiting)
        return list(takewhile(lambda message: message.offset < self.answered, self.waiting))

    def give_out(self, count: int) -> None:
        """Note that the first ``count`` of the waiting messages are given out."""
        for _ in range(count):
            self.taken = self.waiting.popleft().offset + 1


class KafkaSource:
    """Reads the partitions that the consumer group gives to this process.

    Args:
        operations: the store that says how far every partition is answered, shared by all processes.
        settings: servers, topic, sizes and spans.

    Raises:
        FridgeError: the client library is missing, or does not know a setting.
    """

    name = NAME

    def __init__(self, operations: Operations, settings: Settings) -> None:
        self._operations = operations
        self._settings = settings
        self._topic = KafkaTopic(settings.kafka)
        self._partitions: dict[int, _Partition] = {}
        self._kept: dict[int, int] = {}
        self._lost: list[str] = []

    def resume(self, positions: Positions | None) -> None:
        """Join the group; where a partition is begun depends on ``positions`` and on what is answered.

        Raises:
            FridgeError: Kafka does not answer, or has no such topic.
        """
        self._kept = {int(part): offset for part, offset in (positions or {}).items()}
        self._topic.join(on_assigned=self._begin, on_lost=self._let_go)

    def poll(self, engine: duckdb.DuckDBPyConnection) -> Batch | None:
        """Stage what comes within ``streaming.poll``, or what was left of it last time."""
        if not any(partition.waiting for partition in self._partitions.values()):
            self._fetch()
        if self._lost:
            return None  # What the state knows of them must be forgotten before it takes in more.
        answered = any(partition.replays for partition in self._partitions.values())
        chosen = {
            number: partition.next()
            for number, partition in self._partitions.items()
            if partition.waiting and partition.replays == answered
        }
        if not chosen:
            return None
        deliveries = {f"partition {n} from offset {messages[0].offset}": n for n, messages in chosen.items()}
        stage_messages(
            engine,
            {name: chosen[number] for name, number in deliveries.items()},
            self._settings.streaming_dir,
            self._settings.readings,
        )
        for number, messages in chosen.items():
            self._partitions[number].give_out(len(messages))
        return Batch(
            positions={str(number): self._partitions[number].taken for number in chosen},
            answered=answered,
            deliveries={name: str(number) for name, number in deliveries.items()},
        )

    def record(self, connection: Connection, batch: Batch, now: datetime) -> None:
        """Move the stored positions on to those of ``batch``."""
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(stream_positions)
        # Never back: who lost a partition without noticing may end its last batch after the new owner's first.
        statement = insert.on_conflict_do_update(
            index_elements=[stream_positions.c.source, stream_positions.c.part],
            set_={"position": insert.excluded.position, "recorded_at": insert.excluded.recorded_at},
            where=insert.excluded.position > stream_positions.c.position,
        )
        connection.execute(statement, _rows({int(part): offset for part, offset in batch.positions.items()}, now))

    def saved(self, positions: Positions) -> None:
        """Commit the offsets to Kafka, where tools that watch the lag of a group look for them."""
        offsets = {int(part): offset for part, offset in positions.items()}
        self._topic.commit({number: offset for number, offset in offsets.items() if number in self._partitions})

    def lost_parts(self) -> Sequence[str]:
        """Partitions that went to another process."""
        lost, self._lost = self._lost, []
        return lost

    def behind(self) -> int:
        """Messages in our partitions that were not given out."""
        return sum(max(self._topic.end(number) - p.taken, 0) for number, p in self._partitions.items())

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._topic.close()

    def _fetch(self) -> None:
        settings = self._settings
        messages, stuck = self._topic.consume(settings.kafka.batch_readings, settings.streaming.poll.total_seconds())
        for number, fetched in messages.items():
            if number in self._partitions:
                self._partitions[number].waiting.extend(fetched)
        for number in stuck:
            if number in self._partitions:
                self._topic.stop_reading([number])
                self._kept[number] = self._partitions[number].taken
                self._begin([number])

    def _let_go(self, numbers: Sequence[int]) -> None:
        """Another process has these partitions now, and what was fetched of them is its business."""
        for number in numbers:
            if self._partitions.pop(number, None) is not None:
                self._lost.append(str(number))
            self._kept.pop(number, None)

    def _begin(self, numbers: Sequence[int]) -> None:
        """Read partitions that are ours from now on, from where the state needs them."""
        held = {number: self._topic.held(number) for number in numbers}
        stored = self._stored()
        answered = {n: _still_there(n, stored[n], *held[n]) for n in numbers if n in stored}
        moments = self._moments(held, answered)
        at_moment = self._topic.offsets_at(moments)
        starts = {}
        for number, (low, high) in held.items():
            first = at_moment.get(number, high) if number in moments else self._kept[number]
            starts[number] = max(min(first, answered.get(number, high)), low)
        answered = starts | answered
        self._store({number: offset for number, offset in answered.items() if stored.get(number) != offset})
        self._partitions |= {number: _Partition(answered[number], start) for number, start in starts.items()}
        self._topic.read_from(starts)
        for number, start in starts.items():
            _LOG.info("partition %d: from offset %d, answered up to %d", number, start, answered[number])

    def _moments(self, held: Mapping[int, tuple[int, int]], answered: Mapping[int, int]) -> dict[int, int]:
        """When to begin, in milliseconds since 1970, for the partitions of which the state knows nothing."""
        unknown = [number for number in held if number not in self._kept or number not in answered]
        last = {n: answered[n] - 1 for n in unknown if n in answered and answered[n] > held[n][0]}
        times = self._topic.times_of(last)
        now = round(time.time() * 1000)
        warm_up = self._settings.streaming.warm_up // _MILLISECOND
        return {number: times.get(number, now) - warm_up for number in unknown}

    def _stored(self) -> dict[int, int]:
        """How far partitions are answered, whoever had them."""
        query = sa.select(stream_positions).where(stream_positions.c.source == NAME)
        with self._operations.read() as connection:
            return {int(row["part"]): row["position"] for row in connection.execute(query).mappings()}

    def _store(self, positions: Mapping[int, int]) -> None:
        """Replace what the store says: it knew nothing of these partitions, or offsets that do not exist any more."""
        if not positions:
            return
        parts = [str(number) for number in positions]
        with self._operations.transaction() as connection:
            connection.execute(
                sa.delete(stream_positions).where(stream_positions.c.source == NAME, stream_positions.c.part.in_(parts))
            )
            connection.execute(stream_positions.insert(), _rows(positions, datetime.now(UTC)))


def _still_there(number: int, offset: int, low: int, high: int) -> int:
    """``offset``, or where a partition begins that does not hold it: removed by retention, or the topic made anew."""
    if low <= offset <= high:
        return offset
    there = f"offsets {low} to {high} are there"
    _LOG.warning("partition %d: offset %d is wanted, %s; going on from %d", number, offset, there, low)
    return low


def _rows(positions: Mapping[int, int], now: datetime) -> list[dict[str, object]]:
    return [
        {"source": NAME, "part": str(number), "position": offset, "recorded_at": now}
        for number, offset in positions.items()
    ]

"""The Kafka source against a cluster that speaks the real protocol."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import confluent_kafka
import duckdb
import pytest
import sqlalchemy as sa

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import KafkaSettings, Settings, StreamingSettings
from fridge_assets.stores.operations import Operations, stream_positions
from fridge_assets.streaming.sources import kafka
from fridge_assets.streaming.sources.base import Batch
from fridge_assets.streaming.sources.kafka import KafkaSource
from fridge_assets.streaming.sources.kafka_client import KafkaMessage
from fridge_assets_tests.conftest import settings_of
from fridge_assets_tests.streaming.kafka_cluster import TOPIC, KafkaCluster

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = 3600.0
PATIENCE = 30.0
"""Seconds that any test waits for anything."""

QUICK = {"heartbeat.interval.ms": "50", "session.timeout.ms": "2000"}
"""A group that notices within a moment who comes and goes."""


def reading(number: int, **changes: object) -> bytes:
    """A reading whose device says which one it is."""
    row = {"device_id": f"d{number}", "timestamp": NOON.isoformat(), "current_compressor": 12.5, "defrost_cycle": True}
    return json.dumps(row | changes).encode()


class Process:
    """A stream reduced to its source: takes batches, notes what came, and records it."""

    def __init__(self, settings: Settings, operations: Operations) -> None:
        self.source = KafkaSource(operations, settings)
        self.operations = operations
        self.engine = duckdb.connect()
        self.new: list[str] = []
        self.replayed: list[str] = []
        self.lost: list[str] = []
        self.positions: dict[str, int] = {}
        self._closed = False

    def step(self) -> Batch | None:
        self.lost += self.source.lost_parts()
        batch = self.source.poll(self.engine)
        if batch is None:
            return None
        assert {row[0] for row in self.engine.execute("SELECT source_file FROM staged").fetchall()} <= set(
            batch.deliveries
        )
        devices = [row[0] for row in self.engine.execute("SELECT device_id FROM staged ORDER BY rowid").fetchall()]
        (self.replayed if batch.answered else self.new).extend(devices)
        with self.operations.transaction() as connection:
            self.source.record(connection, batch, NOON)
        self.positions |= batch.positions
        return batch

    def until(self, condition: Callable[[], bool]) -> None:
        wait_for(condition, self)

    def staged(self, columns: str) -> list[tuple[object, ...]]:
        self.engine.execute("SET TimeZone = 'UTC'")
        return self.engine.execute(f"SELECT {columns} FROM staged ORDER BY rowid").fetchall()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.source.close()
            self.engine.close()


def wait_for(condition: Callable[[], bool], *processes: Process) -> None:
    """Let ``processes`` work in turn until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, [(p.new, p.replayed, p.lost) for p in processes]
        for process in processes:
            process.step()


class Fleet:
    """Processes that share a cluster and an operations store, each with a data folder of its own."""

    def __init__(self, cluster: KafkaCluster, folder: Path) -> None:
        self.cluster = cluster
        self.operations = Operations(settings_of(folder / "shared").operations_database)
        self.operations.migrate()
        self._folder = folder
        self._processes: list[Process] = []

    def settings(self, **kafka: object) -> Settings:
        defaults = {
            "bootstrap_servers": self.cluster.servers,
            "client": QUICK,
            "answer_within": timedelta(seconds=5),
        }
        return settings_of(
            self._folder / f"process{len(self._processes)}",
            streaming=StreamingSettings(poll=timedelta(milliseconds=50)),
            kafka=KafkaSettings.model_validate(defaults | kafka),
        )

    def start(self, positions: dict[str, int] | None = None, **kafka: object) -> Process:
        process = Process(self.settings(**kafka), self.operations)
        self._processes.append(process)
        process.source.resume(positions)
        return process

    def stored(self) -> dict[str, int]:
        with self.operations.read() as connection:
            query = sa.select(stream_positions.c.part, stream_positions.c.position)
            return dict(connection.execute(query.where(stream_positions.c.source == "kafka")).all())

    def store(self, positions: dict[str, int]) -> None:
        rows = [{"source": "kafka", "part": p, "position": at, "recorded_at": NOON} for p, at in positions.items()]
        with self.operations.transaction() as connection:
            connection.execute(sa.insert(stream_positions), rows)

    def close(self) -> None:
        for process in self._processes:
            process.close()


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A fleet over a topic with as many partitions as the parameter says, one without."""
    with KafkaCluster(getattr(request, "param", 1)) as cluster:
        monkeypatch.setattr(confluent_kafka, "Consumer", cluster.consumer_class())
        fleet = Fleet(cluster, tmp_path)
        yield fleet
        fleet.close()


def devices(first: int, after: int) -> list[str]:
    return [f"d{number}" for number in range(first, after)]


def readings(first: int, after: int) -> list[bytes]:
    return [reading(number) for number in range(first, after)]


def test_readings_come_with_their_values_and_the_time_at_which_kafka_got_them(fleet: Fleet) -> None:
    sent = round(time.time())
    own = "2026-06-01T12:00:05+00:00"
    values = [
        reading(1, unknown=7),
        reading(2, timestamp_ingested=own),
        reading(3, timestamp_device=NOON.isoformat(), timestamp=None),
    ]
    fleet.cluster.send(values, at=sent)
    process = fleet.start()
    process.until(lambda: len(process.new) == 3)
    drifted = datetime.fromtimestamp(sent, UTC)
    assert process.staged("device_id, timestamp_ingested, current_compressor, defrost_cycle, humidity, reason") == [
        ("d1", drifted, 12.5, True, None, None),
        ("d2", datetime.fromisoformat(own), 12.5, True, None, None),
        ("d3", drifted, 12.5, True, None, None),
    ]
    assert process.staged("timestamp_utc")[1] == (NOON,)
    assert process.positions == fleet.stored() == {"0": 3}


UNUSABLE: dict[bytes | None, str] = {
    None: "null",
    b"": "",
    b" \n": " \n",
    b"hello": "hello",
    b'["d1"]': '["d1"]',
    b'{"device_id": "d1"': '{"device_id": "d1"',
    b'{"device_id": "a\nb"}': '{"device_id": "a\nb"}',
    b'{"device_id": "d\\\xff\x1f"}': '{"device_id": "d\\\\xff\x1f"}',
    b"[" * 50_000: "[" * 10_000,
}
"""Messages that are no readings, and what is kept of them."""


def test_what_is_no_reading_is_set_aside_and_harms_no_other(fleet: Fleet) -> None:
    strange = b'{"": 1, "Device_Id": "x", "timestamp": {"a": [NaN]}}'
    fleet.cluster.send([reading(1), *UNUSABLE, strange, b"\xef\xbb\xbf{\n" + reading(2)[1:]], at=time.time())
    process = fleet.start()
    process.until(lambda: len(process.new) == len(UNUSABLE) + 3)
    rows = process.staged("row_number, device_id, reason, raw")
    assert rows[0] == (1, "d1", None, None)
    assert [row[2:] for row in rows[1:-2]] == [("ROW_MALFORMED", raw) for raw in UNUSABLE.values()]
    assert rows[-2][2] == "DEVICE_MISSING"
    assert rows[-1] == (len(rows), "d2", None, None)


def test_a_batch_without_any_reading_is_set_aside_message_by_message(fleet: Fleet) -> None:
    fleet.cluster.send([None, b"hello"], at=time.time())
    process = fleet.start()
    process.until(lambda: len(process.new) == 2)
    assert process.staged("source_file, row_number, reason, raw") == [
        ("partition 0 from offset 0", 1, "ROW_MALFORMED", "null"),
        ("partition 0 from offset 0", 2, "ROW_MALFORMED", "hello"),
    ]
    assert fleet.stored() == {"0": 2}
    assert not list(fleet.settings().streaming_dir.glob("*.jsonl"))


@pytest.mark.parametrize("fleet", [4], indirect=True)
def test_every_message_is_new_exactly_once_while_processes_come_and_go(fleet: Fleet) -> None:
    sent: list[str] = []

    def send() -> None:
        for partition in range(4):
            fleet.cluster.send([reading(len(sent))], at=time.time(), partition=partition)
            sent.append(f"d{len(sent)}")

    first = fleet.start(batch_readings=10)
    send()
    first.until(lambda: len(first.new) == 4)
    second = fleet.start(batch_readings=10)
    wait_for(lambda: send() or second.new, first, second)
    assert second.positions.keys() <= set(first.lost)
    first.close()
    wait_for(lambda: len(second.positions) == 4, second)
    send()
    second.until(lambda: len(first.new) + len(second.new) >= len(sent))
    assert sorted(first.new + second.new) == sorted(sent)
    assert set(first.new) <= set(second.replayed) <= set(first.new + second.new)
    assert sum(fleet.stored().values()) == len(sent)


@pytest.mark.parametrize("fleet", [2], indirect=True)
def test_without_a_checkpoint_the_last_hour_before_the_stored_position_is_replayed_and_the_rest_is_new(
    fleet: Fleet,
) -> None:
    long_ago = time.time() - 100 * HOUR
    fleet.cluster.send(readings(0, 20), at=long_ago, step=HOUR / 4)
    fleet.cluster.send(readings(100, 110), at=long_ago, step=HOUR / 4, partition=1)
    fleet.store({"0": 10, "1": 0})
    process = fleet.start()
    process.until(lambda: len(process.new) == 20)
    assert process.replayed == devices(5, 10)  # 9 is the last one that was answered, and 5 came an hour before
    assert sorted(process.new) == sorted(devices(10, 20) + devices(100, 110))
    assert fleet.stored() == {"0": 20, "1": 10}


def test_with_a_checkpoint_only_what_came_after_it_is_replayed(fleet: Fleet) -> None:
    fleet.cluster.send(readings(0, 20), at=time.time())
    fleet.store({"0": 10})
    process = fleet.start({"0": 7})
    process.until(lambda: len(process.new) == 10)
    assert (process.replayed, process.new) == (devices(7, 10), devices(10, 20))


def test_a_replayed_batch_leaves_the_stored_position_alone(fleet: Fleet) -> None:
    fleet.cluster.send(readings(0, 10), at=time.time())
    fleet.store({"0": 10})
    process = fleet.start({"0": 0})
    process.until(lambda: len(process.replayed) == 10)
    assert process.positions == {"0": 10}
    assert fleet.stored() == {"0": 10}


def test_the_first_start_begins_an_hour_ago_and_a_second_one_does_not_skip_what_came_since(fleet: Fleet) -> None:
    fleet.cluster.send(readings(0, 8), at=time.time() - 3 * HOUR + 60, step=HOUR / 2)
    process = fleet.start()
    process.until(lambda: len(process.new) == 4)
    assert process.new == devices(4, 8)
    assert process.replayed == []


def test_a_first_start_without_messages_is_remembered(fleet: Fleet) -> None:
    process = fleet.start()
    process.until(lambda: fleet.stored() == {"0": 0})
    process.close()
    fleet.cluster.send(readings(0, 3), at=time.time() - 5 * HOUR)
    again = fleet.start()
    again.until(lambda: again.new == devices(0, 3))


def test_what_retention_removed_is_told_and_the_rest_is_read(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    fleet.cluster.send(readings(0, 20), at=time.time())
    fleet.cluster.forget(0, before=12)
    fleet.store({"0": 5})
    process = fleet.start({"0": 3})
    process.until(lambda: len(process.new) == 8)
    assert (process.replayed, process.new) == ([], devices(12, 20))
    assert "partition 0: offset 5 is wanted, offsets 12 to 20 are there; going on from 12" in caplog.text


def test_a_topic_that_is_made_anew_meanwhile_is_read_from_its_beginning(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.cluster.send(readings(0, 5), at=time.time())
    process = fleet.start()
    process.until(lambda: len(process.new) == 5)
    fleet.cluster.delete_topic()
    fleet.cluster.create_topic(1)
    fleet.cluster.send(readings(5, 7), at=time.time())
    process.until(lambda: len(process.new) == 7)
    assert process.new == devices(0, 7)
    assert "partition 0: offset 5 is wanted, offsets 0 to 2 are there; going on from 0" in caplog.text
    assert fleet.stored() == {"0": 2}


def test_messages_that_wait_are_counted(fleet: Fleet) -> None:
    fleet.cluster.send(readings(0, 10), at=time.time())
    process = fleet.start(batch_readings=4)
    assert process.source.behind() == 0
    process.until(lambda: len(process.new) == 4)
    assert process.source.behind() == 6
    process.until(lambda: len(process.new) == 10)
    assert process.source.behind() == 0


def test_saved_positions_are_shown_to_kafka(fleet: Fleet) -> None:
    fleet.cluster.send(readings(0, 5), at=time.time())
    process = fleet.start()
    process.until(lambda: len(process.new) == 5)
    process.source.saved({"0": 4, "3": 9})
    process.close()
    with confluent_kafka.Consumer(
        {"bootstrap.servers": fleet.cluster.servers, "group.id": KafkaSettings().group}
    ) as tool:
        (committed,) = tool.committed([confluent_kafka.TopicPartition(TOPIC, 0)], timeout=PATIENCE)
    assert committed.offset == 4


def test_a_late_record_of_a_former_owner_does_not_move_a_position_back(fleet: Fleet) -> None:
    fleet.cluster.send(readings(0, 5), at=time.time())
    process = fleet.start()
    process.until(lambda: len(process.new) == 5)
    with fleet.operations.transaction() as connection:
        process.source.record(connection, Batch({"0": 3}, answered=False, deliveries={}), NOON)
    assert fleet.stored() == {"0": 5}


Script = Callable[[], tuple[dict[int, list[KafkaMessage]], list[int]]]


class ScriptedTopic:
    """Partitions that hold offsets 0 to 99 and come and go at moments that no cluster repeats."""

    def __init__(self) -> None:
        self.read_at: dict[int, int] = {}
        self.committed: dict[int, int] = {}
        self.events: list[Script] = []

    def join(self, on_assigned: Callable[[list[int]], None], on_lost: Callable[[list[int]], None]) -> None:
        self.assign, self.lose = on_assigned, on_lost

    def consume(self, *_: float) -> tuple[dict[int, list[KafkaMessage]], list[int]]:
        return self.events.pop(0)() if self.events else ({}, [])

    def held(self, _: int) -> tuple[int, int]:
        return 0, 100

    def times_of(self, _: dict[int, int]) -> dict[int, int]:
        return {}

    def offsets_at(self, moments: dict[int, int]) -> dict[int, int]:
        return dict.fromkeys(moments, 40)

    def read_from(self, offsets: dict[int, int]) -> None:
        self.read_at |= offsets

    def stop_reading(self, numbers: list[int]) -> None:
        for number in numbers:
            del self.read_at[number]

    def commit(self, offsets: dict[int, int]) -> None:
        self.committed = offsets

    def close(self) -> None:
        pass


@pytest.fixture
def scripted(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> tuple[Process, ScriptedTopic]:
    """A process that owns partitions 0 and 1, answered up to 60, with a checkpoint of both at 50."""
    topic = ScriptedTopic()
    monkeypatch.setattr(kafka, "KafkaTopic", lambda _: topic)
    fleet.store({"0": 60, "1": 60})
    process = fleet.start({"0": 50, "1": 50})
    topic.assign([0, 1])
    assert topic.read_at == {0: 50, 1: 50}
    return process, topic


def fetched(offset: int) -> list[KafkaMessage]:
    return [KafkaMessage(offset, reading(offset), None)]


def test_what_was_fetched_of_a_partition_that_is_lost_meanwhile_is_dropped(
    scripted: tuple[Process, ScriptedTopic],
) -> None:
    process, topic = scripted

    def lose_one() -> tuple[dict[int, list[KafkaMessage]], list[int]]:
        topic.lose([1])
        return {0: fetched(70), 1: fetched(80)}, [1]

    topic.events.append(lose_one)
    assert process.step() is None
    assert process.step() is not None
    assert (process.lost, process.new, process.positions) == (["1"], ["d70"], {"0": 71})
    process.source.saved({"0": 71, "1": 50})
    assert topic.committed == {0: 71}


def test_a_partition_that_is_lost_and_comes_back_at_once_is_forgotten_first_and_replayed_without_the_checkpoint(
    scripted: tuple[Process, ScriptedTopic],
) -> None:
    process, topic = scripted

    def lose_and_regain() -> tuple[dict[int, list[KafkaMessage]], list[int]]:
        topic.lose([1])
        topic.assign([1])
        return {1: fetched(40)}, []

    topic.events.append(lose_and_regain)
    assert process.step() is None
    assert (process.lost, process.replayed) == ([], [])
    assert process.step() is not None
    assert (process.lost, process.replayed) == (["1"], ["d40"])
    assert topic.read_at == {0: 50, 1: 40}


def test_a_partition_that_cannot_be_read_on_is_begun_again_where_the_state_ends(
    scripted: tuple[Process, ScriptedTopic],
) -> None:
    process, topic = scripted
    topic.events += [lambda: ({0: fetched(59)}, []), lambda: ({}, [0])]
    assert process.step() is not None
    assert process.step() is None
    assert topic.read_at == {0: 60, 1: 50}


def test_an_outage_is_waited_for_and_told_once(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fleet.cluster.send(readings(0, 5), at=time.time())
    process = fleet.start(client=QUICK | {"reconnect.backoff.max.ms": "100"})
    process.until(lambda: len(process.new) == 5)
    fleet.cluster.stop_broker()
    process.until(lambda: "waiting for it" in caplog.text)
    for _ in range(5):
        assert process.step() is None
    fleet.cluster.start_broker()
    fleet.cluster.send(readings(5, 8), at=time.time())
    process.until(lambda: process.new[5:] == devices(5, 8))
    assert caplog.text.count("waiting for it") == 1
    assert "Kafka answers again" in caplog.text


def test_a_store_that_cannot_be_read_is_named_and_the_group_is_left(fleet: Fleet) -> None:
    process = fleet.start()
    Path(fleet.operations.url.removeprefix("sqlite:///")).write_bytes(b"no database" * 1000)
    with pytest.raises(FridgeError, match="is not a SQLite database"):
        process.until(lambda: False)
    process.close()


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.1, 0.2])
def test_the_group_can_be_left_while_it_is_being_joined(fleet: Fleet, pause: float) -> None:
    process = fleet.start()
    time.sleep(pause)
    process.close()


def test_a_missing_topic_is_named(fleet: Fleet) -> None:
    with pytest.raises(FridgeError, match=r"does not offer the topic readngs: .*Create it .* FRIDGE_KAFKA__TOPIC"):
        fleet.start(topic="readngs")


def test_servers_that_do_not_answer_are_named_with_the_reason(fleet: Fleet) -> None:
    began = time.monotonic()
    with pytest.raises(FridgeError, match=r"127\.0\.0\.1:1 does not answer within 0\.5 s: .*Connection refused"):
        fleet.start(bootstrap_servers="127.0.0.1:1", answer_within=timedelta(seconds=0.5))
    assert time.monotonic() - began < 5


def test_a_setting_that_the_client_does_not_know_is_named(fleet: Fleet) -> None:
    with pytest.raises(FridgeError, match=r"sasl\.pasword.*FRIDGE_KAFKA__CLIENT"):
        fleet.start(client={"sasl.pasword": "x"})


def test_without_the_client_library_it_says_how_to_get_it(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(FridgeError, match=r"pip install 'fridge-assets\[kafka\]'"):
        fleet.start()

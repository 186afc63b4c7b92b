"""The MQTT source against a real broker: nothing is lost at a kill, and what cannot be read harms nothing else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.ingest import ingest
from fridge_assets.settings import MqttSettings, ReadingSettings, Settings, StreamingSettings
from fridge_assets.sources.saved import save_source
from fridge_assets.sources.source import Source
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.sources.mqtt import MqttSource
from fridge_assets_tests.readings.deliveries import stored_readings
from fridge_assets_tests.streaming.mqtt_broker import PASSWORD, PATIENCE, USER, Broker, write_certificate

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
READINGS = Source.model_validate(
    {
        "format": "jsonl",
        "topics": ["stores/+/state"],
        "columns": {"mqtt_topic": "device_id", "ts": "timestamp_device", "evap": "temperature_evaporator"},
        "pattern": "stores/(?P<device>[^/]+)/state",
    }
)
VALUES = Source.model_validate(
    {
        "format": "jsonl",
        "shape": "long",
        "topics": ["stores/+/sensor/+"],
        "tag_column": "mqtt_topic",
        "value_column": "value",
        "pattern": "stores/(?P<device>[^/]+)/sensor/(?P<tag>.+)",
        "tags": {"evap": "temperature_evaporator", "amps": "current_compressor"},
        "time": {"columns": ["mqtt_received_at"]},
        "align_seconds": 60,
    }
)


def settings_of(folder: Path, port: int, **mqtt: object) -> Settings:
    often = timedelta(milliseconds=100)
    defaults = {"host": "127.0.0.1", "port": port, "file_every": timedelta(milliseconds=200)}
    defaults |= {"username": USER, "password": PASSWORD}
    return Settings(
        data_dir=folder / "data",
        readings=ReadingSettings(settle=timedelta(0)),
        streaming=StreamingSettings(poll=timedelta(milliseconds=20), reload_every=often),
        mqtt=MqttSettings.model_validate(defaults | {"answer_within": timedelta(seconds=5)} | mqtt),
    )


def state(device: str, minute: int = 0, **changes: object) -> tuple[str, str]:
    reading = {"ts": (NOON + timedelta(minutes=minute)).isoformat(), "evap": -20.5}
    return f"stores/{device}/state", json.dumps(reading | changes)


class Process:
    """A stream reduced to its source: takes batches, notes what came, and records it."""

    def __init__(self, settings: Settings) -> None:
        operations = Operations(settings.operations_database)
        operations.migrate()
        self.source = MqttSource(Landing(settings.landing_dir, operations), operations, settings)
        self.operations = operations
        self.engine = duckdb.connect()
        self.usable: list[tuple[str, object]] = []
        self.unusable: list[tuple[str, str]] = []
        self.source.resume(None)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, (self.usable, self.unusable)
            batch = self.source.poll(self.engine)
            if batch is None:
                time.sleep(0.02)
                continue
            rows = self.engine.execute(
                "SELECT device_id, temperature_evaporator, reason, raw FROM staged ORDER BY rowid"
            ).fetchall()
            if not batch.answered:
                self.usable += [(device, value) for device, value, reason, _ in rows if reason is None]
                self.unusable += [(reason, raw) for _, _, reason, raw in rows if reason is not None]
            with self.operations.transaction() as connection:
                self.source.record(connection, batch, NOON)

    def close(self) -> None:
        self.source.close()
        self.engine.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def settings(tmp_path: Path, broker: Broker) -> Settings:
    settings = settings_of(tmp_path, broker.port)
    save_source(settings.sources_dir, "store-7", READINGS)
    return settings


@pytest.fixture
def process(settings: Settings) -> Iterator[Process]:
    process = Process(settings)
    yield process
    process.close()


def test_messages_become_readings_of_the_stream_and_of_ingestion(
    broker: Broker, settings: Settings, process: Process
) -> None:
    broker.publish(state(f"freezer-{number}") for number in range(5))
    process.until(lambda: len(process.usable) == 5)
    assert process.usable[0] == ("freezer-0", -20.5)
    assert process.source.behind() == 0
    warehouse = Warehouse.from_settings(settings)
    report = ingest(Landing(settings.landing_dir, process.operations), warehouse, None, NOON, settings)
    assert (report.clean, report.refused) == (5, {})
    assert sorted(stored_readings(warehouse)["device_id"]) == [f"freezer-{number}" for number in range(5)]


def test_values_that_have_our_names_need_not_be_mapped(broker: Broker, settings: Settings, process: Process) -> None:
    broker.publish([state("freezer-1", pressure_low_side=201.5, door_open_close=True, event_id="e-1")])
    process.until(lambda: len(process.usable) == 1)
    warehouse = Warehouse.from_settings(settings)
    ingest(Landing(settings.landing_dir, process.operations), warehouse, None, NOON, settings)
    (reading,) = stored_readings(warehouse).to_dict("records")
    assert (reading["pressure_low_side"], reading["door_open_close"], reading["event_id"]) == (201.5, True, "e-1")


def test_what_cannot_be_read_is_set_aside_and_harms_nothing_else(broker: Broker, process: Process) -> None:
    bad = [
        "no JSON",
        b"\xff\xfe",
        "[1, 2]",
        '{"ts": "2026-06-01T12:00:00Z", "evap": "warm"}',
        '{"evap": -20}',
        "{" * 99,
    ]
    broker.publish([(state("x")[0], payload) for payload in bad] + [state("freezer-1")])
    process.until(lambda: bool(process.usable) and len(process.unusable) >= 7)
    assert process.usable == [("freezer-1", -20.5)]
    reasons = [reason for reason, _ in process.unusable]
    assert sorted(set(reasons)) == ["ROW_MALFORMED", "TIMESTAMP_MISSING", "VALUE_UNREADABLE"]
    assert any("no JSON" in raw for _, raw in process.unusable)


def test_a_file_of_nothing_but_unreadable_messages_is_set_aside_row_by_row(broker: Broker, process: Process) -> None:
    broker.publish([(state("x")[0], "no JSON")])
    process.until(lambda: bool(process.unusable))
    assert process.unusable[0][0] == "ROW_MALFORMED"


def test_what_comes_while_no_stream_runs_waits_at_the_broker(broker: Broker, settings: Settings) -> None:
    first = Process(settings)
    first.close()
    broker.publish([state("freezer-1"), state("freezer-2")])
    second = Process(settings)
    second.until(lambda: len(second.usable) == 2)
    second.close()


STREAM = [sys.executable, "-c", "from fridge_assets.cli import main; main()"]


def test_a_stream_that_is_killed_in_the_middle_loses_nothing(
    broker: Broker, settings: Settings, tmp_path: Path
) -> None:
    environment = os.environ | {
        "FRIDGE_DATA_DIR": str(settings.root),
        "FRIDGE_MQTT__HOST": "127.0.0.1",
        "FRIDGE_MQTT__PORT": str(broker.port),
        "FRIDGE_MQTT__USERNAME": USER,
        "FRIDGE_MQTT__PASSWORD": PASSWORD,
        "FRIDGE_MQTT__FILE_EVERY": "PT0.2S",
        "FRIDGE_STREAMING__PORT": "0",
    }
    log = tmp_path / "stream.log"
    with log.open("ab") as output:
        stream = subprocess.Popen([*STREAM, "stream"], env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: "MQTT: reading stores/+/state" in log.read_text(), log)
        for round_ in range(4):
            broker.publish(state(f"freezer-{number}", round_) for number in range(50))
            if round_ == 1:
                wait_for(lambda: any((settings.landing_dir / "store-7").glob("*mqtt-*")), log)
                stream.send_signal(signal.SIGKILL)
                stream.wait(PATIENCE)
    finally:
        stream.kill()
        stream.wait(PATIENCE)
    process = Process(settings)
    ended = time.monotonic() + PATIENCE
    warehouse = Warehouse.from_settings(settings)
    report_clean = 0
    while report_clean < 200 and time.monotonic() < ended:
        process.until(lambda: process.source.behind() == 0)
        report_clean += ingest(Landing(settings.landing_dir, process.operations), warehouse, None, NOON, settings).clean
    process.close()
    stored = stored_readings(warehouse)
    assert len(stored) == 200, "each once: none is lost, and what came twice is recognised"
    assert stored[["device_id", "timestamp_utc"]].drop_duplicates().shape[0] == 200


def wait_for(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def test_the_connection_is_made_again_when_the_broker_was_away(
    broker: Broker, process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    broker.publish([state("freezer-1")])
    process.until(lambda: len(process.usable) == 1)
    broker.stop()
    process.until(lambda: "trying again" in caplog.text)
    with caplog.at_level("INFO"):
        broker.start()
        process.until(lambda: "MQTT: reading stores/+/state" in caplog.text)
    broker.publish([state("freezer-1", 1)])
    process.until(lambda: len(process.usable) == 2)


def test_values_of_one_span_are_one_reading_however_many_files_are_made(broker: Broker, settings: Settings) -> None:
    save_source(settings.sources_dir, "values", VALUES)
    process = Process(settings)
    broker.publish([("stores/f1/sensor/evap", "-20.5"), ("stores/f1/sensor/amps", "12"), ("stores/f1/sensor/x", "1")])
    wait_for(lambda: process.source.behind() == 3, Path(os.devnull))
    process.close()
    growing = list((settings.landing_dir / "values").iterdir())
    assert len(growing) == 1
    assert growing[0].name.startswith("."), "a span that goes on is written on at the next start"
    whole = growing[0].with_name(growing[0].name[1:])
    growing[0].rename(whole)
    warehouse = Warehouse.from_settings(settings)
    ingest(Landing(settings.landing_dir, process.operations), warehouse, None, datetime.now(UTC), settings)
    stored = stored_readings(warehouse)
    assert stored["device_id"].tolist() == ["f1"]
    assert stored[["temperature_evaporator", "current_compressor"]].to_numpy().tolist() == [[-20.5, 12.0]]


def test_a_value_that_the_broker_has_kept_is_no_reading_of_now(broker: Broker, settings: Settings) -> None:
    broker.publish([("stores/f1/sensor/evap", "-20.5"), state("freezer-1")], retain=True)
    save_source(settings.sources_dir, "values", VALUES)
    process = Process(settings)
    process.until(lambda: process.usable == [("freezer-1", -20.5)])
    broker.publish([("stores/f1/sensor/amps", "12")])
    wait_for(lambda: process.source.behind() > 0, Path(os.devnull))
    process.close()
    (growing,) = (settings.landing_dir / "values").iterdir()
    assert [json.loads(line)["value"] for line in growing.read_text().splitlines()] == ["12"]


def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(
    broker: Broker, settings: Settings, process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = settings.landing_dir / "store-7"
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.touch()
    broker.publish([state("freezer-1")])
    process.until(lambda: "cannot be written" in caplog.text)
    in_the_way.unlink()
    process.until(lambda: process.usable == [("freezer-1", -20.5)])


def test_a_source_that_is_added_meanwhile_is_read_too(broker: Broker, settings: Settings, process: Process) -> None:
    lines = Source.model_validate(
        {
            "format": "line_protocol",
            "topics": ["telegraf/#"],
            "columns": {"host": "device_id", "evap": "temperature_evaporator"},
            "time": {"columns": ["time"], "format": "epoch_ns"},
        }
    )
    save_source(settings.sources_dir, "telegraf", lines)
    moment = int(NOON.timestamp())

    def sent() -> bool:
        broker.publish([("telegraf/a b", f"fridge,host=case\\ 1 evap=-19.5 {moment}000000000\n# comment\n")])
        return ("case 1", -19.5) in process.usable

    process.until(sent)


def test_a_broker_that_is_not_there_is_said_with_its_address(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 9, answer_within=timedelta(milliseconds=300))
    save_source(settings.sources_dir, "store-7", READINGS)
    with pytest.raises(
        FridgeError, match=r"the MQTT broker at 127\.0\.0\.1:9 does not answer within 0\.3 s: .*refused"
    ):
        Process(settings)


def test_without_a_source_that_has_topics_the_command_for_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(FridgeError, match=r"says which topics of the MQTT broker are read\. Make one: fridge-assets"):
        Process(settings_of(tmp_path, 9))


def test_a_wrong_password_ends_it_at_once_and_is_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Broker(tmp_path) as broker, caplog.at_level("DEBUG"):
        settings = settings_of(tmp_path, broker.port, password=SecretStr("hunter2"))
        save_source(settings.sources_dir, "store-7", READINGS)
        with pytest.raises(FridgeError, match=r"refuses the connection: .*Check FRIDGE_MQTT__USERNAME") as refusal:
            Process(settings)
        assert "hunter2" not in str(refusal.value) + caplog.text
    assert "the password is sent in plain text" in caplog.text


# The client library leaves the socket of a handshake that fails to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_an_encrypted_connection_checks_the_certificate_of_the_broker(tmp_path: Path) -> None:
    certificate = tmp_path / "broker.pem"
    write_certificate(certificate)
    with Broker(tmp_path, certificate=certificate) as broker:
        settings = settings_of(tmp_path, broker.port, ca_file=str(certificate))
        save_source(settings.sources_dir, "store-7", READINGS)
        Process(settings).close()
        stranger = settings_of(tmp_path, broker.port, tls=True, answer_within=timedelta(milliseconds=500))
        with pytest.raises(FridgeError, match="certificate verify failed"):
            Process(stranger)

"""`sources add --topic` listens to a broker and proposes how its messages are read."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fridge_assets.sources.saved import read_source
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.streaming.mqtt_broker import PASSWORD, USER, Broker

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        for name, value in (("HOST", "127.0.0.1"), ("PORT", broker.port), ("USERNAME", USER), ("PASSWORD", PASSWORD)):
            monkeypatch.setenv(f"FRIDGE_MQTT__{name}", str(value))
        yield broker


@pytest.fixture
def sent(broker: Broker) -> Iterator[list[tuple[str, str]]]:
    """Messages that are published again and again, as gateways do."""
    messages: list[tuple[str, str]] = []
    ended = threading.Event()

    def publish() -> None:
        while not ended.wait(0.3):
            broker.publish(messages)

    thread = threading.Thread(target=publish)
    thread.start()
    yield messages
    ended.set()
    thread.join()


def test_objects_of_a_topic_for_each_device(tmp_path: Path, sent: list[tuple[str, str]]) -> None:
    reading = {"ts": NOON.isoformat(), "evap_temp": -20.5, "compressor_current": 12}
    sent += [(f"stores/f{n}/state", json.dumps(reading)) for n in (1, 2)]
    code, said, error = typed(tmp_path / "data", "sources", "add", "s", "--topic", "stores/+/state", "--listen", "2")
    assert (code, error) == (0, "")
    assert "of 2 topics came" in said
    assert "is f1; see pattern" in said or "is f2; see pattern" in said
    source = read_source(tmp_path / "data" / "sources", "s")
    assert source.topics == ("stores/+/state",)
    assert source.pattern == "stores/(?P<device>[^/]+)/state"
    assert source.columns == {
        "mqtt_topic": "device_id", "mqtt_received_at": "timestamp_ingested",
        "evap_temp": "temperature_evaporator", "compressor_current": "current_compressor",
    }  # fmt: skip


def test_single_values_are_asked_about_until_they_are_readings(tmp_path: Path, sent: list[tuple[str, str]]) -> None:
    sent += [("stores/f1/evap", "-20.5"), ("stores/f1/compressor_current", "12"), ("stores/f1/rssi", "-70")]
    add = ("sources", "add", "s", "--topic", "stores/+/+", "--listen", "1")
    code, _, error = typed(tmp_path / "data", *add)
    assert code == 1
    assert "--pattern: which part of topics such as stores/f1/" in error
    assert "--align: values come one by one" in error
    pattern = "stores/(?P<device>[^/]+)/(?P<tag>.+)"
    code, said, error = typed(tmp_path / "data", *add, "--pattern", pattern, "--align", "60")
    assert (code, error) == (0, "")
    assert "not read: rssi" in said
    source = read_source(tmp_path / "data" / "sources", "s")
    assert {tag: meant.sensor for tag, meant in source.tags.items()} == {
        "evap": "temperature_evaporator",
        "compressor_current": "current_compressor",
    }
    assert source.time.columns == ("mqtt_received_at",)


def test_what_is_missing_is_said(tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    data, add = tmp_path / "data", ("sources", "add", "s")
    assert "Give files of it, or --topic" in refused(data, *add)
    assert "no message of stores/# came within 1 s" in refused(data, *add, "--topic", "stores/#", "--listen", "1")
    assert "--topic a/#/b: it is no topic" in refused(data, *add, "--topic", "a/#/b")
    monkeypatch.setenv("FRIDGE_MQTT__PASSWORD", "hunter2")
    said = refused(data, *add, "--topic", "stores/#", "--listen", "1")
    assert "refuses the connection" in said
    assert "hunter2" not in said
    broker.stop()
    assert f"no connection to the MQTT broker at 127.0.0.1:{broker.port}" in refused(data, *add, "--topic", "a")
    monkeypatch.delenv("FRIDGE_MQTT__HOST")
    assert "Set FRIDGE_MQTT__HOST" in refused(data, *add, "--topic", "stores/#")

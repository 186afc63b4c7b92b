"""The streaming process as a whole, without Dagster: from a landing file to Slack (SPEC 5)."""

import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import NotificationSettings, ReadingSettings, Settings, StreamingSettings
from fridge_assets.simulation import Fleet, simulate_registry, write_fleet
from fridge_assets.simulation.faults import FaultShare
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations, device_alerts, outbox, stream_files, stream_status
from fridge_assets.streaming.checkpoint import Checkpoint
from fridge_assets.streaming.engine import Engine
from fridge_assets.streaming.metrics import StatusServer, StreamMetrics
from fridge_assets.streaming.service import StreamService
from fridge_assets.streaming.sources.landing import LandingSource
from fridge_assets_tests.notifications.slack_server import BROKEN_BEFORE, TOKEN, SlackServer
from fridge_assets_tests.streaming.landing_rows import land
from fridge_assets_tests.streaming.reading_rows import MINUTE, START, Row

ACUTE = ("compressor_overload", "vibration_spike", "rapid_pressure_loss", "total_cooling_loss")
SOON = 20.0
"""Seconds after which what has not happened never will."""


@pytest.fixture
def quick(tmp_path: Path) -> Settings:
    """Settings of a stream that looks after everything several times a second."""
    often = timedelta(milliseconds=100)
    return Settings(
        data_dir=tmp_path / "data",
        readings=ReadingSettings(settle=timedelta(0)),
        streaming=StreamingSettings(
            port=0, threads=1, poll=timedelta(milliseconds=20), reload_every=often, heartbeat_every=often
        ),
    )


def lost_pressure(minute: int) -> list[Row]:
    """Three readings in a row that are far below 200 kPa also for a device in its first hour."""
    return [Row(START + (minute + n) * MINUTE, pressure_low_side=40.0) for n in range(3)]


def service_of(settings: Settings, instance: str = "test") -> StreamService:
    operations = Operations(settings.operations_database)
    source = LandingSource(Landing(settings.landing_dir, operations), operations, settings)
    return StreamService(settings, operations, source, instance=instance)


@contextmanager
def streaming(settings: Settings) -> Iterator[StreamService]:
    """A stream that runs for the length of the block, and ends well with it."""
    service, stop = service_of(settings), threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            service.run(stop)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield service
    finally:
        stop.set()
        thread.join(SOON)
    assert not thread.is_alive()
    assert not errors


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def alerts(settings: Settings) -> list[tuple[str, str]]:
    with Operations(settings.operations_database).read() as connection:
        columns = device_alerts.c
        query = sa.select(columns.device_id, columns.model_id).order_by(columns.alert_created_at, columns.device_id)
        return [(device, model) for device, model in connection.execute(query)]


def taken(settings: Settings) -> int:
    with Operations(settings.operations_database).read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(stream_files)) or 0


def write_registry(settings: Settings, *lines: str, header: str = "device_id,site_id,current_threshold") -> None:
    settings.root.mkdir(parents=True, exist_ok=True)
    (settings.root / "device_registry.csv").write_text("\n".join([header, *lines]) + "\n")


def test_an_acute_failure_reaches_slack_while_slack_fails_at_first(quick: Settings) -> None:
    with SlackServer() as slack:
        slack.then(BROKEN_BEFORE)
        told = NotificationSettings(
            token=SecretStr(TOKEN), api_url=slack.url, first_retry=timedelta(seconds=0.2), pause_between=timedelta(0)
        )
        write_registry(quick, "d1,cold store")
        with streaming(quick.model_copy(update={"notifications": told})):
            land(quick, [Row(datetime.now(UTC) - MINUTE, current_compressor=45.0)], "a.parquet")
            until(lambda: slack.posts)
    (post,) = slack.posts
    assert post.channel == "#fridge-on-call"
    assert post.text.startswith("CRITICAL: d1 in cold store: Compressor overload")


def test_every_acute_fault_of_the_simulator_reaches_slack_within_two_minutes(quick: Settings) -> None:
    end = START + timedelta(hours=3)
    faults = [FaultShare(fault, 0.05) for fault in ACUTE]
    registry = simulate_registry(60, 9)
    registry["site_id"] = "store of " + registry["device_id"]  # many at one site would be one message
    fleet = Fleet(registry, 9, START, end, faults)
    ever = quick.streaming.model_copy(update={"told_within": timedelta(days=36_500)})
    singly = quick.alerts.model_copy(update={"single_messages": 100})
    with SlackServer() as slack:
        told = NotificationSettings(token=SecretStr(TOKEN), api_url=slack.url, pause_between=timedelta(0))
        with streaming(quick.model_copy(update={"notifications": told, "streaming": ever, "alerts": singly})):
            root = quick.root
            began = time.monotonic()
            write_fleet(fleet, quick.landing_dir, root / "device_registry.csv", root / "truth.parquet")
            faulty = set(fleet.ground_truth["device_id"])
            until(lambda: devices_told(slack) >= faulty)
            assert time.monotonic() - began < 120
    assert len(faulty) == 12
    assert devices_told(slack) == faulty


def devices_told(slack: SlackServer) -> set[str]:
    """The devices that posts begin with, after how urgent it is and why it is told."""
    return {post.text.split(": ")[1].split(" in ")[0] for post in slack.posts}


def test_a_threshold_edited_in_the_registry_acts_without_a_restart_and_the_state_is_kept(quick: Settings) -> None:
    write_registry(quick, "d1,s1,", "d2,s1,")
    pressure = [Row(START + n * MINUTE, pressure_low_side=200.0 - 12 * n) for n in range(4)]
    with streaming(quick):
        land(quick, [*pressure, Row(START, "d2", current_compressor=30.0)], "a.parquet")
        until(lambda: taken(quick) == 1)
        assert alerts(quick) == []
        write_registry(quick, "d1,s1,", "d2,s1,25")
        now = datetime.now(UTC) + timedelta(seconds=5)  # the change counts from the moment that it is seen
        time.sleep(1)
        land(quick, [Row(now, "d2", current_compressor=30.0)], "b.parquet")
        until(lambda: alerts(quick) == [("d2", "streaming_compressor_overload")])
        land(quick, lost_pressure(4), "c.parquet")
        until(lambda: ("d1", "streaming_acute_pressure_loss") in alerts(quick))


def test_unusable_readings_go_to_the_dead_letters_and_stop_nothing(quick: Settings) -> None:
    write_registry(quick, "d1,s1,")
    quick.landing_dir.mkdir(parents=True)
    (quick.landing_dir / "a.jsonl").write_text(
        "\n".join(
            [
                '{"device_id": "d1", "timestamp": "2026-03-01T00:00:00Z", "current_compressor": "many"}',
                "{broken",
                '{"device_id": "stranger", "timestamp": "2026-03-01T00:00:00Z", "current_compressor": 45}',
                '{"device_id": "d1", "timestamp": "2026-03-01T00:00:00Z", "current_compressor": 45}',
            ]
        )
    )
    (quick.landing_dir / "b.csv").write_text("what,is,this\n1,2,3\n")
    with streaming(quick):
        until(lambda: taken(quick) == 2)
    assert alerts(quick) == [("d1", "streaming_compressor_overload")]
    (file,) = (quick.streaming_dir / "dead_letters").iterdir()
    letters = [json.loads(line) for line in file.read_text().splitlines()]
    assert {(letter["delivery"], letter["row"], letter["reason"]) for letter in letters} == {
        ("b.csv", 0, "DELIVERY_REFUSED"),
        ("a.jsonl", 1, "VALUE_UNREADABLE"),
        ("a.jsonl", 2, "ROW_MALFORMED"),
        ("a.jsonl", 3, "DEVICE_UNKNOWN"),
    }
    assert all(letter["detail"] for letter in letters)


def test_a_registry_that_cannot_be_read_changes_nothing_and_is_shown(quick: Settings) -> None:
    write_registry(quick, "d1,s1,35")
    with streaming(quick) as service:
        until((quick.streaming_dir / "lock").exists)
        land(quick, [Row(START)], "a.parquet")
        until(lambda: taken(quick) == 1)
        write_registry(quick, "d1,s1,many")
        until(lambda: "registry" in service.problems())
        assert "current_threshold is 'many'" in service.problems()["registry"]
        land(quick, [Row(START + MINUTE, current_compressor=36.0)], "b.parquet")
        until(lambda: alerts(quick))
        write_registry(quick, "d1,s1,35")
        until(lambda: not service.problems())


def test_a_current_beyond_its_plausible_range_is_an_overload_and_an_impossible_one_is_none(quick: Settings) -> None:
    with streaming(quick):
        until((quick.streaming_dir / "lock").exists)
        land(quick, [Row(START, "broken", current_compressor=1e9)], "a.parquet")
        land(quick, [Row(START, "overloaded", current_compressor=60.0)], "b.parquet")
        until(lambda: taken(quick) == 2)
        until(lambda: alerts(quick))
    assert {device for device, _ in alerts(quick)} == {"overloaded"}


def test_ranges_that_cannot_be_read_change_nothing_and_are_shown_until_they_can(quick: Settings) -> None:
    quick.root.mkdir(parents=True, exist_ok=True)
    ranges = quick.root / "sensor_ranges.toml"
    ranges.write_text("[default.plausible]\ncurrent_compressor = [0, 80]\n")
    with streaming(quick) as service:
        until((quick.streaming_dir / "lock").exists)
        ranges.write_text("[default.plausible]\ncurrent = [0, 80]\n")
        until(lambda: "registry" in service.problems())
        assert "no numeric sensor 'current'" in service.problems()["registry"]
        ranges.write_text("[default.plausible]\ncurrent_compressor = [0, 90]\n")
        until(lambda: not service.problems())


def test_operations_that_cannot_be_written_are_waited_for_and_nothing_is_lost(quick: Settings) -> None:
    often = quick.streaming.model_copy(update={"checkpoint_every": timedelta(milliseconds=1)})
    waiting = quick.model_copy(update={"streaming": often})
    operations = Operations(waiting.operations_database, timedelta(seconds=0.1))
    source = LandingSource(Landing(waiting.landing_dir, operations), operations, waiting)
    service, stop = StreamService(waiting, operations, source, instance="test"), threading.Event()
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    try:
        land(quick, [Row(START)], "a.parquet")
        until(lambda: taken(quick) == 1)
        with Operations(quick.operations_database).transaction():
            land(quick, [Row(START + MINUTE, current_compressor=45.0)], "b.parquet")
            until(lambda: "store" in service.problems())
            time.sleep(2)  # it is tried again, and everything is looked after meanwhile
            saved = Engine(often, threads=1)
            assert Checkpoint(quick.streaming_dir / "checkpoint.duckdb", often).load(saved, "landing") == {"": 1}
            assert saved.rows()["open_onsets"] == 0, "a process that went on from here would not tell of it"
        until(lambda: alerts(quick))
        until(lambda: not service.problems())
    finally:
        stop.set()
        thread.join(SOON)
    assert alerts(quick) == [("d1", "streaming_compressor_overload")]


def test_a_graceful_end_saves_the_state_and_the_next_process_goes_on(quick: Settings) -> None:
    rows = [Row(START + n * MINUTE, pressure_low_side=200.0 - 12 * n) for n in range(4)]
    with streaming(quick):
        land(quick, rows, "a.parquet")
        until(lambda: taken(quick) == 1)
    (quick.landing_dir / "a.parquet").unlink()  # the state is all there is
    land(quick, lost_pressure(4), "b.parquet")
    status = service_of(quick, "second").run(threading.Event(), until_idle=True)
    assert (status.readings, status.alerts) == (3, 1)
    assert alerts(quick) == [("d1", "streaming_acute_pressure_loss")]
    with Operations(quick.operations_database).read() as connection:
        stopped = dict(connection.execute(sa.select(stream_status.c.instance, stream_status.c.stopped_at)).all())
    assert stopped.keys() == {"test", "second"}
    assert all(stopped.values())


def test_a_registry_that_is_still_being_written_loses_no_reading(quick: Settings) -> None:
    write_registry(quick, "d1,s1,", "d2,s1,")
    with streaming(quick):
        land(quick, [Row(START)], "a.parquet")
        until(lambda: taken(quick) == 1)
        write_registry(quick, "d1,s1,")
        write_registry(quick, "d1,s1,", "d2,s1,", "d3,s1,")
        time.sleep(1)
        land(quick, [Row(START, device, current_compressor=45.0) for device in ("d2", "d3")], "b.parquet")
        until(lambda: len(alerts(quick)) == 2)


def test_history_that_is_delivered_is_stored_and_told_to_nobody(quick: Settings) -> None:
    with streaming(quick):
        land(quick, [Row(START, current_compressor=45.0)], "a.parquet")
        until(lambda: alerts(quick))
    with Operations(quick.operations_database).read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(outbox)) == 0


def test_a_clock_that_is_ahead_is_not_believed_beyond_the_arrival_of_its_file(quick: Settings) -> None:
    ahead, right = datetime.now(UTC) + timedelta(hours=20), datetime.now(UTC)
    quick.landing_dir.mkdir(parents=True)
    header = "device_id,timestamp,current_compressor\n"
    with streaming(quick):
        (quick.landing_dir / "a.csv").write_text(f"{header}d1,{ahead.isoformat()},12\n")
        until(lambda: taken(quick) == 1)
        (quick.landing_dir / "b.csv").write_text(f"{header}d1,{right.isoformat()},45\n")
        until(lambda: alerts(quick))


def test_a_checkpoint_that_cannot_be_written_is_a_problem_and_no_end(quick: Settings) -> None:
    often = quick.model_copy(
        update={"streaming": quick.streaming.model_copy(update={"checkpoint_every": timedelta(milliseconds=50)})}
    )
    (quick.streaming_dir / "checkpoint.duckdb" / "in the way").mkdir(parents=True)
    with streaming(often) as service:
        until(lambda: "checkpoint" in service.problems())
        land(quick, [Row(START, current_compressor=45.0)], "a.parquet")
        until(lambda: alerts(quick))


def test_a_second_stream_on_one_folder_is_refused(quick: Settings) -> None:
    with streaming(quick):
        until((quick.streaming_dir / "lock").exists)
        time.sleep(0.2)
        with pytest.raises(FridgeError, match="another stream works on"):
            service_of(quick).run(threading.Event(), until_idle=True)


def test_health_and_metrics_answer(quick: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fridge_assets")
    with streaming(quick) as service:
        until(lambda: "/healthz" in caplog.text)
        url = caplog.text.split("http", 1)[1].split("/healthz", 1)[0]
        land(quick, [Row(START, current_compressor=45.0), Row(START, current_compressor=45.0)], "a.parquet")
        until(lambda: taken(quick) == 1)
        until(lambda: service.metrics.heartbeat._value.get() > 0)
        metrics = read(f"http{url}/metrics")
        assert 'fridge_stream_onsets_total{rule="compressor_overload"} 1.0' in metrics
        assert 'fridge_stream_onsets_total{rule="vibration_spike"} 0.0' in metrics
        assert "fridge_stream_readings_total 2.0" in metrics
        assert "fridge_stream_repeated_readings_total 1.0" in metrics
        assert json.loads(read(f"http{url}/healthz")) == {"healthy": True, "problems": {}}
        with pytest.raises(urllib.error.HTTPError, match="404"):
            read(f"http{url}/")


def test_an_unhealthy_process_answers_503_with_what_is_wrong() -> None:
    server = StatusServer("127.0.0.1", 0, StreamMetrics(), lambda: {"loop": "no progress for 99 s"})
    try:
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            read(f"{server.url}/healthz")
        assert json.load(caught.value)["problems"] == {"loop": "no progress for 99 s"}
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(FridgeError, match="cannot be listened on"):
            StatusServer("127.0.0.1", port, StreamMetrics(), dict)
    finally:
        server.close()


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())

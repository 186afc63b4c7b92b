"""The stream in the graph: its pulse is reported while it beats, and its freshness is told when it stops (SPEC 5)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from fridge_assets.definitions import build_definitions
from fridge_assets.running.instance import open_instance
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.streaming.status import StreamStatus, beat
from fridge_assets.telling.messages import tell_freshness
from fridge_assets_tests.conftest import settings_of
from fridge_assets_tests.environment import put_back
from fridge_assets_tests.notifications.given import stored
from fridge_assets_tests.telling.graph import ROUTES

ASSET = dg.AssetKey("streaming_alerts")
SECOND = timedelta(seconds=1)


class Stream:
    """A data folder whose sensor is ticked, as the daemon does, at moments that the test chooses."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.operations = Operations(settings.operations_database)
        self._settings = settings
        self._repository = build_definitions(settings).get_repository_def()
        self._instance = instance
        self._cursor: str | None = None

    def beats(self, at: datetime, **more: object) -> None:
        status = StreamStatus("fridge/7", "landing", at - timedelta(hours=1), at)
        with self.operations.transaction() as connection:
            beat(connection, replace(status, **more))  # type: ignore[arg-type]

    def tick(self) -> dict[str, object] | str:
        """What the sensor reports, or why it does not."""
        resources = {"settings": self._settings, "operations": self.operations}
        with dg.build_sensor_context(
            instance=self._instance, cursor=self._cursor, repository_def=self._repository, resources=resources
        ) as context:
            data = self._repository.get_sensor_def("report_stream").evaluate_tick(context)
        self._cursor = data.cursor
        for event in data.asset_events:
            self._instance.report_runless_asset_event(event)
        if not data.asset_events:
            return data.skip_message or ""
        newest = self._instance.fetch_materializations(ASSET, limit=1).records[0].asset_materialization
        assert newest is not None
        return {name: value.value for name, value in newest.metadata.items()}

    def reports(self) -> int:
        return len(self._instance.fetch_materializations(ASSET, limit=100).records)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with pytest.MonkeyPatch.context() as patch:
        put_back(patch)
        with open_instance(settings_of(tmp_path_factory.mktemp("dagster"))) as instance:
            yield instance


@pytest.fixture
def stream(tmp_path: Path, instance: dg.DagsterInstance) -> Stream:
    instance.wipe_assets([ASSET])
    return Stream(settings_of(tmp_path), instance)


def test_where_no_stream_ever_ran_nothing_is_reported_and_nobody_is_told(stream: Stream) -> None:
    assert stream.tick() == "no streaming process is alive"
    assert stream.reports() == 0
    now = datetime.now(UTC)
    for state in ("UNKNOWN", "UNKNOWN"):
        with stream.operations.transaction() as connection:
            tell_freshness(connection, {"streaming_alerts": state}, now, timedelta(0), ROUTES)
    assert stored(stream.operations) == {}


def test_a_pulse_is_reported_with_lag_and_counts(stream: Stream) -> None:
    now = datetime.now(UTC)
    newest = now - 90 * SECOND
    stream.beats(
        now, newest_reading_at=newest, lag_seconds=90.5, behind=2, readings=1000, alerts=3, too_late=4, unusable=5
    )
    assert stream.tick() == {
        "lag seconds": 90.5,
        "newest reading": newest.isoformat(),
        "behind": 2,
        "readings": 1000,
        "alerts": 3,
        "too late": 4,
        "unusable": 5,
        "alive since": (now - timedelta(hours=1)).isoformat(),
        "processes alive": 1,
    }


def test_several_processes_are_reported_as_one_stream(stream: Stream) -> None:
    now = datetime.now(UTC)
    for number, lag in ((1, 7.0), (2, 9.0)):
        stream.beats(now - number * SECOND, instance=f"fridge/{number}", lag_seconds=lag, readings=10, alerts=number)
    stream.beats(now - timedelta(minutes=5), instance="fridge/3", lag_seconds=99.0, readings=1)
    reported = stream.tick()
    assert isinstance(reported, dict)
    names = ("lag seconds", "readings", "alerts", "newest reading", "processes alive")
    assert [reported[name] for name in names] == [9.0, 20, 3, "none", 2]


def test_each_pulse_is_reported_once(stream: Stream) -> None:
    now = datetime.now(UTC)
    stream.beats(now - 10 * SECOND)
    stream.tick()
    assert stream.tick() == "no pulse since the last report"
    stream.beats(now)
    assert isinstance(stream.tick(), dict)
    assert stream.reports() == 2


@pytest.mark.parametrize("ago", [0, 3600])
def test_a_stream_that_is_silent_or_was_stopped_is_not_reported(stream: Stream, ago: int) -> None:
    at = datetime.now(UTC) - ago * SECOND
    stream.beats(at, stopped_at=None if ago else at)
    assert stream.tick() == "no streaming process is alive"
    assert stream.reports() == 0


def test_its_end_is_told_to_operations_and_so_is_its_return(operations: Operations) -> None:
    now = datetime.now(UTC)
    for minutes, state in enumerate(("UNKNOWN", "PASS", "WARN", "FAIL", "FAIL", "PASS")):
        with operations.transaction() as connection:
            at = now + timedelta(minutes=minutes)
            tell_freshness(connection, {"streaming_alerts": state}, at, timedelta(minutes=10), ROUTES)
    told = [(message.channel, message.title) for message in stored(operations).values()]
    assert sorted(told) == [
        ("operations", "streaming_alerts is fresh again"),
        ("operations", "streaming_alerts is overdue"),
    ]

"""A replay says what people would have been told and leaves the fleet alone unless it is asked not to."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from fridge_assets.automation.cycles import train_models
from fridge_assets.replay.folder import is_replay
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.scenarios.contents import WALL_TIME, contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.processes import finish, started
from fridge_assets_tests.scenarios.small_fleet import (
    FAULTY_DEVICES,
    Place,
    copy_of,
    cycle_time,
    graph_of,
    hour,
    settings_of,
)

SPAN = ("--from", hour(FIRST_HOUR).isoformat(), "--to", hour(FIRST_HOUR + 1.5).isoformat())
_SOON = 60.0
"""Seconds in which something happens that takes a moment."""

pytestmark = pytest.mark.timeout(900)


def everything(root: Path) -> dict[str, object]:
    """Every file of a data folder with its size and time of change, but the logs and locks of databases."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm", ".lock")))
    return {str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def cycled_twice_template(trained_template: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The fleet whose readings of two hours landed before the cycles of both; never change it, copy it."""
    place = copy_of(trained_template, tmp_path_factory.mktemp("twice") / "data")
    place.deliver(FIRST_HOUR, FIRST_HOUR + 1)
    for number in (FIRST_HOUR, FIRST_HOUR + 1):
        assert place.run_hourly(number).success
    return place


@pytest.fixture
def cycled_twice(cycled_twice_template: Place, tmp_path: Path) -> Place:
    """A folder after two hourly cycles."""
    return copy_of(cycled_twice_template, tmp_path / "twice")


def test_hours_replayed_into_the_live_stores_equal_hours_that_were_run_one_by_one(
    trained: Place, cycled_twice: Place
) -> None:
    trained.deliver(FIRST_HOUR, FIRST_HOUR + 1)
    with graph_of(trained.settings):
        code, said, error = typed(trained.root, "replay", *SPAN, "--into-live", "--yes", "--json")
    assert (code, error) == (0, "")
    assert '"hours": 2' in said
    assert contents(trained, WALL_TIME) == contents(cycled_twice, WALL_TIME)


def test_the_live_stores_are_written_only_after_it_was_said_and_agreed_to(cycled: Place) -> None:
    before = contents(cycled)
    code, said, error = typed(cycled.root, "replay", "--from", SPAN[1], "--to", SPAN[1], "--into-live")
    assert code == 1
    assert "features, scores, alerts and status" in said
    assert "people are told" in said
    assert "--yes" in error
    assert contents(cycled) == before


def test_a_replay_computes_what_the_live_runs_did_and_changes_nothing_of_the_fleet(
    cycled_twice: Place, tmp_path: Path
) -> None:
    before, files = contents(cycled_twice), everything(cycled_twice.root)

    code, said, error = typed(cycled_twice.root, "replay", *SPAN, "--keep", str(tmp_path / "kept"), "--json")

    assert (code, error) == (0, "")
    assert contents(cycled_twice) == before
    assert everything(cycled_twice.root) == files
    kept = Place(settings_of(tmp_path / "kept"))
    of_the_span = (
        "SELECT * FROM device_features WHERE window_end > ? ORDER BY device_id, window_end",
        "SELECT * FROM isolation_forest_scores WHERE window_end > ? ORDER BY device_id, window_end",
        "SELECT * FROM statistical_baseline_scores WHERE window_end > ? ORDER BY device_id, window_end",
    )
    for sql in of_the_span:
        assert kept.query(sql, hour(FIRST_HOUR - 1)) == cycled_twice.query(sql, hour(FIRST_HOUR - 1)) != []
    (outcome,) = json.loads(said)["replays"]
    work = next(row for row in outcome["told_alerts"] if row["severity"] == "MEDIUM or higher")
    assert work["told"] >= FAULTY_DEVICES
    assert work["a day"] == work["told"] * 12, "two hours are a twelfth of a day"
    assert outcome["faults_found"] == [
        {
            "fault": "vibration_spike",
            "begun": 2,
            "found": 2,
            "hours until told": outcome["faults_found"][0]["hours until told"],
        }
    ]
    assert outcome["failed"] == {}

    code, said, _ = typed(kept.root, "alerts", "list", "--all", "--json")
    assert code == 0
    assert len(json.loads(said)) >= FAULTY_DEVICES
    code, said, _ = typed(kept.root, "messages", "list", "--json")
    assert {message["status"] for message in json.loads(said)} == {"superseded"}, "nothing waits to be delivered"
    assert "nothing goes on with them" in refused(kept.root, "ui")


def test_two_replays_are_shown_side_by_side_and_flattered_precision_is_said(cycled: Place) -> None:
    span = ("--from", hour(FIRST_HOUR - 1).isoformat(), "--to", hour(FIRST_HOUR).isoformat())
    code, said, error = typed(cycled.root, "replay", *span, "--compare-setting", "alerts.medium_score=0.99")
    assert (code, error) == (0, "")
    assert "now: told" in said
    assert "compared: told" in said
    assert "compared: alerts.medium_score=0.99" in said
    assert "isolation_forest 1.0.0 has learned from" in said
    assert "1 of these 2 hours" in said
    assert list(cycled.settings.replays_dir.iterdir()) == []
    assert not is_replay(cycled.root)


def test_a_version_that_was_never_released_is_tried_beside_the_one_that_scores(cycled: Place, tmp_path: Path) -> None:
    with graph_of(cycled.settings) as instance:
        assert train_models(instance, ["isolation_forest"], cycle_time(FIRST_HOUR), in_process=True).success
    before, files = contents(cycled), everything(cycled.root)
    span = ("--from", hour(FIRST_HOUR).isoformat(), "--to", hour(FIRST_HOUR).isoformat())
    other = ("--compare-version", "isolation_forest=1.1.0", "--keep", str(tmp_path / "kept"))
    code, said, error = typed(cycled.root, "replay", *span, *other, "--json")
    assert (code, error) == (0, "")
    now, compared = json.loads(said)["replays"]
    assert (now["trained_on_these_hours"], compared["trained_on_these_hours"][0]["version"]) == ([], "1.1.0")
    for name, version in (("now", "1.0.0"), ("compared", "1.1.0")):
        kept = Place(settings_of(tmp_path / "kept" / name))
        assert kept.query("SELECT DISTINCT model_version FROM isolation_forest_scores") == [(version,)]
        assert kept.query("SELECT DISTINCT model_version FROM statistical_baseline_scores") == [("1.0.0",)]
    assert contents(cycled) == before
    assert everything(cycled.root) == files, "the model registry included"


def test_one_interrupt_ends_a_replay_at_once_and_leaves_nothing_behind(cycled: Place) -> None:
    before = contents(cycled)
    with started(cycled, "replay", "--from", hour(2).isoformat(), "--to", hour(FIRST_HOUR).isoformat()) as process:
        deadline = time.monotonic() + _SOON
        # The scores of the first run show that the other process is at work.
        while not list(cycled.settings.replays_dir.glob("*/warehouse/spill")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        code, said, error = finish(process)
        assert code == 130
        assert said == ""
        assert "nothing of the fleet was changed" in error
        assert "Traceback" not in error
        while _alive(process.pid):
            assert time.monotonic() < deadline, "a process of the replay goes on"
            time.sleep(0.05)
    assert list(cycled.settings.replays_dir.iterdir()) == []
    assert contents(cycled) == before


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

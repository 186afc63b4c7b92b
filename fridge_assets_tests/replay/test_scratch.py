"""The folder that a replay works in: what it holds of the fleet, and that nothing of it is shared."""

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from fridge_assets.core.errors import FridgeError
from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.deployment.store import Deployments
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.replay.change import Change
from fridge_assets.replay.folder import MARKER, is_replay
from fridge_assets.replay.scratch import (
    fill_scratch,
    released_families,
    require_empty,
    scratch_settings,
    settle_messages,
)
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, deployment_decisions, device_alerts, outbox
from fridge_assets_tests.cli.typed import refused
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import TRAINED_HOUR, Place, hour

HOURS = [hour(TRAINED_HOUR), hour(FIRST_HOUR)]
FOREST = "isolation_forest"


def scratch_of(place: Place, folder: Path, change: Change | None = None, hours: list[datetime] | None = None) -> Place:
    """The scratch folder of a replay of ``hours``, not replayed yet."""
    scratch = Place(scratch_settings(place.settings, folder, change or Change()))
    fill_scratch(place.settings, scratch.settings, hours or HOURS, change or Change())
    return scratch


def test_features_before_the_first_run_are_there_and_later_ones_are_due(cycled: Place, tmp_path: Path) -> None:
    scratch = scratch_of(cycled, tmp_path / "scratch")
    own = "SELECT * FROM device_features {} ORDER BY device_id, window_end"
    before = "WHERE window_end <= ?"
    first = hour(TRAINED_HOUR - 1)
    assert scratch.query(own.format("")) == cycled.query(own.format(before), first) != []
    due = scratch.query("SELECT DISTINCT window_start FROM due_windows WHERE device_id IS NULL ORDER BY 1")
    assert [start for (start,) in due] == [first + number * timedelta(minutes=15) for number in range(8)]


def test_a_day_of_features_is_brought_and_not_all_there_are(cycled: Place, tmp_path: Path) -> None:
    lately = cycled.settings.model_copy(
        update={
            "scoring": cycled.settings.scoring.model_copy(update={"imputation_memory": timedelta(hours=2)}),
            "dbscan": cycled.settings.dbscan.model_copy(update={"day": timedelta(hours=1)}),
            "fleet": cycled.settings.fleet.model_copy(update={"trend_span": timedelta(hours=1)}),
            "features": cycled.settings.features.model_copy(update={"interval_span": timedelta(hours=1)}),
        }
    )
    scratch = scratch_of(Place(lately), tmp_path / "scratch")
    assert scratch.query("SELECT min(window_end), max(window_end) FROM device_features") == [
        (hour(TRAINED_HOUR - 3) + timedelta(minutes=15), hour(TRAINED_HOUR - 1))
    ]


def test_readings_and_models_are_links_whose_removal_leaves_the_originals(cycled: Place, tmp_path: Path) -> None:
    scratch = scratch_of(cycled, tmp_path / "scratch")
    paths = [str(path) for (path,) in scratch.query("SELECT path FROM clean_reading_files")]
    assert paths
    folder = Path("warehouse/clean_sensor_readings")
    linked = [folder / path for path in paths]
    linked.append(cycled.artifact(FOREST, "manifest.json").relative_to(cycled.root))
    for path in linked:
        assert os.path.samefile(cycled.root / path, scratch.root / path)
    shutil.rmtree(scratch.root)
    assert all((cycled.root / path).exists() for path in linked)


def test_on_another_disk_links_are_symbolic(cycled: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_disk(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_disk)
    scratch = scratch_of(cycled, tmp_path / "scratch")
    links = [path for path in scratch.root.rglob("*.parquet") if path.is_symlink()]
    assert links
    assert all(path.resolve().is_relative_to(cycled.root) for path in links)


def test_decisions_hold_and_alerts_and_messages_do_not_come_along(cycled: Place, tmp_path: Path) -> None:
    scratch = scratch_of(cycled, tmp_path / "scratch")
    with cycled.operations.read() as live, scratch.operations.read() as own:
        decisions = sa.select(deployment_decisions).order_by(sa.text("family, number"))
        assert own.execute(decisions).all() == live.execute(decisions).all() != []
        assert live.execute(sa.select(device_alerts)).all() != []
        assert own.execute(sa.select(device_alerts)).all() == []
        assert own.execute(sa.select(outbox)).all() == []
    assert is_replay(scratch.root)
    assert not is_replay(cycled.root)


def test_a_changed_version_scores_everywhere_whatever_was_pinned_or_rolled_out(cycled: Place, tmp_path: Path) -> None:
    request, proof = Request("ann", hour(TRAINED_HOUR), "why"), Proof(passed=True, said="")
    decide = cycled.models.deployments
    cycled.models.pin(FOREST, "1.0.0", request)
    with cycled.operations.transaction() as connection:
        row = {
            "family": FOREST, "number": 3, "action": "promote", "version": "1.1.0", "from_version": "1.0.0",
            "regions": ["north"], "occurred_at": request.at, "actor": "ann", "reason": proof.said, "overridden": "",
        }  # fmt: skip
        connection.execute(sa.insert(deployment_decisions), row)
    before = decide.history(FOREST)
    scratch = scratch_of(cycled, tmp_path / "scratch", Change({FOREST: "1.2.0"}))
    state = scratch.models.deployments.of(FOREST)
    assert (state.serving(""), state.serving("north")) == ("1.2.0", "1.2.0")
    assert decide.history(FOREST) == before


def test_no_store_of_the_fleet_is_that_of_the_scratch_folder_whatever_the_environment_says(
    settings: Settings, tmp_path: Path
) -> None:
    shared = settings.model_copy(update={"operations_url": "postgresql+psycopg://fleet"})
    scratch = scratch_settings(shared, tmp_path, Change())
    assert scratch.operations_database == f"sqlite:///{tmp_path}/operations.db"
    assert scratch.root == tmp_path


def test_messages_of_a_replay_wait_for_nobody(operations: Operations) -> None:
    with operations.transaction() as connection:
        enqueue(connection, [Message("a", "ml", "model", "a", (), HOURS[0])], HOURS[0])
    settle_messages(operations)
    with operations.read() as connection:
        assert connection.execute(sa.select(outbox.c.status)).all() == [("superseded",)]


def test_a_fleet_without_a_release_and_a_folder_that_is_not_empty_are_refused(
    operations: Operations, tmp_path: Path
) -> None:
    with pytest.raises(FridgeError, match="no model is released, so there is nothing to replay"):
        released_families(Deployments(operations))
    require_empty(tmp_path / "new")
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "file"):
        with pytest.raises(FridgeError, match=r"is not an empty folder\. Name another one with --keep"):
            require_empty(folder)


@pytest.mark.parametrize(
    "words",
    [["messages", "deliver"], ["work-orders", "deliver"], ["stream"], ["ui"], ["health", "--tell"]],
    ids=" ".join,
)
def test_nothing_tells_people_of_the_alerts_of_a_replay(cycled: Place, words: list[str]) -> None:
    (cycled.root / MARKER).write_text("{}")
    assert "is the folder of a replay: nobody is told of its alerts" in refused(cycled.root, *words)

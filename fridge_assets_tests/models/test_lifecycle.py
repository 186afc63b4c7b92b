"""From draft to release and back, with real files and a real history; refused files do not score (SPEC 3)."""

import itertools
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.deployment.decide import NotAllowed, Proof, Request
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.lifecycle import ModelLifecycle, NothingReleased
from fridge_assets.models.registry import ModelRegistry, UnknownVersion
from fridge_assets.models.reproduce import train_again, twin_of
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.models.training import TrainedModel, train
from fridge_assets.models.version import ArtifactRefused
from fridge_assets.settings import ForestSettings, Settings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.models.synthetic import NOW, feature_rows, trained_later

SETTINGS = Settings(forest=ForestSettings(trees=10, samples_per_tree=64))
FAMILY = "statistical_baseline"
ANN = Request("ann", datetime(2026, 6, 1, 12, tzinfo=UTC), "because")
PASSED = Proof(passed=True, said="all windows passed")
OpenRegistry = Callable[[Path], ModelRegistry]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return feature_rows(devices=12, windows=20)


@pytest.fixture(scope="module")
def trained(rows: pd.DataFrame) -> TrainedModel:
    return train(StatisticalBaseline, rows, SETTINGS, NOW)


def lifecycle(folder: Path, open_registry: OpenRegistry) -> ModelLifecycle:
    """The versions and decisions of a folder, as a further process would open them."""
    return ModelLifecycle(open_registry(folder), Deployments(Operations(f"sqlite:///{folder / 'operations.db'}")))


@pytest.fixture
def models(tmp_path: Path, open_registry: OpenRegistry) -> ModelLifecycle:
    return lifecycle(tmp_path, open_registry)


@pytest.fixture(scope="module")
def two_releases(trained: TrainedModel, open_registry: OpenRegistry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 1.0.0, released first, 1.1.0, released now, and the draft 1.2.0; never change it, copy it."""
    folder = tmp_path_factory.mktemp("releases")
    models = lifecycle(folder, open_registry)
    for days in range(3):
        models.introduce(trained_later(trained, days), ANN)
    models.promote(FAMILY, "1.1.0", ANN, PASSED)
    return folder


@pytest.fixture
def with_two_releases(two_releases: Path, tmp_path: Path, open_registry: OpenRegistry) -> ModelLifecycle:
    shutil.copytree(two_releases, tmp_path, dirs_exist_ok=True)
    return lifecycle(tmp_path, open_registry)


def tamper(models: ModelLifecycle, version: str) -> str:
    """Change a file of ``version`` and return its name."""
    run_id = models.registry.version(FAMILY, version).run_id
    file = next((models.registry.models_dir / "artifacts" / run_id).rglob("calibration.json"))
    file.write_bytes(file.read_bytes() + b" ")
    return file.name


def scoring(models: ModelLifecycle, *regions: str) -> dict[str, str]:
    """Region → the version that scores it."""
    return {r: found.version.metadata.version for found in models.serving(FAMILY, regions) for r in found.regions}


def test_the_first_version_is_released_by_itself_and_later_ones_are_drafts(
    models: ModelLifecycle, trained: TrainedModel
) -> None:
    with pytest.raises(NothingReleased, match=f"train {FAMILY}"):
        models.require_serving(FAMILY)
    first, second = (models.introduce(one, ANN) for one in (trained, trained_later(trained)))
    state = models.deployments.of(FAMILY)
    assert [state.stage_of(version.version) for version in (first, second)] == ["release", "draft"]
    (decision,) = models.deployments.history(FAMILY)
    assert (decision.actor, decision.reason, decision.action) == ("ann", "because", "promote")


def test_versions_without_a_release_say_how_to_promote_one(models: ModelLifecycle, trained: TrainedModel) -> None:
    # what a process leaves behind that was killed between registering and releasing
    models.registry.register(trained)
    with pytest.raises(NothingReleased, match=rf"models promote {FAMILY} 1\.0\.0"):
        models.serving(FAMILY, ["north"])


def test_a_promotion_counts_from_the_next_resolution_on_for_every_process(
    with_two_releases: ModelLifecycle, tmp_path: Path, open_registry: OpenRegistry
) -> None:
    other = lifecycle(tmp_path, open_registry)
    assert scoring(other, "north") == {"north": "1.1.0"}
    with_two_releases.promote(FAMILY, "1.2.0", ANN, PASSED)
    assert scoring(other, "north") == {"north": "1.2.0"}
    with_two_releases.roll_back(FAMILY, ANN)
    assert scoring(other, "north") == {"north": "1.1.0"}


def test_regions_score_with_the_version_that_reached_them(with_two_releases: ModelLifecycle) -> None:
    with_two_releases.promote(FAMILY, "1.2.0", ANN, PASSED, regions=["north"], known_regions=["north", "south"])
    assert scoring(with_two_releases, "north", "south") == {"north": "1.2.0", "south": "1.1.0"}
    with_two_releases.pin(FAMILY, "1.0.0", ANN)
    assert scoring(with_two_releases, "north", "south") == {"north": "1.0.0", "south": "1.0.0"}


def test_a_window_that_was_scored_binds_the_devices_that_are_scored_again(with_two_releases: ModelLifecycle) -> None:
    (serving,) = with_two_releases.serving(FAMILY, ["north"], {"north": "1.0.0"})
    assert serving.version.metadata.version == "1.0.0"


def test_the_release_before_scores_when_files_are_refused_and_the_reason_is_kept(
    with_two_releases: ModelLifecycle,
) -> None:
    name = tamper(with_two_releases, "1.1.0")
    (serving,) = with_two_releases.serving(FAMILY, ["north"])
    assert serving.version.metadata.version == "1.0.0"
    assert len(serving.refused) == 1
    assert f"{FAMILY} 1.1.0 was refused" in serving.refused[0]
    assert name in serving.refused[0]
    tamper(with_two_releases, "1.0.0")
    with pytest.raises(ArtifactRefused, match=rf"no release of {FAMILY} can be used.*1\.1\.0.*1\.0\.0"):
        with_two_releases.serving(FAMILY, ["north"])


def test_what_has_changed_files_or_no_proof_is_not_released(with_two_releases: ModelLifecycle) -> None:
    with pytest.raises(NotAllowed, match="KL too high"):
        with_two_releases.promote(FAMILY, "1.2.0", ANN, Proof(passed=False, said="KL too high"))
    tamper(with_two_releases, "1.2.0")
    with pytest.raises(ArtifactRefused, match=r"calibration\.json"):
        with_two_releases.promote(FAMILY, "1.2.0", ANN, PASSED)
    with pytest.raises(UnknownVersion, match=r"1\.0\.0, 1\.1\.0, 1\.2\.0"):
        with_two_releases.stage(FAMILY, "7.0.0", ANN)
    assert scoring(with_two_releases, "north") == {"north": "1.1.0"}
    assert len(with_two_releases.deployments.history(FAMILY)) == 2


def test_mlflow_shows_stages_and_aliases(with_two_releases: ModelLifecycle) -> None:
    models = with_two_releases
    models.stage(FAMILY, "1.2.0", ANN)
    models.pin(FAMILY, "1.0.0", ANN)

    def aliases() -> dict[str, int]:
        found = models.registry._client.get_registered_model(FAMILY).aliases
        return {alias: int(number) for alias, number in found.items()}

    assert aliases() == {"release": 2, "staging": 3, "pinned": 1}
    stages = {int(entry.version): entry.tags["stage"] for entry in models.registry._entries(FAMILY)}
    assert stages == {1: "archived", 2: "release", 3: "staging"}
    models.unpin(FAMILY, ANN)
    models.archive(FAMILY, "1.2.0", ANN)
    assert aliases() == {"release": 2}


def test_decisions_taken_at_once_are_kept_one_after_the_other(with_two_releases: ModelLifecycle) -> None:
    def swap() -> None:
        for version in ("1.0.0", "1.1.0") * 5:
            try:
                with_two_releases.promote(FAMILY, version, ANN, PASSED)
            except NotAllowed:
                continue  # the other one was quicker

    threads = [threading.Thread(target=swap) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    history = with_two_releases.deployments.history(FAMILY)
    assert [decision.number for decision in history] == list(range(1, len(history) + 1))
    for before, after in itertools.pairwise(history):
        assert after.from_version == before.version


def test_training_again_from_the_snapshot_gives_the_same_scores(
    with_two_releases: ModelLifecycle, rows: pd.DataFrame
) -> None:
    registry = with_two_releases.registry
    registered = registry.version(FAMILY, "1.0.0")
    other_settings = Settings(training={"max_self_cleaning": 0.0})  # what training recorded counts
    again = train_again(registry, registered, other_settings)
    np.testing.assert_array_equal(again.score(rows), registry.load(registered).score(rows))
    assert again.metadata == registered.metadata


def test_a_twin_is_trained_once_kept_and_made_again_when_it_was_changed(
    with_two_releases: ModelLifecycle, rows: pd.DataFrame
) -> None:
    registry = with_two_releases.registry
    registered = registry.version(FAMILY, "1.0.0")
    twin = twin_of(registry, registered, SETTINGS)
    assert twin.metadata.training.seed == registered.metadata.training.seed + 1
    folder = registry.models_dir / "twins" / FAMILY / "1.0.0"
    written = (folder / "calibration.json").stat().st_mtime_ns
    np.testing.assert_array_equal(twin_of(registry, registered, SETTINGS).score(rows), twin.score(rows))
    assert (folder / "calibration.json").stat().st_mtime_ns == written
    (folder / "calibration.json").write_text("{}")
    np.testing.assert_array_equal(twin_of(registry, registered, SETTINGS).score(rows), twin.score(rows))
    shutil.rmtree(registry.models_dir / "training")
    assert twin_of(registry, registered, SETTINGS) is not None

"""Versions are numbered once, stored once, moved freely and refused when they were tampered with (SPEC 3)."""

import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.models.base import ScoreModel
from fridge_assets.models.families import families
from fridge_assets.models.isolation_forest import FleetForest
from fridge_assets.models.registry import ModelRegistry, UnknownVersion
from fridge_assets.models.snapshot import read_snapshot
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.models.training import TrainedModel, train
from fridge_assets.models.version import ArtifactRefused
from fridge_assets.settings import ForestSettings, Settings
from fridge_assets_tests.models.synthetic import NOW, feature_rows, trained_later

SETTINGS = Settings(forest=ForestSettings(trees=10, samples_per_tree=64))
OpenRegistry = Callable[[Path], ModelRegistry]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return feature_rows(devices=12, windows=20)


@pytest.fixture(scope="module")
def trained(rows: pd.DataFrame) -> TrainedModel:
    return train(StatisticalBaseline, rows, SETTINGS, NOW)


def artifacts(registry: ModelRegistry) -> list[Path]:
    return sorted(file for file in (registry.models_dir / "artifacts").rglob("*") if file.is_file())


def test_versions_are_numbered_within_their_family(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel, rows: pd.DataFrame
) -> None:
    registry = open_registry(tmp_path)
    assert registry.versions("statistical_baseline") == []
    first, second = registry.register(trained), registry.register(trained_later(trained))
    forest = registry.register(train(FleetForest, rows, SETTINGS, NOW))
    assert [v.version for v in (first, second, forest)] == ["1.0.0", "1.1.0", "1.0.0"]
    opened = open_registry(tmp_path)
    assert opened.versions() == [forest, first, second]
    assert opened.versions("statistical_baseline") == [first, second]
    assert opened.version("statistical_baseline", "1.1.0") == second
    with pytest.raises(UnknownVersion, match=r"no version 9\.9\.9.*1\.0\.0, 1\.1\.0"):
        opened.version("statistical_baseline", "9.9.9")
    assert first.metadata.model_id == "statistical_baseline_v1"


@pytest.mark.parametrize("model_class", families().values(), ids=families())
def test_a_loaded_version_scores_like_the_trained_one(
    model_class: type[ScoreModel], tmp_path: Path, open_registry: OpenRegistry, rows: pd.DataFrame
) -> None:
    trained = train(model_class, rows, SETTINGS, NOW)
    registered = open_registry(tmp_path).register(trained)
    loaded = open_registry(tmp_path).load(registered)
    assert loaded.metadata == registered.metadata
    np.testing.assert_array_equal(loaded.score(rows), trained.version.score(rows))
    assert loaded.explain(rows.head(20), 5) == trained.version.explain(rows.head(20), 5)
    gappy = rows.assign(superheat_mean=np.nan)
    filled, expected = loaded.imputer.apply(gappy)[0], trained.version.imputer.apply(gappy)[0]
    pd.testing.assert_frame_equal(filled, expected)


def test_training_rows_are_kept_under_the_hash_that_the_metadata_names(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel
) -> None:
    registry = open_registry(tmp_path)
    registered = registry.register(trained)
    registry.register(trained_later(trained))
    kept = read_snapshot(registry.models_dir, registered.metadata.training.hash)
    pd.testing.assert_frame_equal(kept, trained.rows)
    assert len(list((registry.models_dir / "training").iterdir())) == 1


def test_an_earlier_version_is_never_touched(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel
) -> None:
    registry = open_registry(tmp_path)
    registry.register(trained)
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in artifacts(registry)}
    registry.register(trained_later(trained))
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in before} == before
    assert not list(registry.models_dir.glob(".new-*"))


def test_versions_survive_a_move_of_the_data_folder(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel, rows: pd.DataFrame
) -> None:
    (tmp_path / "here").mkdir()
    registered = open_registry(tmp_path / "here").register(trained)
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = open_registry(tmp_path / "there")
    np.testing.assert_array_equal(moved.load(registered).score(rows), trained.version.score(rows))
    assert moved.register(trained_later(trained)).version == "1.1.0"
    assert not (tmp_path / "here").exists()


def test_files_kept_elsewhere_are_fetched_through_mlflow(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel, rows: pd.DataFrame
) -> None:
    registry = open_registry(tmp_path)
    registered = registry.register(trained)
    elsewhere = ModelRegistry(registry.tracking_uri, tmp_path / "another machine")
    np.testing.assert_array_equal(elsewhere.load(registered).score(rows), trained.version.score(rows))
    shutil.rmtree(registry.models_dir)
    with pytest.raises(ArtifactRefused, match=r"statistical_baseline 1\.0\.0"):
        registry.load(registered)


@pytest.mark.parametrize("name", ["metadata.json", "calibration.json", "model/expectations.parquet"])
def test_a_changed_file_is_refused_by_name(
    name: str, tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel
) -> None:
    registry = open_registry(tmp_path)
    registered = registry.register(trained)
    (file,) = [file for file in artifacts(registry) if file.as_posix().endswith(name)]
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ArtifactRefused, match=name):
        registry.load(registered)


def test_missing_added_and_rewritten_files_are_refused(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel
) -> None:
    registry = open_registry(tmp_path)
    registered = registry.register(trained)
    manifest = next(file for file in artifacts(registry) if file.name == "manifest.json")
    added = manifest.with_name("added.json")
    added.write_text("{}")
    with pytest.raises(ArtifactRefused, match=r"added\.json"):
        registry.load(registered)
    # whoever adapts the manifest as well is found out by the registry's own hash of it
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "added.json": "0" * 64}))
    with pytest.raises(ArtifactRefused, match="not the one registered"):
        registry.load(registered)
    manifest.unlink()
    with pytest.raises(ArtifactRefused, match=r"manifest\.json"):
        registry.load(registered)


def _register(data_dir: Path, trained: TrainedModel, start: Barrier) -> None:
    start.wait()
    ModelRegistry(f"sqlite:///{data_dir / 'mlflow.db'}", data_dir / "models").register(trained)


def test_processes_registering_at_once_get_different_numbers(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel
) -> None:
    registry = open_registry(tmp_path)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2, timeout=120)
    other = context.Process(target=_register, args=(tmp_path, trained, start))
    other.start()
    start.wait()
    for days in range(3):
        registry.register(trained_later(trained, days + 1))
    other.join(timeout=120)
    assert other.exitcode == 0
    versions = registry.versions()
    assert [v.version for v in versions] == ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
    assert [registry.load(version).metadata.version for version in versions] == [v.version for v in versions]
    assert len({version.run_id for version in versions}) == 4


def test_what_was_registered_already_is_not_registered_again(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel
) -> None:
    first = open_registry(tmp_path).register(trained)
    assert open_registry(tmp_path).register(trained) == first
    assert open_registry(tmp_path).versions() == [first]


def test_a_registration_that_was_cut_off_leaves_nothing_that_counts(
    tmp_path: Path, open_registry: OpenRegistry, trained: TrainedModel
) -> None:
    registry = open_registry(tmp_path)
    first = registry.register(trained)
    # what a process killed before its last tag leaves behind
    registry._client.create_model_version("statistical_baseline", "file:///nowhere", tags={"major": "1"})
    assert registry.versions() == [first]
    assert registry.register(trained_later(trained)).version == "1.1.0"


def test_a_new_database_is_made_without_a_word(first_opening: tuple[int, str, str]) -> None:
    assert first_opening == (0, "", "")


_DIES_WHILE_MAKING = """
import os, signal, sys, threading, time
from pathlib import Path
from fridge_assets.models.registry import ModelRegistry
folder = Path(sys.argv[1])

def die() -> None:
    while not any(file.stat().st_size > 50_000 for file in folder.iterdir() if file.name.endswith((".db", ".tmp"))):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=die, daemon=True).start()
ModelRegistry(f"sqlite:///{folder}/mlflow.db", folder / "models")._client
"""


def test_a_process_killed_while_it_makes_the_database_leaves_none_that_is_half_made(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _DIES_WHILE_MAKING, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    opened = ModelRegistry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "models")
    assert not opened._client.search_registered_models()
    assert opened.versions() == []

"""Training a version again: the same, to prove it, or a twin of another seed, to know the chance in it (SPEC 3)."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from fridge_assets.models.families import FAMILIES
from fridge_assets.models.metadata import ModelMetadata
from fridge_assets.models.registry import ModelRegistry, RegisteredVersion
from fridge_assets.models.snapshot import read_snapshot
from fridge_assets.models.training import train
from fridge_assets.models.version import ArtifactRefused, ModelVersion
from fridge_assets.settings import Settings
from fridge_assets.stores.files import writable_folder


def train_again(
    registry: ModelRegistry, registered: RegisteredVersion, settings: Settings, seed: int | None = None
) -> ModelVersion:
    """Train a version again from its snapshot, as it was trained: the same seed gives the same scores, bit by bit.

    Args:
        registry: holds the snapshot that the version's metadata name.
        registered: the version.
        settings: only what training did not record is taken from here.
        seed: another seed than the version's own.

    Raises:
        FridgeError: the snapshot is missing or no longer what was trained on.
    """
    metadata = registered.metadata
    rows = read_snapshot(registry.models_dir, metadata.training.hash)
    trained = train(FAMILIES[registered.family], rows, recorded_settings(metadata, settings, seed), metadata.trained_at)
    return replace(trained.version, metadata=trained.version.metadata.model_copy(update={"version": metadata.version}))


def twin_of(registry: ModelRegistry, registered: RegisteredVersion, settings: Settings) -> ModelVersion:
    """The version's twin, trained when it is first asked for and kept beside the artifacts.

    Raises:
        FridgeError: the snapshot is missing or no longer what was trained on.
    """
    folder = registry.models_dir / "twins" / registered.family / registered.version
    if folder.is_dir():
        try:
            kept = ModelVersion.load(folder)
        except ArtifactRefused:
            shutil.rmtree(folder)
        else:
            if kept.metadata.training.hash == registered.metadata.training.hash:
                return kept
            shutil.rmtree(folder)
    twin = train_again(registry, registered, settings, registered.metadata.training.seed + 1)
    with tempfile.TemporaryDirectory(dir=writable_folder(folder.parent), prefix=".new-") as temporary:
        written = Path(temporary) / "twin"
        written.mkdir()
        twin.save(written)
        written.rename(folder)
    return twin


def reproduces(registry: ModelRegistry, registered: RegisteredVersion, settings: Settings) -> tuple[int, int]:
    """Number of training rows, and how many of them score otherwise when the version is trained again.

    Raises:
        ArtifactRefused: the version's files are not what training wrote.
        FridgeError: the snapshot is missing or no longer what was trained on.
    """
    stored, again = registry.load(registered), train_again(registry, registered, settings)
    rows, _ = stored.imputer.apply(read_snapshot(registry.models_dir, registered.metadata.training.hash))
    differing = stored.score(rows) != again.score(rows)
    return len(rows), int(differing.sum())


def recorded_settings(metadata: ModelMetadata, settings: Settings, seed: int | None = None) -> Settings:
    """``settings`` with what the version of ``metadata`` was trained with, and perhaps another seed."""
    groups = {
        name: type(getattr(settings, name)).model_validate(values)
        for name, values in metadata.training.settings.items()
    }
    if seed is not None:
        groups["training"] = groups["training"].model_copy(update={"seed": seed})
    return settings.model_copy(update=groups)

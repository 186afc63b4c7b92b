"""Model versions, numbered and kept by MLflow (SPEC 3)."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import nearest
from fridge_assets.models._mlflow import database_file, one_process, open_client
from fridge_assets.models.metadata import ModelMetadata
from fridge_assets.models.snapshot import write_snapshot
from fridge_assets.models.training import TrainedModel
from fridge_assets.models.version import MANIFEST, ArtifactRefused, ModelVersion, file_hash, verify_files
from fridge_assets.stores.files import writable_folder

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.tracking import MlflowClient

_ARTIFACTS = "version"
_CARD = "card"
_REMOVED = "files_removed"


class UnknownVersion(FridgeError):
    """There is no such version."""


@dataclass(frozen=True)
class RegisteredVersion:
    """A version as the registry knows it, without its artifacts.

    Args:
        number: MLflow's number of the version within the family.
        run_id: MLflow run that holds the artifacts.
        manifest_hash: SHA-256 of the manifest of its files.
        metadata: what the version says about itself.
        removed: why its files are gone, a sentence; empty while they are kept.
    """

    number: int
    run_id: str
    manifest_hash: str
    metadata: ModelMetadata
    removed: str = ""

    @property
    def family(self) -> str:
        """Model family."""
        return self.metadata.family

    @property
    def version(self) -> str:
        """Semantic version."""
        return self.metadata.version


class ModelRegistry:
    """Versions of all families: MLflow's database numbers them, their files lie under ``models_dir``.

    A version is written once and never changed. Its number comes from MLflow's database, whose key admits
    each number once, and it counts as registered only when its last tag is written, so that a process killed
    in between leaves nothing that counts.

    Args:
        tracking_uri: MLflow tracking and registry URI, such as ``sqlite:////data/mlflow.db``.
        models_dir: folder of the artifacts and training snapshots.
        labels: whether MLflow shows how versions stand; not where decisions are only tried, as in a replay.
    """

    def __init__(self, tracking_uri: str, models_dir: Path, *, labels: bool = True) -> None:
        self.tracking_uri = tracking_uri
        self._labels = labels
        self.models_dir = models_dir.resolve()
        self._loaded: dict[str, ModelVersion] = {}

    def register(self, trained: TrainedModel) -> RegisteredVersion:
        """Store ``trained`` as the next version of its family.

        The first version is 1.0.0, and every later one raises the minor number. What was registered already, by a
        process that was killed before it could say so, is not registered again.

        Raises:
            FolderNotWritable: ``models_dir`` cannot be written.
            RegistryUnavailable: MLflow's database cannot be opened.
        """
        client, metadata = self._client, trained.version.metadata
        with one_process(self.models_dir):
            for known in self.versions(metadata.family):
                if not known.removed and known.metadata == metadata.model_copy(update={"version": known.version}):
                    return known
            write_snapshot(trained.rows, self.models_dir)
            run = client.create_run(self._experiment(), run_name=metadata.model_id).info
            number = self._next_number(metadata, run.run_id, run.artifact_uri)
            metadata = metadata.model_copy(update={"version": self._semantic_version(metadata.family, number)})
            manifest_hash = self._write(replace(trained.version, metadata=metadata), run.run_id)
            client.set_terminated(run.run_id)
            tags = {
                "semantic_version": metadata.version,
                "training_hash": metadata.training.hash,
                "manifest_hash": manifest_hash,
                "metadata": metadata.model_dump_json(),  # last: what makes the version count
            }
            for key, value in tags.items():
                client.set_model_version_tag(metadata.family, str(number), key, value)
        return self.version(metadata.family, metadata.version)

    def versions(self, family: str | None = None) -> list[RegisteredVersion]:
        """Versions of ``family``, or of all families; by family, oldest first."""
        found = [
            RegisteredVersion(
                number=int(entry.version),
                run_id=entry.run_id,
                manifest_hash=entry.tags["manifest_hash"],
                metadata=ModelMetadata.model_validate_json(entry.tags["metadata"]),
                removed=entry.tags.get(_REMOVED, ""),
            )
            for entry in self._entries(family)
            if "metadata" in entry.tags
        ]
        return sorted(found, key=lambda version: (version.family, version.number))

    def version(self, family: str, version: str) -> RegisteredVersion:
        """One version.

        Raises:
            UnknownVersion: there is none of that number; those that exist are named.
        """
        known = {registered.version: registered for registered in self.versions(family)}
        if version not in known:
            if not known:
                raise UnknownVersion(f"{family} has no version yet", f"Train it: `fridge-assets train {family}`.")
            meant = nearest(version, known)
            question = f"Did you mean {meant}? " if meant else ""
            raise UnknownVersion(f"{family} has no version {version}", f"{question}Choose one of {', '.join(known)}.")
        return known[version]

    def label(self, family: str, stages: Mapping[str, str], aliases: Mapping[str, str | None]) -> None:
        """Show in MLflow how the versions of ``family`` stand; nothing here reads it back.

        Args:
            family: model family.
            stages: version → its stage, as a tag.
            aliases: alias → the version it points to; None removes it.
        """
        if not self._labels:
            return
        numbers = {entry.tags.get("semantic_version"): entry for entry in self._entries(family)}
        with one_process(self.models_dir):
            for version, stage in stages.items():
                if numbers[version].tags.get("stage") != stage:
                    self._client.set_model_version_tag(family, numbers[version].version, "stage", stage)
            for alias, chosen in aliases.items():
                if chosen is None:
                    self._client.delete_registered_model_alias(family, alias)
                else:
                    self._client.set_registered_model_alias(family, alias, numbers[chosen].version)

    @property
    def keeps_files(self) -> bool:
        """Whether the files lie under ``models_dir``; a server keeps them by rules of its own."""
        return urlsplit(self.tracking_uri).scheme not in ("http", "https")

    def folder_of(self, run_id: str) -> Path:
        """The folder of everything that a version's MLflow run keeps."""
        return self._artifacts / run_id

    def remove_files(self, registered: RegisteredVersion, why: str) -> None:
        """Remove the files of a version for good; that it existed, what it said of itself and ``why`` stay.

        Raises:
            OSError: a file cannot be removed; the version counts as removed all the same.
        """
        with one_process(self.models_dir):
            self._client.set_model_version_tag(registered.family, str(registered.number), _REMOVED, why)
        folder = self.folder_of(registered.run_id)
        if folder.exists():
            shutil.rmtree(folder)

    def load(self, registered: RegisteredVersion) -> ModelVersion:
        """The version with its artifacts, which may have moved with ``models_dir`` since they were written.

        Raises:
            ArtifactRefused: a file is missing or not what training wrote; it is named.
        """
        folder = self._folder(registered, _ARTIFACTS)
        if not (folder / MANIFEST).is_file() or file_hash(folder / MANIFEST) != registered.manifest_hash:
            raise ArtifactRefused(
                f"{folder / MANIFEST} is not the one registered for {registered.family} {registered.version}",
                "Do not use this version: restore its folder from a backup, or train a new version.",
            )
        loaded = self._loaded.get(registered.family)
        if loaded is not None and loaded.metadata == registered.metadata:
            # Versions never change, but their files are checked every time all the same.
            verify_files(folder)
            return loaded
        self._loaded[registered.family] = ModelVersion.load(folder)
        return self._loaded[registered.family]

    def card(self, registered: RegisteredVersion) -> Path:
        """The Markdown file of the version's card, its plot beside it.

        Raises:
            ArtifactRefused: it is missing.
        """
        return self._folder(registered, _CARD) / "card.md"

    @cached_property
    def _client(self) -> "MlflowClient":
        with one_process(self.models_dir):
            return open_client(self.tracking_uri, self.models_dir)

    @property
    def _artifacts(self) -> Path:
        return self.models_dir / "artifacts"

    def _experiment(self) -> str:
        """The MLflow experiment whose artifacts lie under ``models_dir``; a moved folder gets a new one.

        A server keeps artifacts where it was told to.
        """
        name = f"fridge_assets in {self._artifacts}" if self.keeps_files else "fridge_assets"
        known = self._client.get_experiment_by_name(name)
        if known:
            return cast(str, known.experiment_id)
        location = self._artifacts.as_uri() if self.keeps_files else None
        return cast(str, self._client.create_experiment(name, artifact_location=location))

    def _next_number(self, metadata: ModelMetadata, run_id: str, artifact_uri: str) -> int:
        family = metadata.family
        if not self._client.search_registered_models(filter_string=f"name = '{family}'"):
            self._client.create_registered_model(family)
        created = self._client.create_model_version(
            family, f"{artifact_uri}/{_ARTIFACTS}", run_id, tags={"major": str(metadata.major)}
        )
        return int(created.version)

    def _semantic_version(self, family: str, number: int) -> str:
        """``major.minor.0``, minor counting the versions of that major before this one."""
        entries = self._entries(family)
        majors = {int(entry.version): entry.tags["major"] for entry in entries}
        # Here nobody else is registering, and what does not count was left by a process that was killed; on a server
        # another machine may be about to write its last tag.
        dead = {int(entry.version) for entry in entries if self.keeps_files and "metadata" not in entry.tags}
        earlier = {before for before in majors if before < number} - dead
        minor = sum(majors[before] == majors[number] for before in earlier)
        return f"{majors[number]}.{minor}.0"

    def _entries(self, family: str | None) -> "list[MlflowVersion]":
        file = database_file(self.tracking_uri)
        if file is not None and not file.exists():
            return []  # looking creates nothing
        where = None if family is None else f"name = '{family}'"
        return list(self._client.search_model_versions(where, max_results=10_000))

    def _write(self, version: ModelVersion, run_id: str) -> str:
        with tempfile.TemporaryDirectory(dir=self.models_dir, prefix=".new-") as folder:
            from fridge_assets.models.card import write_card  # noqa: PLC0415 (imports matplotlib)

            files, card = Path(folder, _ARTIFACTS), Path(folder, _CARD)
            for part in (files, card):
                part.mkdir()
            version.save(files)
            write_card(version, card)
            for part in (files, card):
                self._client.log_artifacts(run_id, str(part), part.name)
            return file_hash(files / MANIFEST)

    def _folder(self, registered: RegisteredVersion, part: str) -> Path:
        """Where a part of the version lies on this machine; it is fetched where MLflow keeps it elsewhere."""
        # MLflow's layout below the experiment's location
        folder = self.folder_of(registered.run_id) / "artifacts" / part
        if registered.removed:
            raise ArtifactRefused(
                f"the files of {registered.family} {registered.version} are gone: {registered.removed}",
                "Choose a newer version, or restore the folder from a backup and remove the version's tag "
                f"{_REMOVED} in MLflow.",
            )
        if not folder.is_dir():
            self._fetch(registered, folder)
        return folder

    def _fetch(self, registered: RegisteredVersion, folder: Path) -> None:
        """Bring a version's files from where MLflow keeps them."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        with tempfile.TemporaryDirectory(dir=writable_folder(self.models_dir), prefix=".new-") as temporary:
            try:
                fetched = self._client.download_artifacts(registered.run_id, folder.name, temporary)
            except (MlflowException, OSError) as error:
                raise ArtifactRefused(
                    f"the files of {registered.family} {registered.version} are not in {folder}: {error}",
                    "Restore the folder from a backup, or train a new version.",
                ) from error
            writable_folder(folder.parent)
            shutil.move(fetched, folder)

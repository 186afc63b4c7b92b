"""Files of model versions that nobody will score with any more (SPEC 3)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fridge_assets.deployment.state import Decision, deployment_of
from fridge_assets.models.registry import RegisteredVersion
from fridge_assets.models.snapshot import snapshot_file
from fridge_assets.upkeep.retention.files import remove, untouched_since
from fridge_assets.upkeep.retention.report import Sweep, Swept


@dataclass(frozen=True)
class Standing:
    """What decides about the files of a version.

    Args:
        version: semantic version.
        trained_at: when it was trained.
    """

    version: str
    trained_at: datetime


def removable(
    family: str, versions: Collection[Standing], history: Sequence[Decision], before: datetime, releases: int
) -> list[str]:
    """The versions of ``family`` whose files may go.

    The newest ``releases`` releases stay, counted as they stand and as they were made, since one that was rolled back
    may be wanted again; so does whatever is staged, pinned or scores in some regions.

    Args:
        family: model family.
        versions: its versions.
        history: every decision about it, oldest first.
        before: versions that were trained or decided about at this moment or later stay.
        releases: how many releases stay.
    """
    state = deployment_of(family, history)
    promoted = dict.fromkeys(
        past.version for past in reversed(history) if past.action == "promote" and not past.regions
    )
    in_use = {state.staged, state.pinned, state.candidate, *state.releases[-releases:], *list(promoted)[:releases]}
    touched: dict[str, datetime] = {}
    for past in history:
        touched.update(dict.fromkeys((past.version, past.from_version), past.occurred_at))
    return [
        known.version
        for known in versions
        if known.version not in in_use and max(known.trained_at, touched.get(known.version, known.trained_at)) < before
    ]


def sweep_versions(sweep: Sweep, swept: Swept) -> None:
    """Remove the files of versions that are out of use, and what interrupted trainings left; their entries stay."""
    registry = sweep.models.registry
    if not registry.keeps_files:
        return
    before, versions = sweep.data_now - swept.kept_for, registry.versions()
    why = f"retention removed them on {sweep.now:%Y-%m-%d}, after {swept.kept_for.days} days out of use"
    for family, own in _by_family(versions).items():
        standings = [Standing(version, known.metadata.trained_at) for version, known in own.items()]
        history = sweep.models.deployments.history(family)
        for version in removable(family, standings, history, before, sweep.settings.retention.releases):
            _remove_version(sweep, swept, own[version], why)
    known = {registry.folder_of(version.run_id) for version in versions}
    young = sweep.now - sweep.settings.retention.leftovers
    for folder in _folders(registry.models_dir / "artifacts"):
        if folder not in known:
            _remove_leftover(folder, young, swept, sweep.dry)
    for folder in registry.models_dir.glob(".new-*"):
        _remove_leftover(folder, young, swept, sweep.dry)


def sweep_snapshots(sweep: Sweep, swept: Swept) -> None:
    """Remove training rows that no version with files names; an interrupted training leaves some too."""
    registry = sweep.models.registry
    named = {v.metadata.training.hash for v in registry.versions() if not v.removed}
    kept = {snapshot_file(registry.models_dir, content) for content in named}
    young = sweep.now - sweep.settings.retention.leftovers
    written = untouched_since(registry.models_dir / "training", young, "*.parquet")
    remove((path for path in written if path not in kept), swept, sweep.dry)


def _remove_version(sweep: Sweep, swept: Swept, version: RegisteredVersion, why: str) -> None:
    registry = sweep.models.registry
    folder = registry.folder_of(version.run_id)
    files = [path for path in folder.rglob("*") if path.is_file()]
    if version.removed and not files:
        return
    size = sum(path.stat().st_size for path in files)
    if not sweep.dry:
        try:
            registry.remove_files(version, version.removed or why)
        except OSError as error:
            swept.problems.append(f"{folder} cannot be removed: {error.strerror}")
            return
    swept.rows += 1
    swept.files += len(files)
    swept.bytes += size


def _remove_leftover(folder: Path, young: datetime, swept: Swept, dry: bool) -> None:
    """Remove a folder of an interrupted training, unless something in it is young."""
    paths = [folder, *folder.rglob("*")]
    if any(path.stat().st_mtime >= young.timestamp() for path in paths):
        return
    remove((path for path in paths if path.is_file()), swept, dry)
    if dry:
        return
    for path in sorted((path for path in paths if path.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()


def _folders(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []


def _by_family(versions: Collection[RegisteredVersion]) -> Mapping[str, dict[str, RegisteredVersion]]:
    families: dict[str, dict[str, RegisteredVersion]] = {}
    for version in versions:
        families.setdefault(version.family, {})[version.version] = version
    return families

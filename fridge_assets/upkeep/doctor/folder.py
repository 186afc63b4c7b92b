"""The data folder itself: whether it can be used, and what killed programs left in it."""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from fridge_assets.diagnosis.causes import CAUSES_FILE, read_knowledge
from fridge_assets.readings.ranges import RANGES_FILE, read_range_tables
from fridge_assets.registry.devices import read_registry
from fridge_assets.settings import DiskSettings, Settings
from fridge_assets.sources.saved import read_source, source_names
from fridge_assets.stores.disk import free_space, size_of
from fridge_assets.stores.files import writer_of
from fridge_assets.upkeep.doctor.check import Check, Remedy, State, broken, named, note, ok, removes

_LIBRARIES = ("dagster", "duckdb", "scikit-learn", "torch", "pandas", "great-expectations", "mlflow-skinny")
_STILL = timedelta(minutes=1)
"""A file that has not been touched for so long is not being written."""


def folder_checks(settings: Settings, is_busy: Callable[[], bool]) -> list[Check]:
    """The installation, the folder, its space, the rights to its files, leftovers and the registry of devices."""

    def installation() -> State:
        return ok(", ".join(f"{name} {version(name)}" for name in _LIBRARIES))

    def registry() -> State:
        devices = read_registry(settings.root)
        if devices is None:
            return note("none; device_registry.csv in the data folder names the sites")
        return ok(f"{len(devices):,} devices in {devices['site_id'].nunique():,} sites")

    return [
        Check("installation", installation),
        Check("data folder", lambda: _folder(settings.root)),
        Check("disk space", lambda: space_state(free_space(settings.root), settings.root, settings.disk)),
        Check("access to files", lambda: _access(settings.root)),
        Check("temporary files", lambda: _temporary_files(settings, is_busy)),
        Check("device registry", registry),
        Check("ranges of sensors", lambda: _ranges(settings.root)),
        Check("sources", lambda: _sources(settings.sources_dir)),
        Check("causes of faults", lambda: _causes(settings.root)),
    ]


def space_state(free: int, place: Path, settings: DiskSettings) -> State:
    """What ``free`` bytes on the disk of ``place`` are worth."""
    shown = f"{size_of(free)} free on the disk of {place}"
    way_out = "free some there, or move the data folder to a larger disk and name it with --data-dir"
    if free < settings.reserve:
        return broken(f"{shown}, and a run does not begin below {size_of(settings.reserve)}; {way_out}")
    if free < settings.little:
        return note(f"{shown}; {way_out}")
    return ok(shown)


def _ranges(root: Path) -> State:
    read_range_tables(root)
    return ok(f"of {RANGES_FILE}" if (root / RANGES_FILE).exists() else "the built-in ones")


def _sources(folder: Path) -> State:
    names = source_names(folder)
    for name in names:
        read_source(folder, name)
    return ok(", ".join(names) or "none; files are read by their names and options")


def _causes(root: Path) -> State:
    own = sum(cause.is_own for cause in read_knowledge(root).causes)
    return ok(f"{own} of {CAUSES_FILE} beside the built-in ones" if own else "the built-in ones")


def _folder(root: Path) -> State:
    if not root.exists():
        return note(f"{root} does not exist: check --data-dir, or bring readings, which creates it")
    if not root.is_dir():
        return broken(f"{root} is a file; name a folder with --data-dir or FRIDGE_DATA_DIR")
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return broken(f"{root} is not writable for this user; give it write access, or name another folder")
    return ok(f"{root} is writable")


def _access(root: Path) -> State:
    if not root.exists():
        return ok("there are none yet")
    closed = [path for path in (root, *_everything(root)) if not os.access(path, _needed(path))]
    if not closed:
        return ok("all files can be read and written")
    own = [path for path in closed if path.lstat().st_uid == os.getuid()]
    said = f"{_below(closed, root)} cannot be read or written by this user"
    if len(own) < len(closed):
        return broken(f"{said} and belong to another: `sudo chown -R $(id -un) {root}`")

    def apply() -> None:
        # A folder first: what is in it can be seen only then.
        for path in (root, *_everything(root)):
            if not os.access(path, _needed(path)):
                path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o600))

    return broken(said, Remedy("gives the owner access", apply))


def _temporary_files(settings: Settings, is_busy: Callable[[], bool]) -> State:
    busy = is_busy()
    left = [*_left_behind(settings, busy), *([] if busy else _of_runs(settings))]
    if not left:
        return ok("none left behind")
    size = sum(path.stat().st_size for path in left)
    return note(
        f"{_below(left, settings.root)} left behind by killed programs ({size_of(size)})",
        removes(left),
    )


def _left_behind(settings: Settings, is_busy: bool) -> Iterator[Path]:
    """Files of atomic writes whose program no longer lives.

    The program of a run may live in another container, where nobody here sees it: its files are young.
    """
    before = (datetime.now(UTC) - _STILL).timestamp()
    for path in _everything(settings.root):
        writer = writer_of(path)
        if writer is not None and not _lives(writer) and not (is_busy and path.stat().st_mtime >= before):
            yield path


def _of_runs(settings: Settings) -> list[Path]:
    """What only a run writes, and none is going: spilled tables, and versions that were being registered."""
    spilled = (settings.warehouse_dir / "spill").glob("*")
    registering = settings.models_dir.glob(".new-*")
    return sorted([*spilled, *registering])


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _needed(path: Path) -> int:
    return os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)


def _everything(folder: Path) -> Iterator[Path]:
    """All folders and files below ``folder``, a folder before what is in it; links are not followed."""
    for here, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(here, name) for name in [*folders, *sorted(files)] if not Path(here, name).is_symlink())


def _below(paths: Sequence[Path], root: Path) -> str:
    return named([str(path.relative_to(root)) if path != root else str(root) for path in paths])

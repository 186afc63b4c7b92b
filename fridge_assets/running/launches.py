"""Which programs run something at this moment: a locked file each, which the operating system unlocks at their end."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fridge_assets.stores.files import is_locked, writable_folder

_SUFFIX = ".lock"
_BEGUN = ".begun"
_NEVER_LOCKED = 60.0
"""Seconds after which a file that was begun, and is not locked, never will be."""


class Launches:
    """The launches of one data folder.

    Args:
        folder: where their files lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Be alive as ``name`` for the length of the block, or until this program ends, however it does."""
        writable_folder(self._folder)
        path = self._path(name)
        begun = path.with_suffix(_BEGUN)
        with begun.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            begun.rename(path)  # it appears locked: whoever looks never takes a launch that begins for a dead one
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def is_alive(self, name: str) -> bool:
        """Whether the program of ``name`` lives."""
        return is_locked(self._path(name))

    def was_killed(self, name: str) -> bool:
        """Whether the program of ``name`` ended without saying so."""
        path = self._path(name)
        return path.exists() and not is_locked(path)

    def dead(self) -> list[Path]:
        """Files of programs that were killed."""
        begun = (path for path in self._folder.glob(f"*{_BEGUN}") if _age(path) > _NEVER_LOCKED)
        return [path for path in (*self._folder.glob(f"*{_SUFFIX}"), *begun) if not is_locked(path)]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0

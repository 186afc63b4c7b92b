"""Files that appear whole or not at all."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fridge_assets.errors import FridgeError

RUNNING = "running.lock"
"""File in a folder of its own that a program keeps locked while it works there."""


class FolderNotWritable(FridgeError):
    """A folder of the data folder cannot be written."""


def writable_folder(folder: Path) -> Path:
    """Create ``folder`` where it is missing and return it.

    Raises:
        FolderNotWritable: it cannot be created or is read-only.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error.strerror) from error
    if not os.access(folder, os.W_OK):
        raise _not_writable(folder, "it is read-only")
    return folder


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, renamed onto it when the block ends well and removed otherwise.

    The temporary name starts with a dot, which readers of the folder ignore.

    Raises:
        FolderNotWritable: the folder cannot be written, or the disk is full.
    """
    writable_folder(path.parent)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise _not_writable(path.parent, error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _not_writable(folder: Path, reason: str | None) -> FolderNotWritable:
    return FolderNotWritable(
        f"{folder} cannot be written: {reason}",
        "Give this user write access and free space there, or name another folder with --data-dir.",
    )


def is_locked(path: Path) -> bool:
    """Whether a living program holds the lock of ``path``; the operating system lets go of a dead one's."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def lock_file(path: Path) -> Iterator[bool]:
    """Hold the lock of ``path`` for the length of the block; yields whether it was free."""
    writable_folder(path.parent)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True

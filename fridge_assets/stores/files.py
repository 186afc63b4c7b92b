"""Files that appear whole or not at all."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fridge_assets.stores.disk import full_disk, not_writable

RUNNING = "running.lock"
"""File in a folder of its own that a program keeps locked while it works there."""

_TEMPORARY = re.compile(r"\..+\.(?P<process>\d+)\.tmp")


def writable_folder(folder: Path) -> Path:
    """Create ``folder`` where it is missing and return it.

    Raises:
        FolderNotWritable: it cannot be created or is read-only; ``DiskFull`` where there is no space.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise full_disk(error, folder) or not_writable(folder, error.strerror or str(error)) from error
    if not os.access(folder, os.W_OK):
        raise not_writable(folder, "it is read-only")
    return folder


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, renamed onto it when the block ends well and removed otherwise.

    The temporary name starts with a dot, which readers of the folder ignore.

    Raises:
        FolderNotWritable: the folder cannot be written; ``DiskFull`` where there is no space.
    """
    writable_folder(path.parent)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise full_disk(error, path.parent) or not_writable(path.parent, error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def writer_of(path: Path) -> int | None:
    """The process that made ``path`` as the temporary file of an :func:`atomic_write`; None for any other file."""
    name = _TEMPORARY.fullmatch(path.name)
    return int(name["process"]) if name else None


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

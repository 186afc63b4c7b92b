"""What keeps a disk from being written, above all that it is full, in one sentence with place, need and remedy."""

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import DiskSettings

_MIB = 2**20

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

_SAYS_FULL = (
    "no space left on device",
    "database or disk is full",
    "disk quota exceeded",
    "max_temp_directory_size",  # DuckDB spills into a share of what is free
)

_MAY_MEAN_FULL = ("disk i/o error", "unable to open database file")
"""SQLite's words when it cannot make or lengthen the files beside a database, whatever the reason."""


_RESERVE = DiskSettings().reserve

_NEARLY_NOTHING = 16 * _MIB
"""Where fewer bytes are free, SQLite's words do mean a full disk."""


class FolderNotWritable(FridgeError):
    """A folder of the data folder cannot be written."""


class DiskFull(FolderNotWritable):
    """There is no space on the disk of the data folder."""


def not_writable(folder: Path, reason: str) -> FolderNotWritable:
    """What to tell a user of a ``folder`` that cannot be written for a ``reason`` other than a full disk."""
    return FolderNotWritable(
        f"{folder} cannot be written: {reason}",
        "Give this user write access and free space there, or name another folder with --data-dir.",
    )


def full_disk(error: BaseException, place: Path) -> DiskFull | None:
    """What to tell a user of ``error`` where it, or what brought it about, is a full disk; None where it is not.

    Args:
        error: what was raised.
        place: the folder or file that was written, where the error does not name it.
    """
    for cause in _causes(error):
        if isinstance(cause, DiskFull):
            return cause
        words = str(cause).lower()
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            return _full(Path(cause.filename) if isinstance(cause.filename, str) else place)
        if any(said in words for said in _SAYS_FULL):
            return _full(place)
        if any(said in words for said in _MAY_MEAN_FULL) and free_space(place) < _NEARLY_NOTHING:
            return _full(place)
    return None


def require_space(place: Path, needed: int, what: str) -> None:
    """Refuse to begin what would fill the disk of ``place``.

    Args:
        place: a folder or file that will be written; it need not exist yet.
        needed: bytes that must be free.
        what: what needs them, to begin a sentence with.

    Raises:
        DiskFull: less is free.
    """
    free = free_space(place)
    if free < needed:
        raise DiskFull(
            f"{what} needs {size_of(needed)} on the disk of {place} and {size_of(free)} are free",
            "Free some space there, or move the data folder to a larger disk and name it with --data-dir, then run "
            "this again; nothing was changed.",
        )


def free_space(place: Path) -> int:
    """Bytes that are free on the disk of ``place``, or of the folder where it would come to be."""
    return shutil.disk_usage(next(path for path in (place, *place.absolute().parents) if path.exists())).free


def _full(place: Path) -> DiskFull:
    free = free_space(place)
    if free < _RESERVE:
        why = f"its disk is full ({size_of(free)} free, {size_of(_RESERVE)} are needed)"
    else:
        # A disk of temporary files, or only this user has no more.
        why = f"its disk is full, or this user's quota is used up, or another disk that it needs ({size_of(free)} free)"
    return DiskFull(
        f"{place} cannot be written: {why}",
        "Free some space there, or move the data folder to a larger disk and name it with --data-dir, then run this "
        "again: it goes on from what was committed.",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__context__, one.__cause__, getattr(one, "orig", None)]


def size_of(number: int) -> str:
    """``number`` bytes as people read them."""
    return f"{number / 2**30:,.1f} GiB" if number >= 2**30 else f"{number / _MIB:,.1f} MiB"

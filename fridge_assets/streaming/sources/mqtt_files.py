"""Messages of a broker into files of landing: safe on disk at once, seen by others once a file is whole."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from fridge_assets.stores.disk import full_disk, not_writable
from fridge_assets.stores.files import writable_folder

_PREFIX = "mqtt-"
_ENDING = ".jsonl"


@dataclass
class _Growing:
    """A file that is being written.

    Args:
        path: its name begins with a dot, so that nobody reads it.
        file: open for appending.
        until: when it is whole, in seconds since 1970.
        is_aligned: whether values in it are put together by their time of arrival.
        lines: in it.
    """

    path: Path
    file: IO[bytes]
    until: float
    is_aligned: bool
    lines: int = 0


class MessageFiles:
    """Landing files that are made of messages, one at a time for each source.

    Where values of one span of time are one reading, such a span is in one file: in a second one the rest of the
    reading would be taken for a repeated one.

    Args:
        landing: the landing folder; files go into the folder of their source.
        file_every: how long one is written to, at least.
    """

    def __init__(self, landing: Path, file_every: timedelta) -> None:
        self._landing = landing
        self._file_every = file_every.total_seconds()
        self._growing: dict[str, _Growing] = {}
        self._ended: dict[Path, bool] = {}
        """Files that nothing is added to and that are not finished; whether others are not to see them yet."""

    @staticmethod
    def is_whole(path: Path) -> bool:
        """Whether a landing file is one of these, which are never written to once they can be seen."""
        return path.name.startswith(_PREFIX)

    @property
    def waiting(self) -> int:
        """Lines that are in no file which can be seen."""
        return sum(growing.lines for growing in list(self._growing.values()))

    def finish_leftovers(self, aligned: Mapping[str, int]) -> None:
        """Make what a killed process was writing into whole files; a line that was cut off was not acknowledged.

        Args:
            aligned: source → seconds whose values are one reading; what is still going on of these is written on.
        """
        for path in self._landing.glob(f"[!._]*/.{_PREFIX}*{_ENDING}"):
            align = aligned.get(path.parent.name, 0)
            current, _ = self._span(time.time(), align)
            _finish(path, keep=bool(align) and path.name == _name(current))

    def store(self, source: str, lines: Sequence[str], received_at: datetime, align_seconds: int) -> None:
        """Write lines; they are safe on disk when this returns.

        Args:
            source: their source.
            lines: what came.
            received_at: when.
            align_seconds: of the source.

        Raises:
            FolderNotWritable: they cannot be written; what was written of them may come again.
        """
        folder, at = self._landing / source, received_at.timestamp()
        try:
            growing = self._growing.get(source)
            if growing is None or at >= growing.until:
                self._end(source)
                growing = self._growing[source] = self._begin(folder, at, align_seconds)
            growing.file.write("".join(f"{line}\n" for line in lines).encode("utf-8", errors="backslashreplace"))
            growing.file.flush()
            os.fsync(growing.file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._end(source)
            raise full_disk(error, folder) or not_writable(folder, error.strerror or str(error)) from error
        growing.lines += len(lines)

    def finish(self, now: float) -> bool:
        """Let others see the files whose time is over at ``now``, seconds since 1970; whether there was one.

        Raises:
            OSError: one cannot be finished; the next call tries again.
        """
        self._finish_ended()
        due = [source for source, growing in self._growing.items() if now >= growing.until]
        for source in due:
            self._end(source)
        return bool(due)

    def close(self) -> None:
        """Let others see what can be seen; of a span that goes on the next process writes on."""
        for source in list(self._growing):
            self._end(source, keep=self._growing[source].is_aligned)

    def _begin(self, folder: Path, at: float, align: int) -> _Growing:
        start, until = self._span(at, align)
        path = writable_folder(folder) / _name(start)
        number = 1
        while path in self._ended or path.with_name(path.name[1:]).exists():
            number += 1
            path = path.with_name(_name(start, f"-{number}"))
        growing = _Growing(path, path.open("ab"), until, is_aligned=align > 0)
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return growing

    def _span(self, at: float, align: int) -> tuple[float, float]:
        """(Start, end) of the span of a file that ``at`` is in, in seconds since 1970."""
        length = math.ceil(self._file_every / align) * align if align else self._file_every
        start = at // length * length
        return start, start + length

    def _end(self, source: str, *, keep: bool = False) -> None:
        growing = self._growing.pop(source, None)
        if growing is not None:
            self._ended[growing.path] = keep
            try:
                growing.file.close()
            finally:
                self._finish_ended()

    def _finish_ended(self) -> None:
        for path, keep in list(self._ended.items()):
            _finish(path, keep=keep)
            del self._ended[path]


def _name(start: float, suffix: str = "") -> str:
    return f".{_PREFIX}{datetime.fromtimestamp(start, UTC):%Y%m%dT%H%M%S%f}{suffix}{_ENDING}"


def _finish(path: Path, *, keep: bool) -> None:
    """Cut a file after its last whole line, and let others see it unless it is kept."""
    with path.open("rb+") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
    if not whole:
        path.unlink()
    elif not keep:
        path.rename(path.with_name(path.name[1:]))

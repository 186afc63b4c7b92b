"""What a step prints goes to a file, which the UI shows, and from there to the terminal."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import TextIO

_PAUSE = 0.2
"""Seconds between two looks at the file."""
_CHUNK = 1 << 16
_GIVE_UP = 2.0
"""Seconds in which the last of it is shown; a terminal may be held or gone."""


@contextmanager
def followed(path: str, stream: TextIO) -> Iterator[None]:
    """Show on ``stream`` what is written to a file for the length of the block.

    Dagster starts two programs for each of a step's streams instead, one of which answers Ctrl-C with a traceback.

    Args:
        path: the file, which is there.
        stream: of this process, as it is before its descriptor becomes that of the file. Nothing is shown on one
            without a descriptor.
    """
    try:
        terminal = os.dup(stream.fileno())
    except UnsupportedOperation:
        terminal = os.open(os.devnull, os.O_WRONLY)
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(Path(path), terminal, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_GIVE_UP)


def _follow(path: Path, descriptor: int, ended: threading.Event) -> None:
    with suppress(OSError), os.fdopen(descriptor, "wb", buffering=0) as shown, path.open("rb") as written:
        last = False
        while not last:
            last = ended.wait(_PAUSE)
            while chunk := written.read(_CHUNK):
                shown.write(chunk)

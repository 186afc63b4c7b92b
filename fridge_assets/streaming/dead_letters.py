"""Readings that the stream could not use, each with the reason: one JSON-lines file a day (SPEC 5)."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from fridge_assets.stores.files import writable_folder


class DeadLetter(NamedTuple):
    """An unusable reading.

    Args:
        delivery: landing file, or partition and offsets, that it came in.
        row: its number in there, from 1; 0 for the delivery as a whole.
        reason: why, as in ``quarantined_readings``.
        detail: a sentence with the value and the remedy.
        raw: the reading as it came, as text.
    """

    delivery: str
    row: int
    reason: str
    detail: str
    raw: str


class DeadLetters:
    """The folder of dead letters.

    Args:
        folder: one file a day.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, letters: Iterable[DeadLetter], now: datetime) -> None:
        """Add ``letters`` to the file of the day.

        Raises:
            FolderNotWritable: the folder cannot be written.
        """
        lines = [json.dumps({"at": now.isoformat(), **letter._asdict()}, ensure_ascii=False) for letter in letters]
        if lines:
            path = writable_folder(self._folder) / f"{now:%Y-%m-%d}.jsonl"
            with path.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")

"""The landing folder: raw readings as they were delivered, and the ledger of what became of each file (SPEC 1.2)."""

import os
import shutil
import time
from collections.abc import Collection, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from filecmp import cmp
from pathlib import Path
from typing import Literal

import pandas as pd
from sqlalchemy import delete, select

from fridge_assets.stores.files import atomic_write, writable_folder
from fridge_assets.stores.operations import Operations, ingest_ledger

LedgerStatus = Literal["loading", "ingested", "repeated", "refused", "waiting"]

SIDECAR_SUFFIX = ".reading.json"
"""Name ending of the file that says how a landing file's columns are to be read."""

_SETTLE_PAUSE = 0.5

_MOST_COMPARED = 1000
"""Files of one size that are compared; where there are more, their size says nothing of what is in them."""


@dataclass(frozen=True)
class LandingFile:
    """A file in the landing folder as it was when looked at.

    Args:
        path: where it is.
        size_bytes: its size.
        modified_at: when it was last written to.
        source: name of the source whose folder it lies in; empty where it lies in none.
    """

    path: Path
    size_bytes: int
    modified_at: datetime
    source: str = ""

    @property
    def name(self) -> str:
        """Path below the landing folder, its identity in the ledger."""
        return f"{self.source}/{self.path.name}" if self.source else self.path.name

    @property
    def sidecar(self) -> Path:
        """Where its interpretation is kept."""
        return sidecar_of(self.path)


@dataclass(frozen=True)
class LedgerEntry:
    """What became of one landing file."""

    file_name: str
    size_bytes: int
    modified_at: datetime
    status: LedgerStatus
    recorded_at: datetime
    batch_id: str | None = None
    reason: str | None = None
    rows: int | None = None
    clean: int | None = None
    quarantined: int | None = None
    duplicates: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None


def sidecar_of(path: Path) -> Path:
    """Where the interpretation of the landing file ``path`` is kept."""
    return path.with_name(f".{path.name}{SIDECAR_SUFFIX}")


def same_content(path: Path, sidecar: str | None, files: Sequence[LandingFile]) -> LandingFile | None:
    """That of ``files`` which holds the same bytes as ``path`` and is read in the same way.

    Args:
        path: a readings file.
        sidecar: how it is read, as :func:`read_as` has it.
        files: files of the landing folder of the same size, so that only those are read that may be the same.
    """
    for file in files[:_MOST_COMPARED]:
        with suppress(FileNotFoundError):
            if read_as(file) == sidecar and cmp(path, file.path, shallow=False):
                return file
    return None


def read_as(file: LandingFile) -> str | None:
    """What says how ``file`` is read: the name of its source, or what was written beside it; None for neither."""
    if file.source:
        return f"source {file.source}"
    try:
        return file.sidecar.read_text(errors="replace")
    except FileNotFoundError:
        return None


def landed_paths(folder: Path) -> dict[str, Path]:
    """Name in the ledger → path of every delivered file; nothing is created."""
    own = {path.name: path for path in folder.glob("[!._]*") if path.is_file()}
    of_sources = {f"{path.parent.name}/{path.name}": path for path in folder.glob("[!._]*/[!._]*") if path.is_file()}
    return own | of_sources


class Landing:
    """The landing folder and its ledger.

    Args:
        folder: where files are delivered.
        operations: the store that holds the ledger.
    """

    def __init__(self, folder: Path, operations: Operations) -> None:
        self.folder = folder
        self._operations = operations

    def find(self, source: Path, sidecar: str | None) -> Path | None:
        """The file that an earlier delivery of ``source`` with this interpretation made, also one that was killed."""
        size = source.stat().st_size
        found = same_content(source, sidecar, [file for file in self.files() if file.size_bytes == size])
        return None if found is None else found.path

    def deliver(self, source: Path, sidecar: str | None) -> Path:
        """Copy the file ``source`` into landing under a name that is free; it appears whole or not at all.

        Args:
            source: a readings file.
            sidecar: its interpretation as JSON, None when it needs none.

        Returns:
            The delivered file.
        """
        target = self._free_name(source.name)
        if sidecar is None:
            # What a killed delivery left would say how to read this file.
            sidecar_of(target).unlink(missing_ok=True)
        else:
            with atomic_write(sidecar_of(target)) as temporary:
                temporary.write_text(sidecar)
        with atomic_write(target) as temporary:
            shutil.copyfile(source, temporary)
        return target

    def files(self) -> list[LandingFile]:
        """All delivered files, oldest name first; names starting with a dot or underscore are still being written."""
        return self.new_files(())

    def new_files(self, known: Container[str]) -> list[LandingFile]:
        """Delivered files whose names are not ``known``; cheap also where many are."""
        folder = writable_folder(self.folder)
        names, sources = _listed(folder)
        there = [("", name) for name in names if name not in known]
        for source in sources:
            there += [(source, name) for name in _listed(folder / source)[0] if f"{source}/{name}" not in known]
        files = []
        for source, name in there:
            with suppress(FileNotFoundError):
                files.append(_look_at(folder / source / name, source))
        return files

    def ledger(self) -> dict[str, LedgerEntry]:
        """The ledger by file name."""
        with self._operations.read() as connection:
            rows = connection.execute(select(ingest_ledger)).mappings().all()
        return {row["file_name"]: LedgerEntry(**row) for row in rows}

    def record(self, entries: Iterable[LedgerEntry]) -> None:
        """Write ``entries`` in one transaction, each replacing what the ledger said of its file."""
        values = [vars(entry) for entry in entries]
        if not values:
            return
        with self._operations.transaction() as connection:
            names = [value["file_name"] for value in values]
            connection.execute(delete(ingest_ledger).where(ingest_ledger.c.file_name.in_(names)))
            connection.execute(ingest_ledger.insert(), values)

    def forget(self, names: Collection[str]) -> None:
        """Take ``names`` out of the ledger, so that the next ingestion looks at these files as at new ones."""
        with self._operations.transaction() as connection:
            connection.execute(delete(ingest_ledger).where(ingest_ledger.c.file_name.in_(names)))

    def report(self) -> pd.DataFrame:
        """The ledger as a frame, newest first."""
        entries = sorted(self.ledger().values(), key=lambda entry: entry.recorded_at, reverse=True)
        return pd.DataFrame([vars(entry) for entry in entries])

    def _free_name(self, name: str) -> Path:
        # A second delivery of the same name is another file, never a change of the first.
        stem, dot, suffixes = name.partition(".")
        candidate, number = self.folder / name, 1
        while candidate.exists():
            number += 1
            candidate = self.folder / f"{stem}-{number}{dot}{suffixes}"
        return candidate


def still_growing(files: Iterable[LandingFile], settle_seconds: float) -> set[str]:
    """Names of those ``files`` whose size or time changes while we watch.

    Only files younger than ``settle_seconds`` are watched, all together, for half a second.
    """
    threshold = time.time() - settle_seconds
    young = [file for file in files if file.modified_at.timestamp() > threshold]
    if not young:
        return set()
    time.sleep(_SETTLE_PAUSE)
    return {file.name for file in young if not file.path.exists() or _look_at(file.path, file.source) != file}


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """(Names of the files, names of the folders) in ``folder``, without those that begin with a dot or underscore."""
    with os.scandir(folder) as entries:
        listed = sorted((e.name, e.is_dir()) for e in entries if not e.name.startswith((".", "_")))
    return [name for name, is_folder in listed if not is_folder], [name for name, is_folder in listed if is_folder]


def _look_at(path: Path, source: str) -> LandingFile:
    status = path.stat()
    return LandingFile(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC), source)

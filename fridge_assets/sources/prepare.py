"""Files that DuckDB does not read as they are, made into ones that it does: other encodings, zip, Excel."""

import gzip
import shutil
import weakref
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from fridge_assets.core.errors import FridgeError
from fridge_assets.sources.encoding import as_utf8
from fridge_assets.sources.excel import sheet_as_parquet
from fridge_assets.sources.source import Format, Source

_HEAD = 1 << 20
_UTF8 = ("utf-8", "utf8")


class Folder:
    """A temporary folder that goes when nobody has it any more."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="fridge-read-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Prepared:
    """A file that DuckDB reads.

    Args:
        path: where it is.
        format: what it is now.
        folder: what holds it, where it was made.
    """

    path: Path
    format: Format
    folder: Folder | None = None


def prepared(path: Path, format_: Format, source: Source) -> Prepared:
    """``path`` as a file that DuckDB reads: itself wherever possible.

    Raises:
        FridgeError: it is not in the encoding of the source, or cannot be unpacked.
    """
    if format_ == "excel":
        folder = Folder()
        return Prepared(sheet_as_parquet(path, source, folder.path), "parquet", folder)
    is_zip = path.name.lower().endswith(".zip")
    is_foreign = format_ != "parquet" and source.encoding.lower() not in _UTF8
    if not is_zip and not is_foreign:
        return Prepared(path, format_)
    folder = Folder()
    made = unzipped(path, folder.path) if is_zip else path
    if is_foreign:
        below = folder.path / "utf-8"
        below.mkdir()
        made = as_utf8(made, source.encoding, below)
    return Prepared(made, format_, folder)


def unzipped(path: Path, folder: Path) -> Path:
    """The one file in the zip archive ``path``, unpacked into ``folder``.

    Raises:
        FridgeError: it is no archive, or holds another number of files.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = _members(archive)
            if len(names) != 1:
                raise FridgeError(f"{path.name} holds {len(names)} files", "Put one readings file into each archive.")
            return Path(archive.extract(names[0], folder))
    except (zipfile.BadZipFile, OSError) as error:
        raise FridgeError(f"{path.name} cannot be unpacked: {error}", "Give a whole file.") from error


def head_of(path: Path, size: int = _HEAD) -> bytes:
    """The first ``size`` bytes of a file, unpacked where it is a gzip or zip archive of one file.

    Raises:
        FridgeError: it cannot be read.
    """
    try:
        name = path.name.lower()
        if name.endswith(".gz"):
            with gzip.open(path) as file:
                return file.read(size)
        if name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive, archive.open(_members(archive)[0]) as member:
                return member.read(size)
        with path.open("rb") as file:
            return file.read(size)
    except (OSError, EOFError, zipfile.BadZipFile, IndexError) as error:
        raise FridgeError(f"{path.name} cannot be read: {error}", "Give a whole file.") from error


def _members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files in an archive, without what a Mac adds."""
    return [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]

"""Text files that are not UTF-8: noticed before anything is read, turned into UTF-8 where their encoding is named."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from fridge_assets.core.errors import FridgeError

_CHUNK = 1 << 20
_REMEDY = "Say how it is encoded with `ingest --encoding`, such as latin-1, cp1252 or utf-16, or save it as UTF-8."


class NotInEncoding(FridgeError):
    """A file is not encoded as it was taken to be."""


def is_encoding(name: str) -> bool:
    """Whether there is an encoding of text of that name."""
    try:
        "".encode(name)
    except LookupError:
        return False
    return True


def require_utf8(path: Path, *, whole: bool) -> None:
    """Refuse a text file with bytes that are not UTF-8; one that cannot be unpacked is left to who reads it.

    Args:
        path: the file, gzip where its name says so.
        whole: look at all of it; otherwise at its first line.

    Raises:
        NotInEncoding: it is not UTF-8; names the line.
    """
    try:
        for _ in _decoded(path, "utf-8", whole=whole):
            pass
    except (OSError, EOFError, zlib.error):
        return


def as_utf8(path: Path, encoding: str, folder: Path) -> Path:
    """A copy of a text file in UTF-8 under the same name.

    Args:
        path: the file, gzip where its name says so.
        encoding: how it is encoded.
        folder: where the copy goes.

    Raises:
        NotInEncoding: it is not in that encoding; names the line.
        FridgeError: it cannot be read.
    """
    copy = folder / path.name
    try:
        with _opened(copy, "wb") as target:
            for text in _decoded(path, encoding, whole=True):
                target.write(text.encode())
    except (OSError, EOFError, zlib.error) as error:
        raise FridgeError(f"{path.name} cannot be read: {error}", "Give a whole file.") from error
    return copy


def _decoded(path: Path, encoding: str, *, whole: bool) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with _opened(path, "rb") as file:
        while True:
            chunk = file.read(_CHUNK) if whole else file.readline(_CHUNK)
            try:
                text = decoder.decode(chunk, final=whole and not chunk)
            except UnicodeDecodeError as error:
                line += bytes(error.object[: error.start]).count(b"\n")
                raise NotInEncoding(
                    f"{path.name} is not {encoding}: line {line} has the byte 0x{error.object[error.start]:02x}",
                    _REMEDY,
                ) from error
            yield text
            if not whole or not chunk:
                return
            line += text.count("\n")


def _opened(path: Path, mode: str) -> IO[bytes]:
    is_packed = path.name.lower().endswith(".gz")
    return cast(IO[bytes], gzip.open(path, mode) if is_packed else path.open(mode))

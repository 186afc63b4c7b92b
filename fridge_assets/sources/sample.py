"""A first look at a file of which nothing is known: format, encoding, delimiter, and some of its rows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import duckdb

from fridge_assets.sources.file import SourceFile, damaged, opened
from fridge_assets.sources.rows import identifier, their_rows_sql
from fridge_assets.sources.source import Format, Source
from fridge_assets.stores.frames import text_literal

ROWS = 5000
"""Rows that are looked at of each file."""
_WORD = rb"(?:\\.|[^\s,=\\])+"
_FIELD = _WORD + rb'=(?:"(?:\\.|[^"\\])*"|[^\s,"]+)'
_LINE_PROTOCOL = re.compile(
    rb"^(?:\\.|[^\s,={\"\[\\])+(?:,"
    + _WORD
    + rb"="
    + _WORD
    + rb")* "
    + _FIELD
    + rb"(?:,"
    + _FIELD
    + rb")*(?: -?\d+)?\s*$"
)


@dataclass(frozen=True)
class Sample:
    """Some rows of a file, as text.

    Args:
        file: the file as it was opened.
        values: column → its values in the first rows; None for an empty one.
    """

    file: SourceFile
    values: Mapping[str, list[str | None]]

    def given(self, column: str) -> list[str]:
        """The values of ``column`` that are there."""
        return [value.strip() for value in self.values[column] if value is not None and value.strip()]


def format_by_content(path: Path, head: bytes) -> Format:
    """What ``path`` is, by its first bytes."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")) and not path.name.lower().endswith(".zip"):
        return "excel"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"{", b"[")):
        first, _, rest = text.partition(b"\n")
        return (
            "jsonl"
            if first.rstrip().endswith(b"}")
            and (not rest.strip() or rest.lstrip().startswith(b"{"))
            and not _is_keyed(first)
            else "json"
        )
    lines = [line for line in text.splitlines()[:20] if line.strip() and not line.startswith(b"#")]
    if lines and all(_LINE_PROTOCOL.match(line) for line in lines[:10]):
        return "line_protocol"
    return "csv"


def _is_keyed(line: bytes) -> bool:
    """Whether a JSON object holds lists of objects, each under the name of a device or tag."""
    return re.match(rb'\{\s*"[^"]*"\s*:\s*\[\s*\{', line) is not None


def encoding_of(head: bytes) -> tuple[str, bool]:
    """(Encoding of text that begins with ``head``, whether that is sure)."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", True
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return "cp1252", False
    return "utf-8", True


def delimiter_of(connection: duckdb.DuckDBPyConnection, path: Path) -> str:
    """What separates the columns of a CSV file, by DuckDB."""
    file = text_literal(str(path))
    found = connection.execute(f"SELECT Delimiter FROM sniff_csv({file}, sample_size = {ROWS})").fetchall()
    return str(found[0][0])


def sample_of(connection: duckdb.DuckDBPyConnection, path: Path, source: Source) -> Sample:
    """The first rows of ``path``.

    Args:
        connection: any.
        path: the file.
        source: says format, encoding and delimiter.

    Raises:
        FridgeError: it cannot be read.
    """
    file = opened(connection, path, source)
    names = [name for name, _ in file.theirs]
    rows = their_rows_sql([file.read_path], file.format, file.theirs, source, folder="", name=path.name)
    columns = ", ".join(f"{identifier(name)}::VARCHAR" for name in names) or "NULL"
    try:
        found = connection.execute(f"SELECT {columns} FROM ({rows}) LIMIT {ROWS}").fetchall()
    except duckdb.Error as error:
        raise damaged(path, error) from error
    finally:
        connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    values = zip(*found, strict=True) if found else ([] for _ in names)
    return Sample(file, {name: cast(Any, list(column)) for name, column in zip(names, values, strict=True)})

"""One landing file as it is: its format, its columns, and whether it can be read at all (SPEC 1.2)."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import duckdb

from fridge_assets.contracts.sensor_readings import SENSOR_READINGS, SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import nearest
from fridge_assets.sources.encoding import NotInEncoding, require_utf8
from fridge_assets.sources.names import ENDINGS, format_of
from fridge_assets.sources.prepare import Folder, prepared
from fridge_assets.sources.rows import their_columns, their_rows_sql
from fridge_assets.sources.shapes import shaped_columns, shaped_sql, unknown_names
from fridge_assets.sources.source import Format, Source


class UnreadableFile(FridgeError):
    """A landing file as a whole cannot be read."""


@dataclass(frozen=True)
class SourceFile:
    """A readable landing file.

    Args:
        path: where it is.
        name: how the ledger calls it.
        read_path: what DuckDB reads: the file, or what was made of it.
        format: of ``read_path``.
        theirs: their column name → DuckDB type, in file order.
        source: how to read the columns as ours.
        folder: what exists as long as the file is read.
    """

    path: Path
    name: str
    read_path: Path
    format: Format
    theirs: tuple[tuple[str, str], ...]
    source: Source
    folder: Folder | None = field(default=None, compare=False)

    @cached_property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Column name → DuckDB type of :func:`rows_sql`: theirs, or ours where the source makes readings of them."""
        return shaped_columns(self.theirs, self.source)

    @cached_property
    def ours(self) -> dict[str, tuple[str, str]]:
        """Our column → (their column, DuckDB type), for the columns that we know."""
        known: dict[str, tuple[str, str]] = {}
        # A column that was mapped on purpose comes before one that merely has our name.
        for name, type_ in sorted(self.columns, key=lambda column: column[0] not in self.source.columns):
            ours = self.source.ours(name)
            if ours in SENSOR_READINGS.column_names:
                known.setdefault(ours, (name, type_))
        return known

    @property
    def their_rows_sql(self) -> str:
        """SELECT of its rows as they stand there."""
        return _their_rows_sql(self)

    @property
    def has(self) -> set[str]:
        """Our columns that its readings have."""
        is_timed = self.source.time.columns or any(
            self.source.ours(name) == "timestamp_device" for name, _ in self.theirs
        )
        return {*self.ours, *self.source.constants, *(("timestamp_device",) if is_timed else ())}

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """Their columns and tags that we ignore."""
        return unknown_names(self.theirs, self.source)


def probe(
    connection: duckdb.DuckDBPyConnection, path: Path, source: Source, name: str = "", *, whole: bool = False
) -> SourceFile:
    """Look at ``path`` without reading its rows.

    Args:
        connection: any DuckDB connection.
        path: the file.
        source: how it is to be read.
        name: how the ledger calls it; its own name where empty.
        whole: refuse a text file with any byte that is not in UTF-8, not only one in its first line.

    Returns:
        The file, known to have the required columns and at least one sensor.

    Raises:
        UnreadableFile: not a landing format, empty, damaged, or without the columns that are needed.
    """
    file = opened(connection, path, source, name, whole=whole)
    _require_columns_of_source(file)
    _require_columns(file)
    return file


def opened(
    connection: duckdb.DuckDBPyConnection, path: Path, source: Source, name: str = "", *, whole: bool = False
) -> SourceFile:
    """As :func:`probe`, of a file of which it is not yet known whether the source fits it."""
    format_ = format_of(path, source)
    if format_ is None:
        raise UnreadableFile(
            f"{path.name} is not a readings file",
            f"Name it {', '.join(ENDINGS)}, or say how to read it: fridge-assets sources add NAME FILE.",
        )
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path.name} is empty (0 bytes)", "Deliver it again with at least a header.")
    ready = prepared(path, format_, source)
    if format_ not in ("parquet", "excel"):
        # DuckDB passes over a header that is not UTF-8, and would take the first row of values for the names.
        try:
            require_utf8(ready.path, whole=whole)
        except NotInEncoding as error:
            raise UnreadableFile(error.problem, error.remedy) from error
    try:
        columns = their_columns(connection, ready.path, ready.format, source)
    except duckdb.Error as error:
        raise damaged(path, error) from error
    return SourceFile(path, name or path.name, ready.path, ready.format, columns, source, ready.folder)


def damaged(path: Path, error: Exception) -> UnreadableFile:
    """The error for a file that DuckDB cannot read."""
    reason = next(line for line in str(error).splitlines() if line.strip()).strip().rstrip(".")
    return UnreadableFile(
        f"{path.name} cannot be read: {reason.replace(str(path), path.name)}",
        "It looks truncated or damaged; deliver it again under a temporary name and rename it when complete.",
    )


def rows_sql(file: SourceFile, *others: SourceFile, most: int | None = None) -> str:
    """SELECT of the readings of ``file`` with ``__source_file``, ``__row_number`` and ``__malformed_line`` added.

    Columns are those of the file, or ours where the source makes readings of them; CSV and JSON values are text.
    Malformed CSV lines go to DuckDB's ``reject_errors``, malformed JSON lines come out as rows whose
    ``__malformed_line`` is set.

    Args:
        file: probed.
        others: Parquet files of the same folder, columns and source, read with it.
        most: rows of the file that are read; all where None.
    """
    rows = file.their_rows_sql if not others else _their_rows_sql(file, *others)
    if most is not None:
        rows = f"SELECT * FROM ({rows}) LIMIT {most}"
    return shaped_sql(rows, file.theirs, file.source)


def _their_rows_sql(file: SourceFile, *others: SourceFile) -> str:
    folder = file.name.rpartition("/")[0]
    paths = [file.read_path, *(other.read_path for other in others)]
    # Parquet files of one shape are read together, so that a row says itself which it is from.
    name = file.name if file.read_path.name != file.path.name or file.format != "parquet" else None
    prefix = f"{folder}/" if folder else ""
    return their_rows_sql(paths, file.format, file.theirs, file.source, folder=prefix, name=name)


def _require_columns_of_source(file: SourceFile) -> None:
    """Refuse a source that reads a column which the file does not have: it is meant for another one."""
    names = [name for name, _ in file.theirs]
    source = file.source
    known = {*names, *file.ours, *source.tags}
    given = [
        *((name, "--map") for name in source.columns),
        *((name, "--unit") for name in source.units if name not in known),
        *((name, "--time") for name in source.time.columns),
        *((name, "--tag-column") for name in (source.tag_column,) if name),
        *((name, "--value-column") for name in (source.value_column,) if name),
    ]
    for name, option in given:
        if name not in names:
            meant = nearest(name, names)
            question = f"Did you mean {meant}? " if meant else ""
            raise UnreadableFile(
                f"{file.path.name} has no column {name!r} for {option}",
                f"{question}Its columns are {', '.join(names) or 'none'}.",
            )


def _require_columns(file: SourceFile) -> None:
    names = ", ".join(name for name, _ in file.theirs) or "none"
    by_source = "or let fridge-assets sources add NAME FILE find out"
    for needed, example, otherwise in (
        ("device_id", "device_id", " or which device it is about with --constant device_id=NAME,"),
        ("timestamp_device", "timestamp", ","),
    ):
        if needed not in file.has:
            raise UnreadableFile(
                f"{file.path.name} has no column {example}; columns are {names}",
                f"Say which one it is with --map THEIR_COLUMN={needed}{otherwise} {by_source}.",
            )
    if not any(sensor.name in file.has for sensor in SENSORS):
        ours = ", ".join(s.name for s in SENSORS)
        raise UnreadableFile(
            f"{file.path.name} has none of the 14 sensor columns; columns are {names}",
            f"Name them with --map THEIR_COLUMN=OURS, {by_source}; ours are {ours}.",
        )

"""One landing file as it is: its format, its columns, and whether it can be read at all (SPEC 1.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from fridge_assets.contracts.sensor_readings import SENSOR_READINGS, SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import nearest
from fridge_assets.readings.encoding import NotInEncoding, require_utf8
from fridge_assets.readings.interpretation import Interpretation
from fridge_assets.stores.frames import text_literal

Format = Literal["parquet", "csv", "jsonl"]

FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
}

_MAX_LINE_BYTES = 10_000_000

_PATH = "__path"
"""Name of the column in which DuckDB gives the file; like the others that we add, not one that a device would send."""


class UnreadableFile(FridgeError):
    """A landing file as a whole cannot be read."""


@dataclass(frozen=True)
class SourceFile:
    """A readable landing file.

    Args:
        path: where it is.
        format: how it is encoded.
        columns: their column name → DuckDB type, in file order.
        interpretation: how to read the columns as ours.
    """

    path: Path
    format: Format
    columns: tuple[tuple[str, str], ...]
    interpretation: Interpretation

    @property
    def ours(self) -> dict[str, tuple[str, str]]:
        """Our column → (their column, DuckDB type), for the columns that we know."""
        known: dict[str, tuple[str, str]] = {}
        # A column that was mapped on purpose comes before one that merely has our name.
        for name, type_ in sorted(self.columns, key=lambda column: column[0] not in self.interpretation.columns):
            ours = self.interpretation.ours(name)
            if ours in SENSOR_READINGS.column_names:
                known.setdefault(ours, (name, type_))
        return known

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """Their columns that we ignore."""
        return tuple(n for n, _ in self.columns if self.interpretation.ours(n) not in SENSOR_READINGS.column_names)


def format_of(path: Path) -> Format | None:
    """The format that a file's name promises, None for a name that is not a landing file's."""
    name = path.name.lower()
    if name.startswith((".", "_")):
        return None
    for ending, format_ in FORMATS.items():
        if name.endswith(ending):
            return format_
    return None


def probe(connection: duckdb.DuckDBPyConnection, path: Path, interpretation: Interpretation) -> SourceFile:
    """Look at ``path`` without reading its rows.

    Args:
        connection: any DuckDB connection.
        path: the file.
        interpretation: how its columns are to be read.

    Returns:
        The file, known to have the required columns and at least one sensor.

    Raises:
        UnreadableFile: not a landing format, empty, damaged, or without the columns that are needed.
    """
    format_ = format_of(path)
    if format_ is None:
        raise UnreadableFile(f"{path.name} is not a readings file", f"Name it {', '.join(FORMATS)}.")
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path.name} is empty (0 bytes)", "Deliver it again with at least a header.")
    if format_ != "parquet":
        _require_readable_names(path)
    try:
        columns = _columns(connection, path, format_)
    except duckdb.Error as error:
        raise damaged(path, error) from error
    source = SourceFile(path, format_, columns, interpretation)
    _require_interpreted(source)
    _require_columns(source)
    return source


def damaged(path: Path, error: Exception) -> UnreadableFile:
    """The error for a file that DuckDB cannot read."""
    reason = next(line for line in str(error).splitlines() if line.strip()).strip().rstrip(".")
    return UnreadableFile(
        f"{path.name} cannot be read: {reason.replace(str(path), path.name)}",
        "It looks truncated or damaged; deliver it again under a temporary name and rename it when complete.",
    )


def rows_sql(source: SourceFile, paths: Sequence[Path]) -> str:
    """SELECT of the rows of ``paths`` (all shaped like ``source``) with ``__source_file`` and ``__row_number`` added.

    Columns keep their names; CSV and JSON values are text. Malformed CSV lines go to DuckDB's ``reject_errors``,
    malformed JSON lines come out as rows whose ``__malformed_line`` is set.
    """
    files = ", ".join(text_literal(str(path)) for path in paths)
    match source.format:
        case "parquet":
            return (
                f"SELECT * EXCLUDE ({_PATH}, file_row_number), parse_filename({_PATH}) AS __source_file, "
                "file_row_number + 1 AS __row_number, NULL::VARCHAR AS __malformed_line "
                f"FROM read_parquet([{files}], filename = '{_PATH}', file_row_number = true)"
            )
        case "csv":
            return (
                "SELECT *, row_number() OVER () AS __row_number, NULL::VARCHAR AS __malformed_line "
                f"FROM (SELECT * EXCLUDE ({_PATH}), parse_filename({_PATH}) AS __source_file "
                f"FROM {_read_csv(files)})"
            )
        case "jsonl":
            values = ", ".join(
                f"CASE WHEN json_valid(line) THEN line ->> {text_literal(_json_path(name))} END AS {identifier(name)}"
                for name, _ in source.columns
            )
            return (
                f"SELECT {values}, parse_filename({_PATH}) AS __source_file, row_number() OVER () AS __row_number, "
                "CASE WHEN NOT json_valid(line) OR json_type(line) <> 'OBJECT' THEN line END AS __malformed_line "
                f"FROM {_read_lines(files)} WHERE trim(line) <> ''"
            )


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _columns(connection: duckdb.DuckDBPyConnection, path: Path, format_: Format) -> tuple[tuple[str, str], ...]:
    file = text_literal(str(path))
    match format_:
        case "parquet":
            described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({file})").fetchall()
            return tuple((str(row[0]), str(row[1])) for row in described)
        case "csv":
            described = connection.execute(f"DESCRIBE SELECT * FROM {_read_csv(file, rejects=False)}").fetchall()
            return tuple((str(row[0]), "VARCHAR") for row in described if row[0] != _PATH)
        case "jsonl":
            keys = connection.execute(
                "SELECT DISTINCT unnest(json_keys(line)) AS key "
                f"FROM {_read_lines(file)} WHERE json_valid(line) AND json_type(line) = 'OBJECT' ORDER BY key"
            ).fetchall()
            return tuple((str(row[0]), "VARCHAR") for row in keys)


def _require_readable_names(path: Path) -> None:
    # DuckDB passes over a header that is not UTF-8, and would take the first row of values for the names.
    try:
        require_utf8(path, whole=False)
    except NotInEncoding as error:
        raise UnreadableFile(error.problem, error.remedy) from error


def _require_interpreted(source: SourceFile) -> None:
    """Refuse an interpretation of a column that the file does not have: it is meant for another one."""
    names = [name for name, _ in source.columns]
    units = [name for name in source.interpretation.units if name not in source.ours]
    for option, given in (("--map", source.interpretation.columns), ("--unit", units)):
        for name in given:
            if name not in names:
                meant = nearest(name, names)
                question = f"Did you mean {meant}? " if meant else ""
                raise UnreadableFile(
                    f"{source.path.name} has no column {name!r} for {option}",
                    f"{question}Its columns are {', '.join(names) or 'none'}.",
                )


def _require_columns(source: SourceFile) -> None:
    names = [name for name, _ in source.columns]
    for needed, example in (("device_id", "device_id"), ("timestamp_device", "timestamp")):
        if needed not in source.ours:
            raise UnreadableFile(
                f"{source.path.name} has no column {example}; columns are {', '.join(names) or 'none'}",
                f"Say which one it is with --map THEIR_COLUMN={needed}.",
            )
    if not any(sensor.name in source.ours for sensor in SENSORS):
        raise UnreadableFile(
            f"{source.path.name} has none of the 14 sensor columns; columns are {', '.join(names)}",
            "Name them with --map THEIR_COLUMN=OURS; ours are " + ", ".join(s.name for s in SENSORS) + ".",
        )


def _read_csv(files: str, *, rejects: bool = True) -> str:
    reject = ", store_rejects = true" if rejects else ", ignore_errors = true"
    return f"read_csv([{files}], header = true, all_varchar = true, filename = '{_PATH}', sample_size = 1000{reject})"


def _read_lines(files: str) -> str:
    # One column holding the whole line: a delimiter and quote that JSON text cannot contain.
    return (
        f"read_csv([{files}], columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false, delim = '\\x1f', "
        f"quote = '', escape = '', filename = '{_PATH}', max_line_size = {_MAX_LINE_BYTES})"
    )


def _json_path(name: str) -> str:
    return '$."' + name.replace('"', '\\"') + '"'

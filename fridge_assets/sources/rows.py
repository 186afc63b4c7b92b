"""Rows of a file as they stand there, in SQL: what DuckDB reads, one row per line, object or record."""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from fridge_assets.sources.line_protocol import columns_of, records_sql, value_sql
from fridge_assets.sources.prepare import head_of
from fridge_assets.sources.source import Format, Source
from fridge_assets.stores.frames import text_literal

Columns = tuple[tuple[str, str], ...]
"""Column name → DuckDB type."""

_MAX_LINE_BYTES = 10_000_000
_LEAST_DOCUMENT_BYTES, _MOST_DOCUMENT_BYTES = 16_000_000, 2_000_000_000
_PACKED = 20
"""How many times larger than its gzip file JSON may be."""
_DEEPEST = 3
"""Levels of objects in objects that are looked into."""
_NESTED_ROWS = 10_000
"""Records that are asked whether a key holds an object."""

_PATH = "__path"
"""Name of the column in which DuckDB gives the file; like the others that we add, not one that a device would send."""


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def their_columns(connection: duckdb.DuckDBPyConnection, path: Path, format_: Format, source: Source) -> Columns:
    """The columns of a file; text and JSON ones are VARCHAR, what is nested in JSON has the path as its name.

    What the topics of a source have brought within some seconds is a file, too; it has every column that the source
    expects, whatever is in it.
    """
    if source.topics and source.shape != "wide":
        return tuple((name, "VARCHAR") for name in source.expected_columns)
    found = _found_columns(connection, path, format_, source)
    if not source.topics:
        return found
    return tuple(dict.fromkeys((*found, *((name, "VARCHAR") for name in source.named_columns))))


def _found_columns(connection: duckdb.DuckDBPyConnection, path: Path, format_: Format, source: Source) -> Columns:
    file = text_literal(str(path))
    match format_:
        case "csv":
            described = connection.execute(
                f"DESCRIBE SELECT * FROM {_read_csv(file, source, rejects=False)}"
            ).fetchall()
            return tuple((str(row[0]), "VARCHAR") for row in described if row[0] != _PATH)
        case "line_protocol":
            return tuple((name, "VARCHAR") for name in columns_of(connection, _read_lines(file), _PATH))
        case "jsonl" | "json":
            lines = _lines_sql([path], format_)
            is_nested = format_ == "json" or source.format is not None
            return tuple((name, "VARCHAR") for name in _keys(connection, lines, "", _DEEPEST if is_nested else 0))
        case _:
            described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({file})").fetchall()
            return tuple((str(row[0]), str(row[1])) for row in described)


def _keys(connection: duckdb.DuckDBPyConnection, lines: str, prefix: str, depth: int) -> list[str]:
    """Keys of the objects below ``prefix``, down to ``depth`` further levels, in order."""
    below = f", {text_literal(_json_path(prefix, is_nested=True))}" if prefix else ""
    # Many records have the same keys: only what differs is taken apart.
    keys = f"SELECT DISTINCT TRY(json_keys(line{below})) AS keys FROM {lines}"
    sql = f"SELECT DISTINCT unnest(keys) AS key FROM ({keys}) ORDER BY key"
    names = [f"{prefix}.{key}" if prefix else str(key) for (key,) in connection.execute(sql).fetchall()]
    if not names or not depth:
        return names
    holds = ", ".join(
        f"bool_or(TRY(json_type(line, {text_literal(_json_path(name, is_nested=True))})) = 'OBJECT')" for name in names
    )
    (nested,) = connection.execute(f"SELECT {holds} FROM (FROM {lines} LIMIT {_NESTED_ROWS})").fetchall()
    found = []
    for name, is_object in zip(names, nested, strict=True):
        found += _keys(connection, lines, name, depth - 1) if is_object else [name]
    return found


def their_rows_sql(
    paths: Sequence[Path], format_: Format, columns: Columns, source: Source, *, folder: str, name: str | None
) -> str:
    """SELECT of the rows of ``paths``, all shaped alike, with what we add to them.

    Args:
        paths: one file; several where they are Parquet.
        format_: theirs.
        columns: theirs.
        source: how to read them.
        folder: what the ledger has before the name of a file.
        name: how the ledger calls the one file; None to have it from the path of each.
    """
    files = ", ".join(text_literal(str(path)) for path in paths)
    parsed = f"parse_filename({_PATH})"
    called = text_literal(name) if name is not None else f"{text_literal(folder)} || {parsed}" if folder else parsed
    match format_:
        case "csv":
            return (
                "SELECT *, row_number() OVER () AS __row_number, NULL::VARCHAR AS __malformed_line "
                f"FROM (SELECT * EXCLUDE ({_PATH}), {called} AS __source_file "
                f"FROM {_read_csv(files, source)})"
            )
        case "line_protocol":
            layout = [key for key, _ in columns]
            values = ", ".join(f"{value_sql(key, layout)} AS {identifier(key)}" for key in layout)
            return (
                f"SELECT {values}, {called} AS __source_file, row_number() OVER () AS __row_number, "
                "CASE WHEN names IS NULL AND NOT fits THEN line END AS __malformed_line "
                f"FROM ({records_sql(_read_lines(files), _PATH, layout)})"
            )
        case "jsonl" | "json":
            return _json_rows_sql(_lines_sql(paths, format_), columns, called)
        case _:
            return (
                f"SELECT * EXCLUDE ({_PATH}, file_row_number), {called} AS __source_file, "
                "file_row_number + 1 AS __row_number, NULL::VARCHAR AS __malformed_line "
                f"FROM read_parquet([{files}], filename = '{_PATH}', file_row_number = true)"
            )


def _read_csv(files: str, source: Source, *, rejects: bool = True) -> str:
    dialect = f", delim = {text_literal(source.delimiter)}" if source.delimiter else ""
    if source.skip_lines:
        dialect += f", skip = {source.skip_lines}"
    reject = ", store_rejects = true" if rejects else ", ignore_errors = true"
    return (
        f"read_csv([{files}], header = true, all_varchar = true, filename = '{_PATH}', sample_size = 1000"
        f"{dialect}{reject})"
    )


def _read_lines(files: str) -> str:
    # One column holding the whole line: a delimiter and quote that JSON text cannot contain.
    return (
        f"read_csv([{files}], columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false, delim = '\\x1f', "
        f"quote = '', escape = '', filename = '{_PATH}', max_line_size = {_MAX_LINE_BYTES})"
    )


def _lines_sql(paths: Sequence[Path], format_: Format) -> str:
    """Relation of ``line``, a record as a JSON object, and the file that it is from."""
    files = ", ".join(text_literal(str(path)) for path in paths)
    if format_ == "jsonl":
        return _read_lines(files)
    if all(_LIST_OF_OBJECTS.match(head_of(path, 100)) for path in paths):
        # DuckDB goes from one to the next, without a list as a whole.
        return f"(SELECT json AS line, {_PATH} FROM {_read_objects(files, 'array', _LEAST_DOCUMENT_BYTES)})"
    packed = max(path.stat().st_size * (_PACKED if path.suffix == ".gz" else 1) for path in paths)
    largest = min(max(packed, _LEAST_DOCUMENT_BYTES), _MOST_DOCUMENT_BYTES)
    return f"({_JSON_RECORDS.format(documents=_read_objects(files, 'auto', largest))})"


def _read_objects(files: str, format_: str, largest: int) -> str:
    # DuckDB sets aside twice as much as the largest document may have.
    return f"read_json_objects([{files}], format = '{format_}', filename = '{_PATH}', maximum_object_size = {largest})"


# DuckDB is slow to trim, and nearly all lines need not be.
_IS_OBJECT = r"CASE WHEN starts_with(line, '{') THEN true ELSE regexp_matches(line, '^\s*\{') END"
_LIST_OF_OBJECTS = re.compile(rb"\s*\[\s*\{")

# Lists in lists are taken apart. Where an object holds lists of objects, as in {"freezer-1": [{"ts": …}, …]}, each of
# these is a record that has the name of its list as "key".
_JSON_RECORDS = f"""
SELECT unnest(CASE WHEN len(lists) > 0
    THEN flatten(list_transform(lists, lambda name: list_transform(
      json_extract(record, '$."' || name || '"')::JSON[],
      lambda item: '{{{{"key":' || to_json(name) || CASE item::VARCHAR WHEN '{{{{}}}}' THEN '' ELSE ',' END
        || substr(item::VARCHAR, 2))))
    ELSE [record::VARCHAR] END) AS line, {_PATH}
FROM (
  SELECT record, {_PATH}, CASE WHEN json_type(record) = 'OBJECT' THEN list_filter(
    json_keys(record), lambda name: json_type(record, '$."' || name || '"[0]') IS NOT DISTINCT FROM 'OBJECT') END
    AS lists
  FROM (
    SELECT unnest(CASE WHEN json_type(json) = 'ARRAY' THEN json_extract(json, '$[*]') ELSE [json] END) AS record,
      {_PATH}
    FROM {{documents}}
  )
)
"""


def _json_rows_sql(lines: str, columns: Columns, called: str) -> str:
    """SELECT of the values of JSON records: each is parsed once, for all of them."""
    paths: list[str] = []
    values = []
    for name, _ in columns:
        places = [f"found[{len(paths) + number}]" for number, _ in enumerate(_paths_of(name), start=1)]
        paths += _paths_of(name)
        value = places[0] if len(places) == 1 else f"coalesce({', '.join(places)})"
        values.append(f"{value} AS {identifier(name)}")
    literals = ", ".join(map(text_literal, paths))
    # What is no JSON is null; what is no object has nothing at any path.
    return (
        f"SELECT {', '.join([*values, ''])}{called} AS __source_file, row_number() OVER () AS __row_number, "
        f"CASE WHEN found IS NULL OR NOT {_IS_OBJECT} THEN line END AS __malformed_line "
        f"FROM (SELECT line, {_PATH}, TRY(json_extract_string(line, [{literals}]::VARCHAR[])) AS found "
        f"FROM {lines} WHERE CASE WHEN starts_with(line, '{{') THEN true ELSE trim(line) <> '' END)"
    )


def _paths_of(name: str) -> list[str]:
    paths = [_json_path(name)]
    return [*paths, _json_path(name, is_nested=True)] if "." in name else paths


def _json_path(name: str, *, is_nested: bool = False) -> str:
    keys = name.split(".") if is_nested else [name]
    return "$" + "".join('."' + key.replace('"', '\\"') + '"' for key in keys)

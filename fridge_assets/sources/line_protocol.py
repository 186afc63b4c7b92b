r"""InfluxDB line protocol in SQL: measurement, tags, fields and the time of a line as two lists, names and values.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

from collections.abc import Sequence

import duckdb

from fridge_assets.stores.frames import text_literal

_FIRST = ("measurement", "time")
"""Columns of every line; those of its tags and fields follow."""
_SAMPLED = 1000
"""Lines that say which names most have."""
_WHOLE_NUMBER = r"regexp_replace({}, '^(-?\d+)[iu]$', '\1')"
"""The protocol marks a whole number by a letter."""

_SIMPLE = r"[^ ,=\\\"]+(,[^ ,=\\\"]+=[^ ,=\\\"]+)* [^ ,=\\\"]+=[^ ,=\\\"]+(,[^ ,=\\\"]+=[^ ,=\\\"]+)*( -?\d+)?"
"""A line without quotes and escapes, as nearly all are: it is split at its blanks and commas, ten times as fast."""

_WHOLE = r'^(?P<head>(?:\\.|[^ \\])+) +(?P<fields>(?:"(?:\\.|[^"\\])*"|\\.|[^ "\\])+)(?: +(?P<time>-?\d+))?$'
_PART = r"(?:\\.|[^,\\])+"
_FIELD = r'(?:\\.|[^,=\\])+=(?:"(?:\\.|[^"\\])*"|(?:\\.|[^,"\\])*)'
_NAME = r"^((?:\\.|[^=\\])+)="
_VALUE = r"^(?:\\.|[^=\\])+=(.*)$"


def columns_of(connection: duckdb.DuckDBPyConnection, lines: str, path: str) -> list[str]:
    """Names of what is in lines of the protocol: those of most lines, in their order, and then the others.

    Args:
        connection: any.
        lines: relation of ``line`` and the column ``path``.
        path: name of the column of the file.
    """
    some = f"SELECT names FROM ({records_sql(f'(FROM {lines} LIMIT {_SAMPLED})', path)}) WHERE names IS NOT NULL"
    usual = connection.execute(f"{some} GROUP BY names ORDER BY count(*) DESC LIMIT 1").fetchall()
    layout = [str(name) for name in usual[0][0]] if usual else []
    others = f"SELECT DISTINCT names FROM ({records_sql(lines, path, layout)}) WHERE names IS NOT NULL"
    found = connection.execute(f"SELECT DISTINCT unnest(names) AS name FROM ({others}) ORDER BY name").fetchall()
    return list(dict.fromkeys([*layout, *(str(name) for (name,) in found)]))


def value_sql(name: str, layout: Sequence[str]) -> str:
    """SQL of the value that a line has under ``name``, of what :func:`records_sql` gives for the same layout."""
    given = f"entries[list_position(names, {text_literal(name)})]"
    if name not in layout or not _is_plain(layout):
        return given
    place = layout.index(name)
    if place < len(_FIRST):
        return f"CASE WHEN fits THEN parts[{1 if place == 0 else len(layout)}] ELSE {given} END"
    value = f"substr(parts[{place}], {len(name) + 2})"
    is_field = f"contains(',' || split_part(line, ' ', 2), {text_literal(f',{name}=')})"
    is_whole = f"CASE WHEN suffix({value}, 'i') OR suffix({value}, 'u') THEN {is_field} ELSE false END"
    number = f"CASE WHEN {is_whole} THEN {_WHOLE_NUMBER.format(value)} ELSE {value} END"
    return f"CASE WHEN fits THEN {number} ELSE {given} END"


def records_sql(lines: str, path: str, layout: Sequence[str] = ()) -> str:
    """SELECT of ``line``, ``fits``, ``parts``, ``names`` and ``entries`` of every line.

    Where a line ``fits`` the layout it has ``parts`` instead of names and entries; all are null for one that is no
    line of the protocol.

    Args:
        lines: relation of ``line`` and the column ``path``.
        path: name of the column of the file.
        layout: names that a line is expected to have, in their order.
    """
    simple_names, simple_values = (f"lambda pair: split_part(pair, '=', {place})" for place in (1, 2))
    whole_number = "lambda value: CASE WHEN suffix(value, 'i') OR suffix(value, 'u') THEN " + (
        f"{_WHOLE_NUMBER.format('value')} ELSE value END"
    )
    name = _unescaped(f"regexp_extract(pair, '{_NAME}', 1)")
    value = f"regexp_extract(pair, '{_VALUE}', 1)"
    bare = rf"regexp_replace({value}, '^" + r'"((?:.|\n)*)"$' + r"', '\1')"
    first = f"[{', '.join(map(text_literal, _FIRST))}]"
    parts = "string_split(replace(line, ' ', ','), ',')" if _is_plain(layout) else "NULL::VARCHAR[]"
    return f"""
SELECT line, {path}, fits, parts,
  CASE WHEN fits THEN NULL
    WHEN is_simple THEN list_concat({first}, list_transform(tags[2:], {simple_names}),
      list_transform(fields, {simple_names}))
    WHEN len(fields) > 0 THEN list_concat({first}, list_transform(tags[2:], lambda pair: {name}),
      list_transform(fields, lambda pair: {name})) END AS names,
  CASE WHEN fits THEN NULL
    WHEN is_simple THEN list_concat([tags[1], nullif(moment, '')], list_transform(tags[2:], {simple_values}),
      list_transform(list_transform(fields, {simple_values}), {whole_number}))
    WHEN len(fields) > 0 THEN list_concat([{_unescaped("tags[1]")}, nullif(moment, '')],
      list_transform(tags[2:], lambda pair: {_unescaped(value)}),
      list_transform(list_transform(fields, lambda pair: {_unescaped(bare)}), {whole_number})) END AS entries
FROM (
  SELECT line, {path}, fits, parts, is_simple,
    CASE WHEN fits THEN NULL WHEN is_simple THEN string_split(split_part(line, ' ', 1), ',')
      ELSE regexp_extract_all(split.head, '{_PART}') END AS tags,
    CASE WHEN fits THEN NULL WHEN is_simple THEN string_split(split_part(line, ' ', 2), ',')
      ELSE regexp_extract_all(split.fields, '{_FIELD}') END AS fields,
    CASE WHEN fits THEN NULL WHEN is_simple THEN split_part(line, ' ', 3) ELSE split.time END AS moment
  FROM (
    SELECT *, CASE WHEN NOT fits AND NOT is_simple THEN
      regexp_extract(trim(line), '{_WHOLE}', ['head', 'fields', 'time']) END AS split
    FROM (
      SELECT *, CASE WHEN NOT fits THEN regexp_full_match(line, '{_SIMPLE}') END AS is_simple
      FROM (
        SELECT *, {_fits(layout)} AS fits FROM (SELECT line, {path}, {parts} AS parts FROM {lines})
      )
      WHERE CASE WHEN fits THEN true ELSE trim(line) <> '' AND NOT starts_with(trim(line), '#') END
    )
  )
)"""


def _fits(layout: Sequence[str]) -> str:
    """SQL of whether a line has exactly the names of ``layout`` and nothing that needs a second look."""
    if not _is_plain(layout):
        return "false"
    pairs = layout[len(_FIRST) :]
    conditions = [
        f"len(parts) = {len(layout)}",
        *(f"starts_with(parts[{place}], {text_literal(f'{name}=')})" for place, name in enumerate(pairs, start=2)),
        "length(line) - length(replace(line, ' ', '')) = 2",
        f"length(line) - length(replace(line, '=', '')) = {len(pairs)}",
        *(f"NOT contains(line, {text_literal(text)})" for text in ('"', "\\", "=,", "= ")),
        "NOT starts_with(line, '#')",
        "parts[1] <> ''",
        "TRY_CAST(parts[-1] AS BIGINT) IS NOT NULL",
    ]
    return f"coalesce({' AND '.join(conditions)}, false)"


def _is_plain(layout: Sequence[str]) -> bool:
    """Whether the names are those of lines that can be split at their blanks and commas."""
    pairs = layout[len(_FIRST) :]
    return tuple(layout[: len(_FIRST)]) == _FIRST and bool(pairs) and not any(set(' ,="\\') & set(n) for n in pairs)


def _unescaped(text: str) -> str:
    return rf"regexp_replace({text}, '\\(.)', '\1', 'g')"

"""InfluxDB line protocol as JSON objects, in SQL: measurement, tags, fields and the time of a line.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

_WHOLE = r'^(?P<head>(?:\\.|[^ \\])+) +(?P<fields>(?:"(?:\\.|[^"\\])*"|\\.|[^ "\\])+)(?: +(?P<time>-?\d+))?$'
_PART = r"(?:\\.|[^,\\])+"
_FIELD = r'(?:\\.|[^,=\\])+=(?:"(?:\\.|[^"\\])*"|(?:\\.|[^,"\\])*)'
_KEY = r"^((?:\\.|[^=\\])+)="
_VALUE = r"^(?:\\.|[^=\\])+=(.*)$"


def records_sql(lines: str, path: str) -> str:
    """SELECT of ``line`` as a JSON object with ``measurement``, ``time``, and a key per tag and field.

    A line that is none of the protocol stays as it is, which is no JSON.

    Args:
        lines: relation of ``line`` and the column ``path``.
        path: name of the column of the file.
    """
    key, value = f"regexp_extract(pair, '{_KEY}', 1)", f"regexp_extract(pair, '{_VALUE}', 1)"
    # A whole number ends in i or u, text stands in quotes.
    bare = rf"regexp_replace(regexp_replace({value}, '^(-?\d+)[iu]$', '\1'), '^" + r'"((?:.|\n)*)"$' + r"', '\1')"
    entry = "{{'k': {key}, 'v': {value}}}"
    tag = entry.format(key=_unescaped(key), value=_unescaped(value))
    field = entry.format(key=_unescaped(key), value=_unescaped(bare))
    return f"""
SELECT CASE WHEN len(fields) > 0 THEN coalesce(TRY(to_json(map_from_entries(list_concat(
    [{{'k': 'measurement', 'v': {_unescaped("parts[1]")}}}, {{'k': 'time', 'v': nullif(split.time, '')}}],
    list_transform(parts[2:], lambda pair: {tag}),
    list_transform(fields, lambda pair: {field})
  )))::VARCHAR), line) ELSE line END AS line, {path}
FROM (
  SELECT *, regexp_extract_all(split.head, '{_PART}') AS parts, regexp_extract_all(split.fields, '{_FIELD}') AS fields
  FROM (
    SELECT line, {path}, regexp_extract(trim(line), '{_WHOLE}', ['head', 'fields', 'time']) AS split
    FROM {lines} WHERE NOT starts_with(trim(line), '#')
  )
)"""


def _unescaped(text: str) -> str:
    return rf"regexp_replace({text}, '\\(.)', '\1', 'g')"

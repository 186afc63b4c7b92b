r"""InfluxDB line protocol in SQL: measurement, tags, fields and the time of a line as two lists, names and values.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

_SIMPLE = r"[^ ,=\\\"]+(,[^ ,=\\\"]+=[^ ,=\\\"]+)* [^ ,=\\\"]+=[^ ,=\\\"]+(,[^ ,=\\\"]+=[^ ,=\\\"]+)*( -?\d+)?"
"""A line without quotes and escapes, as nearly all are: it is split at its blanks and commas, ten times as fast."""

_WHOLE = r'^(?P<head>(?:\\.|[^ \\])+) +(?P<fields>(?:"(?:\\.|[^"\\])*"|\\.|[^ "\\])+)(?: +(?P<time>-?\d+))?$'
_PART = r"(?:\\.|[^,\\])+"
_FIELD = r'(?:\\.|[^,=\\])+=(?:"(?:\\.|[^"\\])*"|(?:\\.|[^,"\\])*)'
_NAME = r"^((?:\\.|[^=\\])+)="
_VALUE = r"^(?:\\.|[^=\\])+=(.*)$"


def records_sql(lines: str, path: str) -> str:
    """SELECT of ``line``, ``names`` and ``entries`` of every line; both are null for one that is none of the protocol.

    Args:
        lines: relation of ``line`` and the column ``path``.
        path: name of the column of the file.
    """
    simple_names, simple_values = (f"lambda pair: split_part(pair, '=', {place})" for place in (1, 2))
    whole_number = r"lambda value: CASE WHEN suffix(value, 'i') OR suffix(value, 'u') THEN " + (
        r"regexp_replace(value, '^(-?\d+)[iu]$', '\1') ELSE value END"
    )
    name = _unescaped(f"regexp_extract(pair, '{_NAME}', 1)")
    value = f"regexp_extract(pair, '{_VALUE}', 1)"
    bare = rf"regexp_replace({value}, '^" + r'"((?:.|\n)*)"$' + r"', '\1')"
    first = "['measurement', 'time']"
    return f"""
SELECT line, {path},
  CASE WHEN is_simple THEN list_concat({first}, list_transform(tags[2:], {simple_names}),
      list_transform(fields, {simple_names}))
    WHEN len(fields) > 0 THEN list_concat({first}, list_transform(tags[2:], lambda pair: {name}),
      list_transform(fields, lambda pair: {name})) END AS names,
  CASE WHEN is_simple THEN list_concat([tags[1], nullif(moment, '')], list_transform(tags[2:], {simple_values}),
      list_transform(list_transform(fields, {simple_values}), {whole_number}))
    WHEN len(fields) > 0 THEN list_concat([{_unescaped("tags[1]")}, nullif(moment, '')],
      list_transform(tags[2:], lambda pair: {_unescaped(value)}),
      list_transform(list_transform(fields, lambda pair: {_unescaped(bare)}), {whole_number})) END AS entries
FROM (
  SELECT line, {path}, is_simple,
    CASE WHEN is_simple THEN string_split(split_part(line, ' ', 1), ',')
      ELSE regexp_extract_all(split.head, '{_PART}') END AS tags,
    CASE WHEN is_simple THEN string_split(split_part(line, ' ', 2), ',')
      ELSE regexp_extract_all(split.fields, '{_FIELD}') END AS fields,
    CASE WHEN is_simple THEN split_part(line, ' ', 3) ELSE split.time END AS moment
  FROM (
    SELECT *, CASE WHEN NOT is_simple THEN regexp_extract(trim(line), '{_WHOLE}', ['head', 'fields', 'time']) END
      AS split
    FROM (SELECT line, {path}, regexp_full_match(line, '{_SIMPLE}') AS is_simple FROM {lines}
      WHERE trim(line) <> '' AND NOT starts_with(trim(line), '#'))
  )
)"""


def _unescaped(text: str) -> str:
    return rf"regexp_replace({text}, '\\(.)', '\1', 'g')"

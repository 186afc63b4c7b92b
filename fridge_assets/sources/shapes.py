"""Rows of a file as readings, where a row is not one: a column per device and sensor, or a value per row."""

import re
from collections import defaultdict
from collections.abc import Mapping

from fridge_assets.contracts.sensor_readings import SENSOR_READINGS, SENSORS
from fridge_assets.sources.rows import Columns, identifier
from fridge_assets.sources.scalars import boolean_sql, number_sql, present_sql
from fridge_assets.sources.source import Source
from fridge_assets.sources.times import moment_sql, passes_sql
from fridge_assets.stores.frames import text_literal

ALIGNED = "__time"
ALIGNED_TEXT = "__time_text"
"""Columns of the time of readings that were put together from values of one span, and of how it was written."""

_ADDED = ("__source_file", "__row_number", "__malformed_line")


def shaped_columns(theirs: Columns, source: Source) -> Columns:
    """Column name → DuckDB type of what :func:`shaped_sql` gives."""
    match source.shape:
        case "row":
            return theirs
        case "wide":
            cells = _cells(theirs, source)
            made = {"device_id": "VARCHAR"} if cells else {}
            beside = {n: t for n, t in theirs if n not in _cell_columns(cells) and n not in made}
            return tuple((beside | made | dict.fromkeys(_sensors_of(cells), "VARCHAR")).items())
        case "long":
            types = dict(theirs)
            times = (
                {ALIGNED: "TIMESTAMP WITH TIME ZONE", ALIGNED_TEXT: "VARCHAR"}
                if source.align_seconds
                else {n: types[n] for n in _time_columns(theirs, source)}
            )
            return tuple((times | {"device_id": "VARCHAR"} | dict.fromkeys(_tagged(source), "VARCHAR")).items())


def shaped_sql(rows: str, theirs: Columns, source: Source) -> str:
    """SELECT of readings from the ``rows`` (SQL) of a file with the columns ``theirs``."""
    match source.shape:
        case "row":
            return rows
        case "wide":
            return _wide_sql(rows, theirs, source)
        case "long":
            return _long_sql(rows, theirs, source)


def unknown_names(theirs: Columns, source: Source) -> tuple[str, ...]:
    """Columns that the source knows nothing of."""
    used = {*source.time.columns, source.tag_column, source.value_column}
    if source.shape == "wide":
        used |= _cell_columns(_cells(theirs, source))
    return tuple(n for n, _ in theirs if n not in used and source.ours(n) not in SENSOR_READINGS.column_names)


def unknown_tags_sql(rows: str, source: Source) -> str:
    """SELECT of the tags of a long file that the source does not know, and how many values each has."""
    tagged = _tagged_sql(rows, source)
    unknown = "__sensor IS NULL AND __tag IS NOT NULL"
    return f"SELECT __tag, count(*) FROM ({tagged}) WHERE {unknown} GROUP BY __tag ORDER BY __tag"


def _cells(theirs: Columns, source: Source) -> dict[str, dict[str, str]]:
    """Device → sensor → column of a wide file."""
    cells: dict[str, dict[str, str]] = defaultdict(dict)
    constant = str(source.constants.get("device_id", ""))
    for name, _ in theirs:
        tag = source.tag(name)
        if tag is not None and (tag.device or constant):
            cells[tag.device or constant].setdefault(tag.sensor, name)
    return cells


def _cell_columns(cells: Mapping[str, Mapping[str, str]]) -> set[str]:
    return {column for sensors in cells.values() for column in sensors.values()}


def _sensors_of(cells: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [sensor.name for sensor in SENSORS if any(sensor.name in sensors for sensors in cells.values())]


def _wide_sql(rows: str, theirs: Columns, source: Source) -> str:
    cells = _cells(theirs, source)
    if not cells:
        return rows
    sensors, taken = _sensors_of(cells), _cell_columns(cells) | {"device_id"}
    beside = ", ".join(identifier(n) for n in (*(n for n, _ in theirs if n not in taken), *_ADDED))
    # Text, because the cells of one sensor may have other types for other devices.
    devices = ", ".join(
        "{"
        + ", ".join(
            [f"'device_id': {text_literal(device)}"]
            + [
                f"'{sensor}': {_cell_value(columns[sensor], theirs, source) if sensor in columns else 'NULL::VARCHAR'}"
                for sensor in sensors
            ]
        )
        + "}"
        for device, columns in cells.items()
    )
    found = ", ".join(f"cell.{sensor} AS {sensor}" for sensor in sensors)
    something = " OR ".join(f"cell.{sensor} IS NOT NULL" for sensor in sensors)
    # A device without any value in a row is none of its readings.
    return (
        f"SELECT {beside}, cell.device_id AS device_id, {found} "
        f"FROM (SELECT {beside}, unnest([{devices}]) AS cell FROM ({rows})) "
        f"WHERE {something} OR __malformed_line IS NOT NULL"
    )


def _cell_value(column: str, theirs: Columns, source: Source) -> str:
    """SQL of a cell as text; in our unit where columns of its sensor have units of their own."""
    value = identifier(column)
    tag = source.tag(column)
    if tag is None or tag.sensor not in source.sensors_with_tag_units:
        return f"{value}::VARCHAR"
    factor, summand = (f"{part!r}" for part in source.tag_conversion(tag))
    number = number_sql(column, dict(theirs)[column], source).replace(f"src.{value}", value)
    return _converted(value, number, factor, summand, source)


def _long_sql(rows: str, theirs: Columns, source: Source) -> str:
    sensors = _tagged(source)
    type_ = dict(theirs)[source.value_column]
    present, number = present_sql(source.value_column, type_, source), number_sql(source.value_column, type_, source)
    flags = [s.name for s in SENSORS if s.is_boolean and s.name in sensors]
    is_flag = f"src.__sensor IN ({', '.join(map(text_literal, flags))})" if flags else "false"
    readable = f"CASE WHEN {is_flag} THEN {boolean_sql(f'{present}::VARCHAR', number)}::DOUBLE ELSE {number} END"
    times, device = _time_columns(theirs, source), _device_sql(theirs, source)
    text, tagged = _time_text(times, source), _tagged_sql(rows, source)
    if source.has_summer_time:
        tagged = passes_sql(tagged, f"{device}, src.__tag", text, source.time, source.timezone)
    if source.align_seconds:
        span = source.align_seconds * 1_000_000
        moment, _ = moment_sql(text, source.time, source.timezone)
        if source.has_summer_time:
            moment = "(src.__moment - CASE WHEN src.__doubled AND NOT src.__second THEN INTERVAL 1 HOUR " + (
                "ELSE INTERVAL 0 HOUR END)"
            )
        bucket = f"make_timestamptz(epoch_us({moment}) // {span} * {span})"
        keys = {ALIGNED: bucket, ALIGNED_TEXT: f"CASE WHEN {moment} IS NULL THEN {text} ELSE '' END"}
    else:
        keys = {name: f"src.{identifier(name)}" for name in times}
    key_list = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in keys.items())
    values = ", ".join(
        f"arg_min(__value::VARCHAR, __row_number) FILTER (__sensor = '{name}') AS {name}" for name in sensors
    )
    names = ", ".join(identifier(name) for name in keys)
    second = ", src.__second" if source.has_summer_time and not source.align_seconds else ""
    # A value that cannot be read is a reading of its own, so that it costs no other value.
    return f"""
SELECT {names}, device_id, {values}, any_value(__source_file) AS __source_file, min(__row_number) AS __row_number,
  any_value(__malformed_line) AS __malformed_line
FROM (
  SELECT {key_list}, {device} AS device_id, src.__sensor, {_long_value(source, number)} AS __value,
    src.__source_file, src.__row_number, src.__malformed_line,
    CASE WHEN src.__malformed_line IS NOT NULL OR ({present} IS NOT NULL AND ({readable}) IS NULL)
      THEN src.__row_number END AS __apart{second}
  FROM ({tagged}) AS src
  WHERE (src.__sensor IS NOT NULL AND {present} IS NOT NULL) OR src.__malformed_line IS NOT NULL
)
GROUP BY {names}, device_id, __apart{", __second" if second else ""}"""


def _long_value(source: Source, number: str) -> str:
    """SQL of a value; in our unit where tags of its sensor have units of their own."""
    value = f"src.{identifier(source.value_column)}"
    own = source.sensors_with_tag_units
    if not own:
        return value
    is_own = f"src.__sensor IN ({', '.join(map(text_literal, own))})"
    ours = _converted(value, number, "src.__factor", "src.__summand", source)
    return f"CASE WHEN {is_own} THEN {ours} ELSE {value}::VARCHAR END"


def _converted(value: str, number: str, factor: str, summand: str, source: Source) -> str:
    """SQL of ``value`` as text in our unit; what is no number stays as it is."""
    ours = f"({number} * {factor} + {summand})::VARCHAR"
    if source.decimal == ",":
        ours = f"replace({ours}, '.', ',')"
    return f"coalesce({ours}, {value}::VARCHAR)"


def _tagged_sql(rows: str, source: Source) -> str:
    """The rows with ``__tag``, its ``__sensor`` (null for an unknown one) and ``__tag_device``."""
    tag = f"trim({identifier(source.tag_column)}::VARCHAR)"
    known = ", ".join(
        f"({', '.join(map(text_literal, (name, meant.sensor, meant.device)))}, {factor!r}, {offset!r})"
        for name, meant in source.tags.items()
        for factor, offset in (source.tag_conversion(meant),)
    )
    table = f"(VALUES {known})"
    if not source.pattern:
        return (
            "SELECT whole.*, exact.sensor AS __sensor, exact.device AS __tag_device, exact.factor AS __factor, "
            "exact.summand AS __summand "
            f"FROM (SELECT *, {tag} AS __tag FROM ({rows})) AS whole "
            f"LEFT JOIN {table} AS exact(name, sensor, device, factor, summand) ON exact.name = whole.__tag"
        )
    pattern = text_literal(f"^(?:{source.pattern})$")
    groups = ", ".join(map(text_literal, re.compile(source.pattern).groupindex))
    parts = f"regexp_extract({tag}, {pattern}, [{groups}])"
    return (
        "SELECT whole.*, coalesce(exact.sensor, split.sensor) AS __sensor, "
        "CASE WHEN exact.sensor IS NOT NULL THEN exact.device ELSE __part.device END AS __tag_device, "
        "coalesce(exact.factor, split.factor) AS __factor, coalesce(exact.summand, split.summand) AS __summand "
        f"FROM (SELECT *, {tag} AS __tag, {parts} AS __part FROM ({rows})) AS whole "
        f"LEFT JOIN {table} AS exact(name, sensor, device, factor, summand) ON exact.name = whole.__tag "
        f"LEFT JOIN {table} AS split(name, sensor, device, factor, summand) ON split.name = whole.__part.tag"
    )


def _device_sql(theirs: Columns, source: Source) -> str:
    columns = [name for name, _ in theirs if source.ours(name) == "device_id"]
    parts = ["nullif(src.__tag_device, '')", *(f"src.{identifier(name)}::VARCHAR" for name in columns[:1])]
    return f"coalesce({', '.join(parts)}, {text_literal(str(source.constants.get('device_id', '')))})"


def _time_columns(theirs: Columns, source: Source) -> list[str]:
    if source.time.columns:
        return list(source.time.columns)
    mapped = [name for name in source.columns if source.columns[name] == "timestamp_device"]
    return (mapped or [name for name, _ in theirs if source.ours(name) == "timestamp_device"])[:1]


def _time_text(columns: list[str], source: Source) -> str:
    parts = [present_sql(name, "VARCHAR", source) for name in columns]
    return " || ' ' || ".join(parts) if parts else "NULL::VARCHAR"


def _tagged(source: Source) -> list[str]:
    named = {tag.sensor for tag in source.tags.values()}
    return [sensor.name for sensor in SENSORS if sensor.name in named]

"""Columns of a file as landing columns, in SQL: values in our units, times in UTC, and what cannot be read."""

from fridge_assets.contracts.sensor_readings import SENSORS, Sensor
from fridge_assets.sources.file import SourceFile
from fridge_assets.sources.rows import identifier
from fridge_assets.sources.scalars import boolean_sql, is_number, number_sql, present_sql
from fridge_assets.sources.shapes import ALIGNED, ALIGNED_TEXT
from fridge_assets.sources.source import FILE_NAME, ISO
from fridge_assets.sources.times import moment_sql
from fridge_assets.stores.frames import text_literal

_ZONELESS_TYPES = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATE")
_FILE_STEM = "regexp_extract(src.__source_file, '([^/.]+)[^/]*$', 1)"


def landing_columns(file: SourceFile) -> list[str]:
    """SELECT list of the landing columns of ``src``, which :func:`~fridge_assets.sources.file.rows_sql` gives.

    Beside those of the contract: ``timestamp_text``, the time as it is written; ``zoneless``, whether it names no zone;
    ``unreadable``, the complaint about the first value that cannot be read.
    """
    columns = []
    problems = []
    for sensor in SENSORS:
        value, problem = _sensor_value(file, sensor)
        columns.append(f"{value} AS {sensor.name}")
        if problem:
            problems.append(problem)
    sequence, problem = _sequence_number(file)
    columns.append(f"{sequence} AS sequence_number")
    if problem:
        problems.append(problem)
    device_time, device_text, zoneless = _time_of_reading(file)
    ingested_time, _, _ = _timestamp(file, "timestamp_ingested")
    columns += [
        f"{_word(file, 'event_id')} AS event_id",
        f"{device_sql(file)} AS device_id",
        f"{device_time} AS timestamp_device",
        f"{device_text} AS timestamp_text",
        f"{zoneless} AS zoneless",
        f"{ingested_time} AS timestamp_ingested",
        f"coalesce({', '.join(problems)}, NULL::VARCHAR) AS unreadable" if problems else "NULL::VARCHAR AS unreadable",
    ]
    return columns


def _sensor_value(file: SourceFile, sensor: Sensor) -> tuple[str, str | None]:
    """(SQL of the value in our unit, SQL of the complaint or None when every value can be read)."""
    if sensor.name not in file.ours:
        constant = file.source.constants.get(sensor.name)
        type_ = "BOOLEAN" if sensor.is_boolean else "DOUBLE"
        return f"{'NULL' if constant is None else text_literal(str(constant))}::{type_}", None
    theirs, type_ = file.ours[sensor.name]
    factor, offset = file.source.conversion(sensor.name)
    number = number_sql(theirs, type_, file.source)
    if sensor.is_boolean:
        if type_ == "BOOLEAN":
            return f"src.{identifier(theirs)}", None
        if is_number(type_):
            zero_or_one = f"CASE {number} WHEN 0 THEN false WHEN 1 THEN true END"
            return zero_or_one, _complaint(file, theirs, type_, zero_or_one, "not true, false, 0 or 1")
        value = boolean_sql(present_sql(theirs, type_, file.source), number)
        return value, _complaint(file, theirs, type_, value, "not true, false, 0 or 1")
    value = number if (factor, offset) == (1.0, 0.0) else f"{number} * {factor!r} + {offset!r}"
    return value, None if is_number(type_) else _complaint(file, theirs, type_, number, "not a number")


def _sequence_number(file: SourceFile) -> tuple[str, str | None]:
    if "sequence_number" not in file.ours:
        return "NULL::BIGINT", None
    theirs, type_ = file.ours["sequence_number"]
    value = f"TRY_CAST({present_sql(theirs, type_, file.source)} AS BIGINT)"
    return value, _complaint(file, theirs, type_, value, "not a whole number")


def _time_of_reading(file: SourceFile) -> tuple[str, str, str]:
    """As :func:`_timestamp`, of the time that the source describes."""
    time, types = file.source.time, dict(file.columns)
    if ALIGNED in types:
        return f"src.{ALIGNED}", f"src.{ALIGNED_TEXT}", "false"
    if len(time.columns) == 1:
        return _typed_time(file, time.columns[0], types[time.columns[0]], described=True)
    if time.columns:
        parts = (f"nullif(trim(src.{identifier(name)}::VARCHAR), '')" for name in time.columns)
        text = " || ' ' || ".join(parts)
        return (*_moment(file, text, described=True),)
    return _timestamp(file, "timestamp_device")


def _timestamp(file: SourceFile, ours: str) -> tuple[str, str, str]:
    """(SQL of the UTC time, SQL of its text, SQL of whether it came without a zone)."""
    if ours not in file.ours:
        return "NULL::TIMESTAMPTZ", "NULL::VARCHAR", "false"
    return _typed_time(file, *file.ours[ours], described=ours == "timestamp_device")


def _typed_time(file: SourceFile, theirs: str, type_: str, *, described: bool) -> tuple[str, str, str]:
    column = f"src.{identifier(theirs)}"
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return column, f"CASE WHEN {column} IS NOT NULL THEN '' END", "false"
    if type_ in _ZONELESS_TYPES:
        zone = file.source.timezone
        return (
            f"{column}::TIMESTAMP AT TIME ZONE '{zone}'",
            f"CASE WHEN {column} IS NOT NULL THEN '' END",
            "true",
        )
    text = f"{column}::VARCHAR" if is_number(type_) else present_sql(theirs, type_, file.source)
    return _moment(file, text, described=described)


def _moment(file: SourceFile, text: str, *, described: bool) -> tuple[str, str, str]:
    time = file.source.time if described else file.source.time.model_copy(update={"format": ISO})
    moment, zoneless = moment_sql(text, time, file.source.timezone)
    return moment, text, zoneless


def device_sql(file: SourceFile) -> str:
    """SQL of the device of a row of ``src``."""
    word = _word(file, "device_id")
    if file.source.shape == "row" and file.source.pattern:
        pattern = text_literal(f"^(?:{file.source.pattern})$")
        word = f"nullif(regexp_extract({word}, {pattern}, ['device']).device, '')"
    devices = file.source.devices
    if not devices:
        return word
    theirs = ", ".join(map(text_literal, devices))
    ours = ", ".join(map(text_literal, devices.values()))
    return f"coalesce(map([{theirs}], [{ours}])[{word}], {word})"


def _word(file: SourceFile, ours: str) -> str:
    if ours not in file.ours:
        constant = file.source.constants.get(ours)
        if constant is None:
            return "NULL::VARCHAR"
        return _FILE_STEM if constant == FILE_NAME else text_literal(str(constant))
    theirs, _ = file.ours[ours]
    return f"nullif(trim(src.{identifier(theirs)}::VARCHAR), '')"


def _complaint(file: SourceFile, theirs: str, type_: str, value: str, problem: str) -> str:
    present = present_sql(theirs, type_, file.source)
    name = theirs.replace("'", "''")
    finite = f" AND NOT isnan({present}::DOUBLE)" if type_ in ("FLOAT", "DOUBLE") else ""
    complaint = f"'{name} is ''' || {present}::VARCHAR || ''', {problem}'"
    # Only what has no value is looked at a second time.
    return f"CASE WHEN ({value}) IS NULL THEN CASE WHEN {present} IS NOT NULL{finite} THEN {complaint} END END"

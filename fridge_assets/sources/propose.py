"""How examples of a source's files may be read, and what only a person can say: pure on a sample of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import unknown
from fridge_assets.sources.prepare import head_of, prepared
from fridge_assets.sources.sample import Sample, delimiter_of, encoding_of, format_by_content, sample_of
from fridge_assets.sources.shapes_guess import Found, sensors_found
from fridge_assets.sources.source import FILE_NAME, RECEIVED_AT, TOPIC, Source, source_of_options
from fridge_assets.sources.time_guess import Written, times_of
from fridge_assets.sources.wording import NO_SENSOR

_MEANT = (*(sensor.name for sensor in SENSORS), NO_SENSOR)
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?$")
_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}$")


_EXAMPLE_PATTERN = "stores/(?P<device>[^/]+)/(?P<tag>.+)"


@dataclass(frozen=True)
class Question:
    """What the examples do not say.

    Args:
        field: key of what is given that answers it.
        option: of the command, such as ``--timezone``.
        text: the question, without the option.
        choices: the answers that there are; empty where any is one.
        part: in front of the answer and ``=``, where the option takes pairs; empty where it does not.
    """

    field: str
    option: str
    text: str
    choices: tuple[str, ...] = ()
    part: str = ""


@dataclass(frozen=True)
class Proposal:
    """A source as the examples suggest it.

    Args:
        source: what is known of it; of no use while there are questions.
        questions: what has to be said first.
        notes: what was found that a person should look at.
    """

    source: Source
    questions: tuple[Question, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Work:
    """A proposal while it is made."""

    given: Mapping[str, Any]
    fields: dict[str, Any] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def ask(self, key: str, text: str, choices: Sequence[str] = (), part: str = "") -> None:
        self.questions.append(Question(key, f"--{key.replace('_', '-')}", text, tuple(choices), part))


def propose(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], given: Mapping[str, Any]) -> Proposal:
    """How ``files`` may be read.

    Args:
        connection: any.
        files: examples of one source.
        given: what a person has said: fields of :class:`Source`, and ``time_columns``, ``time_format``,
            ``time_start``, ``device`` (a constant, a column, or ``{file}``) and ``sensor`` (word → sensor).

    Returns:
        The proposal; it is one of an answered question when asked again with the answer in ``given``.

    Raises:
        FridgeError: a file cannot be read at all, or what was given cannot be.
    """
    for word, sensor in (given.get("sensor") or {}).items():
        if sensor not in _MEANT:
            raise unknown("sensor", sensor, _MEANT, f"for --sensor {word}")
    work = _Work(given)
    first = files[0]
    if not first.is_file():
        raise FridgeError(f"{first} is not a file", "Give the path of an example.")
    _look(connection, first, work)
    if work.questions:
        return Proposal(source_of_options(**work.fields), tuple(work.questions), tuple(work.notes))
    sample = sample_of(connection, first, source_of_options(**work.fields))
    if not any(sample.values.values()):
        raise FridgeError(f"{first.name} holds no rows", "Give an example with some.")
    written = _time(connection, sample, work)
    _decimal(sample, written, work)
    _check_pattern(given)
    found = sensors_found(connection, sample, written.columns if written else (), given)
    work.fields |= found.fields
    work.notes += found.notes
    for key, text, choices, part in found.questions:
        work.ask(key, text, choices, part)
    if given.get("topics"):
        _topics(sample, found, work)
    _device(sample, found, work)
    for key in ("as_is", "pattern", "units", "offsets", "nothing", "interval_seconds", "constants", "devices"):
        if given.get(key):
            said = given[key]
            work.fields[key] = {**work.fields.get(key, {}), **said} if isinstance(said, Mapping) else said
    return Proposal(source_of_options(**work.fields), tuple(work.questions), tuple(work.notes))


def _look(connection: duckdb.DuckDBPyConnection, path: Path, work: _Work) -> None:
    """Format, encoding and delimiter."""
    head = head_of(path)
    format_ = work.given.get("format") or format_by_content(path, head)
    work.fields["format"] = format_
    if format_ in ("parquet", "excel"):
        if work.given.get("sheet"):
            work.fields["sheet"] = work.given["sheet"]
        if work.given.get("skip_lines"):
            work.fields["skip_lines"] = work.given["skip_lines"]
        return
    encoding, is_sure = encoding_of(head)
    work.fields["encoding"] = work.given.get("encoding") or encoding
    if not is_sure and not work.given.get("encoding"):
        line = next(line for line in head.splitlines() if any(byte > 127 for byte in line))
        shown = line.decode("cp1252", errors="replace")[:80]
        work.ask(
            "encoding", f"the file is not UTF-8; is it cp1252, in which a line is {shown!r}?", ("cp1252", "latin-1")
        )
        return
    if format_ == "csv":
        work.fields["skip_lines"] = work.given.get("skip_lines") or 0
        ready = prepared(path, format_, source_of_options(**work.fields))
        work.fields["delimiter"] = work.given.get("delimiter") or delimiter_of(connection, ready.path)


def _time(connection: duckdb.DuckDBPyConnection, sample: Sample, work: _Work) -> Written | None:
    """Columns, format and zone of the time."""
    given = work.given
    names = tuple(given.get("time_columns") or ())
    if names:
        for name in names:
            if name not in sample.values:
                raise FridgeError(f"there is no column {name!r} for --time", f"Choose of {', '.join(sample.values)}.")
        candidates = [w for w in times_of(connection, sample) if w.columns == names]
        written = candidates[0] if candidates else Written(names, (), False, (sample.given(names[0]) or [""])[0])
    else:
        candidates = times_of(connection, sample)
        if not candidates:
            work.ask("time", f"no column is a time that can be read; columns are {', '.join(sample.values)}")
            return None
        written = candidates[0]
    formats = (given["time_format"],) if given.get("time_format") else written.formats
    if len(formats) != 1:
        shown = f"how is the time {written.example!r} written?"
        if formats:
            shown = f"is {written.example!r} written as {' or as '.join(formats)}? No value decides"
        work.ask("time_format", shown, formats)
        return written
    time: dict[str, Any] = {"columns": written.columns, "format": formats[0]}
    if formats[0] == "seconds_since_start":
        if not given.get("time_start"):
            work.ask("time_start", f"from which moment does {written.columns[0]} count its seconds? ISO 8601")
            return written
        time["start"] = given["time_start"]
    work.fields["time"] = time
    has_zone = written.has_zone if formats == written.formats else "%z" in formats[0] or formats[0].startswith("epoch")
    if given.get("timezone"):
        work.fields["timezone"] = given["timezone"]
    elif not has_zone and formats[0] != "seconds_since_start":
        work.ask("timezone", f"times such as {written.example!r} name no zone; in which are they? An IANA name or UTC")
    return written


def _decimal(sample: Sample, written: Written | None, work: _Work) -> None:
    if work.given.get("decimal"):
        work.fields["decimal"] = work.given["decimal"]
        return
    times = written.columns if written else ()
    numbers = [v for name in sample.values if name not in times for v in sample.given(name) if _NUMBER.match(v)]
    commas = [number for number in numbers if "," in number]
    if not commas:
        return
    if any("." in number for number in numbers) or all(_THOUSANDS.match(number) for number in commas):
        work.ask("decimal", f"is the comma in {commas[0]!r} the decimal mark?", (",", "."))
    else:
        work.fields["decimal"] = ","


def _check_pattern(given: Mapping[str, Any]) -> None:
    """Refuse a pattern before it is used."""
    if given.get("pattern"):
        try:
            groups = set(re.compile(given["pattern"]).groupindex)
        except re.error as error:
            raise FridgeError(
                f"--pattern {given['pattern']}: it is no regular expression: {error}", "Correct it."
            ) from error
        if "device" not in groups:
            raise FridgeError(
                f"--pattern {given['pattern']}: it has no group device", f"Write one such as {_EXAMPLE_PATTERN}."
            )


def _topics(sample: Sample, found: Found, work: _Work) -> None:
    """What topics say of the messages of a broker."""
    topics = work.fields["topics"] = tuple(work.given["topics"])
    columns = work.fields.setdefault("columns", {})
    example = (sample.given(TOPIC) or [""])[0]
    if work.fields.get("shape") == "long":
        if work.fields["tag_column"] == TOPIC and not work.given.get("pattern"):
            text = (
                f"which part of topics such as {example} is the device, and which says what was measured? "
                f"As in {_EXAMPLE_PATTERN}"
            )
            work.ask("pattern", text)
        if not work.given.get("align_seconds"):
            work.ask("align", "values come one by one; those of how many seconds are one reading? Such as 60")
        return
    if work.fields.get("time", {}).get("columns") not in (None, (RECEIVED_AT,)):
        columns.setdefault(RECEIVED_AT, "timestamp_ingested")
    pattern = work.given.get("pattern") or _device_pattern(topics)
    if pattern and (work.given.get("pattern") or not (found.has_device or work.given.get("device"))):
        columns[TOPIC] = "device_id"
        work.fields["pattern"] = pattern
        found.has_device = True
        parts = re.fullmatch(pattern, example)
        work.notes.append(f"the device of {example} is {parts['device'] if parts else 'not said by it'}; see pattern")


def _device_pattern(topics: Sequence[str]) -> str:
    """The pattern of a device in topics of which one level alone differs; nothing where several do."""
    levels = topics[0].split("/")
    if len(topics) > 1 or "#" in levels or levels.count("+") != 1:
        return ""
    return "/".join("(?P<device>[^/]+)" if level == "+" else re.escape(level) for level in levels)


def _device(sample: Sample, found: Found, work: _Work) -> None:
    """What says the device, where neither a column nor a tag does."""
    given = work.given.get("device")
    columns = work.fields.setdefault("columns", {})
    if given in sample.values:
        for name in [name for name, ours in columns.items() if ours == "device_id"]:
            del columns[name]
        columns[given] = "device_id"
    elif given:
        meant = next((name for name in sample.values if name.lower() == given.lower()), "")
        if meant:
            raise FridgeError(
                f"there is no column {given!r} for --device; there is {meant!r}",
                f"Give that, or --constant device_id={given} where it is the name of a device.",
            )
        work.fields.setdefault("constants", {})["device_id"] = given
    elif not found.has_device and work.given.get("topics"):
        example = (sample.given(TOPIC) or [""])[0]
        work.ask("pattern", f"which part of topics such as {example} is the device? As in stores/(?P<device>[^/]+)/.*")
    elif not found.has_device and "device_id" not in (work.given.get("constants") or {}):
        text = f"no column says which device it is; give its name, or {FILE_NAME} for the name of its file, or a column"
        work.ask("device", text)

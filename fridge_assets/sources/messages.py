"""Messages of a broker as lines of a file, which is then read as any other file of their source."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fridge_assets.sources.source import RECEIVED_AT, TOPIC, VALUE, Format, Source

_LONGEST_LINE = 1_000_000
_LONGEST_LETTER = 10_000
"""Characters that are kept of what is no reading."""
_MEASUREMENT = re.compile(r"(?:\\.|[^ ,\\])+")
_SPECIAL = re.compile(r"([ ,=\\])")
_LINE_BREAKS = str.maketrans("\n\r", "  ")
"""In a topic they would end the line."""


class Message(NamedTuple):
    """One message.

    Args:
        topic: what it was published under.
        payload: what it says.
        received_at: when it came.
        is_retained: whether it is the last one of its topic, which a broker keeps and sends to who subscribes.
    """

    topic: str
    payload: bytes
    received_at: datetime
    is_retained: bool = False


def takes_values(source: Source) -> bool:
    """Whether a payload that is a single value is a reading of ``source``."""
    return VALUE in (source.value_column, *source.columns)


def has_time(message: Message, source: Source) -> bool:
    """Whether the time of a reading of ``message`` is known.

    A broker sends what it keeps at every connection: when that comes says nothing of when it was measured.
    """
    is_timed_by_arrival = source.time.columns == (RECEIVED_AT,) or (
        not source.time.columns and source.columns.get(RECEIVED_AT) == "timestamp_device"
    )
    return not (message.is_retained and is_timed_by_arrival)


def lines_of(message: Message, format_: Format, *, values: bool) -> list[str]:
    """The records of ``message``, a line each, with its topic and time of arrival as further columns.

    Args:
        message: with a payload of line protocol, or of JSON: an object, a list of them, lists of them under the names
            of devices or keys, or a single value.
        format_: jsonl or line_protocol.
        values: whether a single value is a record, with the column ``value``.

    Returns:
        Lines; what is no record is one that reading sets aside as ROW_MALFORMED, with its text.
    """
    received = message.received_at.astimezone(UTC).isoformat()
    try:
        text = message.payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [_letter(message.payload.decode(errors="backslashreplace"))]
    if format_ == "line_protocol":
        lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
        return [_tagged(line, {TOPIC: message.topic, RECEIVED_AT: received}) for line in lines]
    about = {TOPIC: message.topic, RECEIVED_AT: received}
    try:
        written = _lines_of_json(json.loads(text), about, values=values)
    except (ValueError, RecursionError):  # also of what can just be parsed, and is too deep to be written
        written = None
    if written is not None:
        return [line if len(line) <= _LONGEST_LINE else _letter(line) for line in written]
    return [json.dumps({VALUE: text, **about}) if values and len(text) <= _LONGEST_LETTER else _letter(text)]


def _lines_of_json(parsed: Any, about: dict[str, str], *, values: bool) -> list[str] | None:
    """A line of each object, or value in lists; None of a single value, which is kept as it was written."""
    return [_line(one, about, values=values) for one in _records(parsed)] if isinstance(parsed, dict | list) else None


def _line(record: Any, about: dict[str, str], *, values: bool) -> str:
    if isinstance(record, dict):
        return json.dumps(record | about)
    return json.dumps({VALUE: record, **about}) if values else _letter(json.dumps(record))


def _records(parsed: Any) -> Iterator[Any]:
    """Lists are taken apart; what is in a list of an object has its name as ``key``, and what is beside the list.

    So nothing is lost of a gateway that says device and time once for all, nor of a reading with a list of alarms.
    """
    if isinstance(parsed, list):
        for item in parsed:
            yield from _records(item)
        return
    lists = {n: items for n, items in parsed.items() if _is_of_objects(items)} if isinstance(parsed, dict) else {}
    if not lists:
        yield parsed
        return
    beside = {name: value for name, value in parsed.items() if name not in lists}
    for name, items in lists.items():
        yield from ({**beside, "key": name, **item} if isinstance(item, dict) else item for item in items)


def _is_of_objects(items: Any) -> bool:
    return isinstance(items, list) and bool(items) and isinstance(items[0], dict)


def _tagged(line: str, tags: dict[str, str]) -> str:
    """A line of the protocol with further tags."""
    measurement = _MEASUREMENT.match(line)
    if measurement is None or len(line) > _LONGEST_LINE:
        return line[:_LONGEST_LETTER]
    added = "".join(f",{name}={_SPECIAL.sub(_escaped, value.translate(_LINE_BREAKS))}" for name, value in tags.items())
    return f"{measurement.group()}{added}{line[measurement.end() :]}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found.group()}"


def _letter(text: str) -> str:
    """A line that is no record, of what nobody can read."""
    return json.dumps(text[:_LONGEST_LETTER])

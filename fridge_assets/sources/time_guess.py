"""Which columns of a sample are the time of its rows, and how it is written."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from fridge_assets.sources.sample import Sample
from fridge_assets.sources.source import ISO, RECEIVED_AT
from fridge_assets.stores.frames import text_literal

_NAMES = ("timestamp", "timestamp_device", "datetime", "date time", "time", "ts", "last changed", "zeit", "zeitstempel")
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}"
_CLOCK = re.compile(r"^\d{1,2}:\d{2}(:\d{2})?$")
_ZONE = re.compile(r"(?i)(z|utc|[+-]\d{2}(:?\d{2})?)$")
_DATES = (
    "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y",
    "%Y%m%d", "%d %b %Y", "%Y.%m.%d",
)  # fmt: skip
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S.%f")
_PATTERNS = (*(f"{date} {clock}" for date in _DATES for clock in _CLOCKS), "%Y-%m-%d-%H-%M-%S", "%Y%m%d%H%M%S")
_EPOCHS = {"epoch_s": 1e9, "epoch_ms": 1e12, "epoch_us": 1e15, "epoch_ns": 1e18}
_ELAPSED = ("time", "seconds", "elapsed", "sec")


class Written(NamedTuple):
    """A time as it may be written.

    Args:
        columns: what makes it up.
        formats: of :class:`~fridge_assets.sources.source.TimeFormat`; several where the values do not decide.
        has_zone: whether it names its zone.
        example: of its text.
    """

    columns: tuple[str, ...]
    formats: tuple[str, ...]
    has_zone: bool
    example: str


def times_of(connection: duckdb.DuckDBPyConnection, sample: Sample) -> list[Written]:
    """What may be the time of the rows, the likeliest first."""
    types = dict(sample.file.theirs)
    found = []
    for name in sample.values:
        if types[name].startswith(("TIMESTAMP", "DATE")):
            found.append(Written((name,), (ISO,), types[name] == "TIMESTAMP WITH TIME ZONE", "a timestamp"))
        elif written := written_as(connection, (name,), sample.given(name)):
            found.append(written)
    found += _in_two_columns(connection, sample)
    if not found:
        found = [elapsed for name in sample.values if (elapsed := _elapsed(name, sample.given(name)))]
    return sorted(found, key=lambda written: _rank(written.columns))


def written_as(
    connection: duckdb.DuckDBPyConnection, columns: tuple[str, ...], values: Sequence[str]
) -> Written | None:
    """How ``values`` are times; None where they are none."""
    if not values:
        return None
    patterns = _fitting(connection, values)
    if patterns:
        has_zone = patterns == (ISO,) and all(_ZONE.search(v[10:]) for v in values)
        return Written(columns, patterns, has_zone, values[0])
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None
    for format_, start in _EPOCHS.items():
        if all(start * 0.5 <= number < start * 2.5 for number in numbers):
            return Written(columns, (format_,), True, values[0])
    return None


def _fitting(connection: duckdb.DuckDBPyConnection, values: Sequence[str]) -> tuple[str, ...]:
    """The formats that every value has; of day and month in either order, both where no value decides."""
    is_iso = f"count(*) FILTER (NOT regexp_matches(v, '{_ISO_DATE}') OR TRY_CAST(v AS TIMESTAMPTZ) IS NULL)"
    unfit = ", ".join(f"count(*) FILTER (try_strptime(v, {text_literal(p)}) IS NULL)" for p in _PATTERNS)
    sql = f"SELECT {is_iso}, {unfit} FROM (SELECT unnest($values::VARCHAR[]) AS v)"
    (counts,) = connection.execute(sql, {"values": list(values)}).fetchall()
    fitting = [name for name, count in zip((ISO, *_PATTERNS), counts, strict=True) if not count]
    if ISO in fitting:
        return (ISO,)
    # A year of two digits reads a prefix of four wrongly, and %Y takes two digits for the year 24.
    four = [name for name in fitting if ("%Y" in name) == any(re.search(r"\d{4}", value) for value in values)]
    dates = dict.fromkeys(name.split(" ")[0] for name in four)
    return tuple(next(name for name in four if name.split(" ")[0] == date) for date in dates)


def _in_two_columns(connection: duckdb.DuckDBPyConnection, sample: Sample) -> list[Written]:
    clocks = [n for n in sample.values if (v := sample.given(n)) and all(_CLOCK.match(text) for text in v)]
    found = []
    for clock in clocks:
        for date in sample.values:
            if date == clock:
                continue
            pairs = zip(sample.values[date], sample.values[clock], strict=True)
            joined = [f"{d.strip()} {c.strip()}" for d, c in pairs if d and c]
            written = written_as(connection, (date, clock), joined)
            if written and not written_as(
                connection, (date,), sample.given(date)[:1] and [f"{sample.given(date)[0]}x"]
            ):
                found.append(written)
    return found


def _elapsed(name: str, values: Sequence[str]) -> Written | None:
    words = re.split(r"[^a-z]+", name.lower())
    if not any(word in words for word in _ELAPSED):
        return None
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None
    if not numbers or numbers != sorted(numbers) or numbers[-1] >= 1e9:
        return None
    return Written((name,), ("seconds_since_start",), True, values[0])


def _rank(columns: tuple[str, ...]) -> tuple[int, int]:
    """Two columns before one, names that mean a time before others."""
    name = re.sub(r"[^a-z]+", " ", columns[0].lower()).strip()
    place = _NAMES.index(name) if name in _NAMES else len(_NAMES) - ("time" in name or "date" in name)
    # When a message came says less than what it says itself.
    return -len(columns), len(_NAMES) + 1 if columns == (RECEIVED_AT,) else place

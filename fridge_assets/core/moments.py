"""Moments and durations as people type and read them."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fridge_assets.core.errors import FridgeError

LATEST = "latest"
"""In place of a moment: when the window of the newest reading is closed."""

OWN_TIME = (
    f"to run recorded data at its own time, set `as_of` of the resource `clock` to `{LATEST}` in the launchpad of the "
    f"Dagster UI, or give `--as-of {LATEST}` on the command line"
)
"""How data that were recorded earlier are worked on as if it were then."""

_LONGEST_PAUSE = timedelta(days=1)
"""Whoever asks to be left alone for longer has its clock or its units wrong."""

_WRITTEN = r"(?:\d{4}-\d\d-\d\d |\d{1,2} [A-Z][a-z]{2} \d{4} )?\d\d:\d\d(?::\d\d)?"
_IN_TEXT = re.compile(rf"(?<![\w:])(?P<first>{_WRITTEN})(?:(?P<between> and | to )(?P<second>{_WRITTEN}))? UTC\b")
_DAYS = ("%Y-%m-%d ", "%d %b %Y ")
_TIMES = ("%H:%M", "%H:%M:%S")
_MOST_DOUBLINGS = 64
"""So many failures in a row wait the longest anyway; more would only overflow the power."""

_SPAN = re.compile(r"(?:(?P<days>\d{1,5})d)?(?:(?P<hours>\d{1,5})h)?(?:(?P<minutes>\d{1,5})m)?")


def parse_moment(text: str, what: str) -> datetime:
    """The UTC moment that ``text`` names.

    Args:
        text: ISO 8601; a time without a zone is UTC.
        what: how the error message calls it.

    Raises:
        FridgeError: it is not a moment.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise FridgeError(f"{what} is {text!r}, not a moment", "Give ISO 8601 such as 2026-01-31T13:45:00Z.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_span(text: str, what: str) -> timedelta:
    """The duration that ``text`` names.

    Args:
        text: whole numbers of days, hours and minutes, in this order: ``3d``, ``2h``, ``90m`` or
            ``1h30m``.
        what: how the error message calls it.

    Raises:
        FridgeError: it is not a duration, or has no length.
    """
    parts = _SPAN.fullmatch(text)
    span = timedelta(**{unit: int(number) for unit, number in parts.groupdict("0").items()}) if parts else None
    if not span:
        raise FridgeError(f"{what} is {text!r}, not a span of time", "Give days, hours and minutes as 3d, 2h or 90m.")
    return span


def check_zone(name: str, what: str) -> str:
    """``name`` as it is, once it is known to be a time zone; empty stands for the machine's.

    Args:
        name: IANA name such as ``Europe/Berlin``; empty for the machine's zone.
        what: how the error message calls it.

    Raises:
        FridgeError: there is no such zone.
    """
    try:
        if name:
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        remedy = "Give an IANA name such as Europe/Berlin or America/New_York."
        raise FridgeError(f"{what} is {name!r}, not a time zone", remedy) from error
    return name


def in_zone(moment: datetime, zone: str) -> datetime:
    """``moment`` on the clocks of a zone.

    Args:
        moment: timezone-aware.
        zone: IANA name that :func:`check_zone` has taken; empty for the machine's zone.
    """
    return moment.astimezone(ZoneInfo(zone) if zone else None)


def with_local_times(text: str, near: datetime, zone: str) -> str:
    """``text`` with the local time before each moment that it names in UTC, such as ``14:30 CEST (12:30 UTC)``.

    Args:
        text: moments in it are written as ``2026-01-31 12:30 UTC`` or, within a day of ``near``, ``12:30 UTC``; they
            may have seconds.
        near: timezone-aware; a time without a date is the last one that is not after it.
        zone: see :func:`in_zone`; where it has the time of UTC nothing changes.
    """

    def local(found: re.Match[str]) -> str:
        written = [part for part in (found["first"], found["second"]) if part]
        read = [(_written_moment(part, near), _form_of(part)) for part in written]
        shown = [(in_zone(moment, zone), form) for moment, form in read if moment is not None]
        if len(shown) < len(written) or not any(moment.utcoffset() for moment, _ in shown):
            return found[0]
        texts = [f"{moment:{form}}" for moment, form in shown]
        return f"{(found['between'] or '').join(texts)} {shown[-1][0]:%Z} ({found[0]})"

    return _IN_TEXT.sub(local, text)


def _form_of(written: str) -> str:
    """How a moment is shown that was written so: with its date and its seconds where it has them."""
    *date, time = written.split(" ")
    return (_DAYS[0] if date else "") + _TIMES[time.count(":") - 1]


def _written_moment(written: str, near: datetime) -> datetime | None:
    """The moment of a text in UTC; a time alone is the last one that is not after ``near``; None for no moment."""
    for day in ("", *_DAYS):
        for time in _TIMES:
            with suppress(ValueError):
                moment = datetime.strptime(written, day + time).replace(tzinfo=UTC)
                if day:
                    return moment
                moment = datetime.combine(near.astimezone(UTC).date(), moment.timetz())
                return moment if moment <= near else moment - timedelta(days=1)
    return None


def parse_retry_after(header: str, now: datetime) -> timedelta | None:
    """How long a server asks to be left alone: seconds or a date, as HTTP has it; None for anything else.

    Args:
        header: value of ``Retry-After``; empty when there is none.
        now: timezone-aware.
    """
    try:
        seconds: float = int(header)
    except ValueError:
        try:
            until = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return timedelta(seconds=min(seconds, _LONGEST_PAUSE.total_seconds())) if seconds > 0 else None


def spoken(duration: timedelta) -> str:
    """``duration`` in its two largest units, such as ``2 d 4 h``, ``1 h 30 min`` or ``−45 s``; full seconds only."""
    if duration < timedelta(0):
        return f"−{spoken(-duration)}"
    left = int(duration.total_seconds())
    parts: list[str] = []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        number, left = divmod(left, seconds)
        if number or parts:
            parts.append(f"{number} {unit}" if number else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"


class Retries(Protocol):
    """As much of a group of settings as says how patient a deliverer is."""

    @property
    def first_retry(self) -> timedelta:
        """Wait after the first failure in a row."""
        ...

    @property
    def retry_factor(self) -> float:
        """Every further failure in a row waits this many times longer."""
        ...

    @property
    def max_retry(self) -> timedelta:
        """But never longer than this."""
        ...


def retry_delay(failures: int, retries: Retries) -> timedelta:
    """How long to wait after the given number of failures in a row, 1 or more."""
    waits = retries.first_retry.total_seconds() * retries.retry_factor ** min(failures - 1, _MOST_DOUBLINGS)
    return timedelta(seconds=min(waits, retries.max_retry.total_seconds()))

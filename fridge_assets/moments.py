"""Moments and durations as people type and read them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Protocol

from fridge_assets.errors import FridgeError

LATEST = "latest"
"""In place of a moment: just after the newest reading there is."""

OWN_TIME = (
    f"to run recorded data at its own time, set `as_of` of the resource `clock` to `{LATEST}` in the launchpad of the "
    f"Dagster UI, or give `--as-of {LATEST}` on the command line"
)
"""How data that were recorded earlier are worked on as if it were then."""

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

"""Moments and durations as people type and read them."""

from datetime import UTC, datetime, timedelta

from fridge_assets.errors import FridgeError

LATEST = "latest"
"""In place of a moment: just after the newest reading there is."""


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

"""Moments as people type them."""

from datetime import UTC, datetime

from fridge_assets.errors import FridgeError


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

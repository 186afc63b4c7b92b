"""Names that nobody knows: the nearest one that is known, and the error that says so."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from fridge_assets.core.errors import FridgeError

_LIKENESS = 0.6
"""Below this share of common characters two names have nothing to do with one another."""
_ALL_SHOWN = 20
"""Of more names than these only a few are named."""
_SOME_SHOWN = 3


class UnknownName(FridgeError):
    """Nothing has that name."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``name`` was meant to be, None where none is like it; case does not count."""
    by_lower = {other.lower(): other for other in known}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=_LIKENESS)
    return by_lower[found[0]] if found else None


def unknown(what: str, name: str, known: Collection[str], where: str = "") -> UnknownName:
    """The error for a ``name`` that none of ``known`` is.

    Args:
        what: kind of thing, such as ``site``.
        name: what was asked for.
        known: the names that there are.
        where: the place that was looked in, such as ``in the device registry``; empty for everywhere.
    """
    problem = f"there is no {what} {name!r}{f' {where}' if where else ''}"
    if not known:
        return UnknownName(problem, "There is none at all.")
    meant = nearest(name, known)
    question = f"Did you mean {meant}? " if meant else ""
    if len(known) <= _ALL_SHOWN:
        return UnknownName(problem, f"{question}Choose one of {', '.join(known)}.")
    some = ", ".join(sorted(known)[:_SOME_SHOWN])
    return UnknownName(problem, question.strip() or f"There are {len(known):,}, such as {some}.")

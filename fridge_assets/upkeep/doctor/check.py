"""One look at one thing, what it found, and what mends it."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fridge_assets.core.errors import FridgeError
from fridge_assets.stores.disk import full_disk
from fridge_assets.stores.looking import StoreOutdated

Verdict = Literal["ok", "note", "broken", "mended"]
"""``broken``: something does not work, or is not what it should be; ``note``: somebody should know."""

_SHOWN = 3

FIX = "`fridge-assets doctor --fix`"


@dataclass(frozen=True)
class Remedy:
    """What mends a thing.

    Args:
        does: what it does, to go on with after "`fridge-assets doctor --fix`": a verb in the third person.
        apply: does it; raises what it likes where it cannot.
    """

    does: str
    apply: Callable[[], object]


@dataclass(frozen=True)
class State:
    """How a thing is found.

    Args:
        verdict: whether it is as it should be.
        detail: the same in words, without a full stop, with what to do where no remedy does it.
        remedy: mends it; None where nothing is to be mended, or only people can.
    """

    verdict: Verdict
    detail: str
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Check:
    """A look at one thing.

    Args:
        what: its name.
        look: looks, changes nothing.
        needs: names of earlier checks without which there is nothing to look at.
    """

    what: str
    look: Callable[[], State]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What became of a check.

    Args:
        what: name of the thing.
        verdict: whether it is as it should be; ``mended`` where it was not and now is.
        detail: the same in words.
        remedy: what `doctor --fix` does about it; None where it can do nothing.
    """

    what: str
    verdict: Verdict
    detail: str
    remedy: str | None = None


def named(names: Sequence[str]) -> str:
    """Some of ``names``, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def removes(paths: Sequence[Path]) -> Remedy:
    """Removes files and folders that nobody needs."""

    def apply() -> None:
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    return Remedy("removes it" if len(paths) == 1 else "removes them", apply)


def ok(detail: str) -> State:
    """It is as it should be."""
    return State("ok", detail)


def note(detail: str, remedy: Remedy | None = None) -> State:
    """Somebody should know."""
    return State("note", detail, remedy)


def broken(detail: str, remedy: Remedy | None = None) -> State:
    """It does not work."""
    return State("broken", detail, remedy)


def examine(checks: Iterable[Check], *, fix: bool = False, place: Path = Path()) -> Iterator[Finding]:
    """Look at one thing after the other, never an exception.

    Args:
        checks: what to look at, in this order.
        fix: apply the remedies, each as soon as it is found, and look again; otherwise nothing is changed.
        place: the data folder; where its disk is full, that is said instead of what a library makes of it.
    """
    broken_ones: set[str] = set()
    for check in checks:
        missing = [name for name in check.needs if name in broken_ones]
        if missing:
            yield Finding(check.what, "note", f"not looked at, since {' and '.join(missing)} cannot be used")
            continue
        state = _looked(check, place)
        finding = _mended(check, state, place) if fix and state.remedy else _shown(check, state)
        if finding.verdict == "broken":
            broken_ones.add(check.what)
        yield finding


def _shown(check: Check, state: State) -> Finding:
    return Finding(check.what, state.verdict, state.detail, state.remedy.does if state.remedy else None)


def _mended(check: Check, state: State, place: Path) -> Finding:
    assert state.remedy is not None
    try:
        state.remedy.apply()
    except Exception as error:
        return Finding(check.what, "broken", f"{state.detail}; it could not be mended: {_sentence(error, place)}")
    now = _looked(check, place)
    if now.remedy is not None or now.verdict == "broken":
        return _shown(check, now)
    return Finding(check.what, "mended", f"{state.detail}; mended, now: {now.detail}")


def _looked(check: Check, place: Path) -> State:
    try:
        return check.look()
    except StoreOutdated as error:
        return note(f"not looked at, since {error.problem}")
    except Exception as error:  # a doctor who faints helps nobody
        return broken(_sentence(error, place))


def _sentence(error: Exception, place: Path) -> str:
    if full := full_disk(error, place):
        return str(full)
    if isinstance(error, FridgeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"

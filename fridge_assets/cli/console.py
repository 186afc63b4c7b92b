"""How commands talk: sentences for people, JSON for programs, one line for what went wrong; tables are in `tables`.

What is printed may come from a file that somebody else has written: text is never read as markup, and characters that
would steer the terminal are shown instead of sent.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from fridge_assets.cli.nulls import is_null
from fridge_assets.core.moments import in_zone, with_local_times


class Screen(Console):
    """A terminal, a file or a pipe that takes text as it is; whoever reads it may stop reading at any time."""

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)

    def write(self, text: str) -> None:
        """Write ``text`` without looking at it, for what may be long and is safe."""
        try:
            self.file.write(text)
            self.file.flush()
        except BrokenPipeError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Print the rest to nowhere: a reader such as `head` has seen enough, and the command goes on to its end."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


out = Screen()
err = Screen(stderr=True)

_STEERING: Final = {
    code: (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        *range(0x200E, 0x2010),  # marks of the direction of writing
        *range(0x2028, 0x202F),  # separators of lines, and overrides of the direction
        *range(0x2066, 0x206A),
    )
}
_STEERING_SENTENCES: Final = {code: shown for code, shown in _STEERING.items() if chr(code) not in "\n\t"}

_zone = ""


def show_times_in(zone: str) -> None:
    """From now on show moments in ``zone``, an IANA name; empty for the machine's."""
    global _zone  # noqa: PLW0603 (one screen, one zone, set by the settings of the command)
    _zone = zone


def printable(text: str, *, one_line: bool = False) -> str:
    """``text`` with the characters that would steer a terminal written out, such as ``\\x1b``.

    Args:
        text: whatever a file or a person has said.
        one_line: write out line breaks and tabs too.
    """
    return text.translate(_STEERING if one_line else _STEERING_SENTENCES)


def styled(text: str, style: str) -> Text:
    """``text`` in a colour or weight of the terminal, for :func:`say`."""
    return Text(printable(text), style=style)


def say(*parts: str | Text) -> None:
    """Print a sentence made of ``parts``, each as it is."""
    out.print(_joined(parts), soft_wrap=True)


def complain(*parts: str | Text) -> None:
    """Print a sentence on standard error."""
    err.print(_joined(parts), soft_wrap=True)


def say_error(error: object) -> None:
    """Print on standard error what kept a command, or a part of it, from being done."""
    complain(styled("Error:", "red"), f" {told_here(str(error), datetime.now(UTC))}")


def say_json(value: Any) -> None:
    """Print ``value`` as JSON for programs."""
    out.write(json.dumps(value, indent=2, default=_plain) + "\n")


@contextmanager
def progress(description: str, quiet: bool) -> Iterator[Progress]:
    """A progress bar on standard error, hidden when output is for programs."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = not quiet and err.is_terminal
    with (
        _own_descriptor() if shown else nullcontext(err) as screen,
        Progress(*columns, console=screen, transient=True, disable=not shown) as bar,
    ):
        bar.add_task(description, total=None)
        yield bar


@contextmanager
def working(description: str, quiet: bool) -> Iterator[None]:
    """A spinner on standard error while something takes a while, hidden when output is for programs."""
    if quiet or not err.is_terminal:
        yield
        return
    with _own_descriptor() as screen, screen.status(description):
        yield


@contextmanager
def _own_descriptor() -> Iterator[Console]:
    """Standard error as it is now: a step that this process executes has what comes to the usual one in its log."""
    with os.fdopen(os.dup(err.file.fileno()), "w") as file:
        yield Console(file=file)


def tell_failures(failures: Mapping[str, str]) -> None:
    """Print why steps failed (step → reason) on standard error."""
    for step, reason in failures.items():
        complain(styled(f"✗ {step}:", "red"), f" {reason}")


def moment(value: datetime | None) -> str:
    """A moment as people read it: on the clocks of their zone, and in UTC where that is another time."""
    if value is None or is_null(value):
        return "never"
    here, utc = in_zone(value, _zone), value.astimezone(UTC)
    if not here.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M} UTC"
    beside = f"{utc:%H:%M}" if here.date() == utc.date() else f"{utc:%Y-%m-%d %H:%M}"
    return f"{here:%Y-%m-%d %H:%M %Z} ({beside} UTC)"


def short_moment(value: datetime) -> str:
    """A moment in a table, whose heading says :func:`zone_name`."""
    return f"{in_zone(value, _zone):%Y-%m-%d %H:%M}"


def time_of_day(value: datetime) -> str:
    """The time of a moment, with its zone."""
    return f"{in_zone(value, _zone):%H:%M %Z}"


def told_here(text: str, near: datetime) -> str:
    """A text that was written for every zone, with the local time beside each moment that it names in UTC.

    Args:
        text: such as the description of an alert or an error.
        near: when it was written, or a little later.
    """
    return with_local_times(text, near, _zone)


def zone_name() -> str:
    """The zone that moments are shown in."""
    return _zone or str(in_zone(datetime.now(UTC), "").tzname())


def _joined(parts: tuple[str | Text, ...]) -> Text:
    return Text().join(part if isinstance(part, Text) else Text(printable(part)) for part in parts)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)

"""Tables for people: as many columns as the terminal has room for, all of them in a file or a pipe."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from rich.cells import cell_len
from rich.table import Table

from fridge_assets.cli.console import Screen, out, printable, say, short_moment, styled, told_here, zone_name
from fridge_assets.cli.nulls import is_null

if TYPE_CHECKING:  # a command that prints no frame starts in half the time without pandas
    import pandas as pd

Wide = Annotated[bool, typer.Option("--wide", help="Print every column, however narrow the terminal is.")]

_UNFOLDED: Final = 100_000
"""Columns of a screen on which nothing is folded."""
_NEVER_FOLDED: Final = 16
"""A column of at most this width, such as a moment or an id, is left out before it is folded."""
_LEAST_FOLDED: Final = 20
"""A wider column is folded to this width before another one is left out."""
_LONGEST_WORD: Final = 32
"""Longer words are broken."""

_unfolded = Screen(width=_UNFOLDED)


def say_table(
    title: str,
    frame: "pd.DataFrame",
    columns: Mapping[str, str] | None = None,
    *,
    spare: Sequence[str] = (),
    wide: bool = False,
) -> None:
    """Print a table; 'none' when it has no rows.

    Args:
        title: what it shows.
        frame: its rows.
        columns: name → heading, in their order; all of ``frame`` when None.
        spare: names of columns that a narrow terminal leaves out, the first of them first.
        wide: print every column and fold none.
    """
    names = columns or {str(name): str(name).replace("_", " ") for name in frame.columns}
    import pandas as pd  # noqa: PLC0415

    numeric = {
        name
        for name in names
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
    }
    rows = frame[list(names)].itertuples(index=False)
    _print_table(title, names, numeric, [list(row) for row in rows], spare, wide)


def say_rows(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    spare: Sequence[str] = (),
    wide: bool = False,
) -> None:
    """Print the ``columns`` of ``rows`` as :func:`say_table` does."""
    first = rows[0] if rows else {}
    numeric = {name for name in columns if type(first.get(name)) in (int, float)}
    _print_table(title, columns, numeric, [[row[name] for name in columns] for row in rows], spare, wide)


def _print_table(
    title: str,
    columns: Mapping[str, str],
    numeric: set[str],
    rows: Sequence[Sequence[object]],
    spare: Sequence[str],
    wide: bool,
) -> None:
    if not rows:
        say(styled(title, "bold"), ": none")
        return
    cells = {name: [_cell(row[place]) for row in rows] for place, name in enumerate(columns)}
    widths = {name: _Width.of((heading, *cells[name])) for name, heading in columns.items()}
    screen = out if out.is_terminal and not wide else _unfolded
    shown = _shown(widths, spare, screen.width)
    room = _divided({name: widths[name] for name in shown}, screen.width)
    dated = any(isinstance(value, datetime) for row in rows[:1] for value in row)
    say(styled(f"{title}, times in {zone_name()}" if dated else title, "bold"))
    table = Table(header_style="dim", box=None, pad_edge=False, collapse_padding=True)
    for name in shown:
        table.add_column(
            columns[name],
            justify="right" if name in numeric else "left",
            overflow="fold",
            width=room[name],
        )
    for row in zip(*(cells[name] for name in shown), strict=True):
        table.add_row(*row)
    screen.print(table)
    if len(shown) < len(columns):
        left_out = ", ".join(heading for name, heading in columns.items() if name not in shown)
        say(styled(f"Left out for want of room: {left_out}. All columns: --wide", "dim"))


class _Width(NamedTuple):
    """How wide a column is, and how narrow it may be folded."""

    whole: int
    least: int

    @classmethod
    def of(cls, texts: Sequence[str]) -> "_Width":
        """Of a column with these cells; one that is folded breaks between words."""
        whole = max(map(cell_len, texts))
        if whole <= _NEVER_FOLDED:
            return cls(whole, whole)
        word = max(cell_len(word) for text in texts for word in text.split(" "))
        return cls(whole, min(whole, max(_LEAST_FOLDED, min(word, _LONGEST_WORD))))


def _shown(widths: Mapping[str, _Width], spare: Sequence[str], room: int) -> list[str]:
    """The columns for which there is room, those of ``spare`` left out in their order as far as it is needed."""
    shown = list(widths)
    for name in spare:
        if _least_width(shown, widths) <= room:
            break
        shown.remove(name)
    return shown


def _divided(widths: Mapping[str, _Width], room: int) -> dict[str, int]:
    """Width of each column: what it needs at least, and of what is left what it can use, the most modest first."""
    given = {name: width.least for name, width in widths.items()}
    left = room - _least_width(list(widths), widths)
    while left < 0 and max(given.values()) > 1:  # not even the important columns have room: words are broken
        widest = max(given, key=lambda name: given[name])
        given[widest] -= 1
        left += 1
    wanting = sorted(widths, key=lambda name: widths[name].whole - widths[name].least)
    for place, name in enumerate(wanting):
        more = max(min(widths[name].whole - widths[name].least, left // (len(wanting) - place)), 0)
        given[name] += more
        left -= more
    return given


def _least_width(names: Sequence[str], widths: Mapping[str, _Width]) -> int:
    """Width of a table of these columns with wide ones folded and a blank between two."""
    return sum(widths[name].least for name in names) + len(names) - 1


def _cell(value: object) -> str:
    if is_null(value):
        return "–"
    if isinstance(value, datetime):
        return short_moment(value)
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return printable(", ".join(map(str, value)), one_line=True)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return printable(told_here(str(value), datetime.now(UTC)), one_line=True)

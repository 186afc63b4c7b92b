"""Tables for people: as many columns as the terminal has room for, all of them in a file or a pipe."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.cells import cell_len
from rich.table import Table

from fridge_assets.cli.console import Screen, out, printable, say, short_moment, styled, zone_name
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
    widths = {name: max(map(cell_len, (heading, *cells[name]))) for name, heading in columns.items()}
    screen = out if out.is_terminal and not wide else _unfolded
    shown = _shown(widths, spare, screen.width)
    fits = _least_width(shown, widths) <= screen.width
    dated = any(isinstance(value, datetime) for row in rows[:1] for value in row)
    table = Table(
        title=printable(f"{title}, times in {zone_name()}" if dated else title),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    for name in shown:
        table.add_column(
            columns[name],
            justify="right" if name in numeric else "left",
            overflow="fold",
            no_wrap=fits and widths[name] <= _NEVER_FOLDED,
        )
    for row in zip(*(cells[name] for name in shown), strict=True):
        table.add_row(*row)
    screen.print(table)
    if len(shown) < len(columns):
        left_out = ", ".join(heading for name, heading in columns.items() if name not in shown)
        say(styled(f"Left out for want of room: {left_out}. All columns: --wide", "dim"))


def _shown(widths: Mapping[str, int], spare: Sequence[str], room: int) -> list[str]:
    """The columns for which there is room, those of ``spare`` left out in their order as far as it is needed."""
    shown = list(widths)
    for name in spare:
        if _least_width(shown, widths) <= room:
            break
        shown.remove(name)
    return shown


def _least_width(names: Iterable[str], widths: Mapping[str, int]) -> int:
    """Width of a table of these columns with wide ones folded and a blank between two."""
    least = [widths[name] if widths[name] <= _NEVER_FOLDED else min(widths[name], _LEAST_FOLDED) for name in names]
    return sum(least) + len(least) - 1


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
    return printable(str(value), one_line=True)

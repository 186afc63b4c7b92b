"""How commands talk: tables and sentences for people, JSON for programs, one line for what went wrong."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:  # a command that prints no frame starts in half the time without pandas
    import pandas as pd

out = Console(highlight=False)
if not out.is_terminal:
    out = Console(highlight=False, width=160)  # a file or a pipe has no width to fold tables to
err = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Print a sentence; rich markup is allowed."""
    out.print(text, soft_wrap=True)


def say_plain(text: str) -> None:
    """Print text as it is, for what is in a format of its own."""
    print(text)  # noqa: T201 (rich would read brackets as markup)


def say_json(value: Any) -> None:
    """Print ``value`` as JSON for programs."""
    print(json.dumps(value, indent=2, default=_plain))  # noqa: T201 (rich would wrap and colour it)


def say_table(title: str, frame: "pd.DataFrame", columns: Mapping[str, str] | None = None) -> None:
    """Print the ``columns`` (name → heading) of ``frame``, all when None; 'none' when it has no rows."""
    names = columns or {str(name): str(name).replace("_", " ") for name in frame.columns}
    import pandas as pd  # noqa: PLC0415

    numeric = {
        name
        for name in names
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
    }
    _print_table(title, names, numeric, frame[list(names)].itertuples(index=False))


def say_rows(title: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print the ``columns`` (name → heading) of ``rows`` as :func:`say_table` does."""
    first = rows[0] if rows else {}
    numeric = {name for name in columns if type(first.get(name)) in (int, float)}
    _print_table(title, columns, numeric, [[row[name] for name in columns] for row in rows])


def _print_table(title: str, columns: Mapping[str, str], numeric: set[str], rows: Iterable[Iterable[object]]) -> None:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    for name, heading in columns.items():
        table.add_column(heading, justify="right" if name in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    if table.row_count:
        out.print(table)
    else:
        say(f"[bold]{title}[/bold]: none")


def frame_records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Rows of ``frame`` for :func:`say_json`; nulls become null."""
    return [
        {str(name): None if _is_null(value) else value for name, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]


@contextmanager
def progress(description: str, quiet: bool) -> Iterator[Progress]:
    """A progress bar on standard error, hidden when output is for programs."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as bar:
        bar.add_task(description, total=None)
        yield bar


@contextmanager
def working(description: str, quiet: bool) -> Iterator[None]:
    """A spinner on standard error while something takes a while, hidden when output is for programs."""
    if quiet or not err.is_terminal:
        yield
        return
    with err.status(description):
        yield


def tell_failures(failures: Mapping[str, str]) -> None:
    """Print why steps failed (step → reason) on standard error."""
    for step, reason in failures.items():
        err.print(f"[red]✗ {step}:[/red] {reason}", soft_wrap=True)


def moment(value: datetime | None) -> str:
    """A moment as people read it."""
    return "never" if _is_null(value) else f"{value:%Y-%m-%d %H:%M} UTC"


def _cell(value: object) -> str:
    if _is_null(value):
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_null(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    if value is None or type(value) in (str, int, bool, datetime, list):
        return value is None
    import pandas as pd  # noqa: PLC0415

    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)

"""How commands talk: tables and sentences for people, JSON for programs, one line for what went wrong."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

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


def say_table(title: str, frame: pd.DataFrame, columns: Mapping[str, str] | None = None) -> None:
    """Print the ``columns`` (name → heading) of ``frame``, all when None; 'none' when it has no rows."""
    names = columns or {str(name): str(name).replace("_", " ") for name in frame.columns}
    if frame.empty:
        say(f"[bold]{title}[/bold]: none")
        return
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    for name, heading in names.items():
        numeric = pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in frame[list(names)].itertuples(index=False):
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def frame_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
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


def moment(value: datetime | None) -> str:
    """A moment as people read it."""
    return "never" if value is None or pd.isna(value) else f"{value:%Y-%m-%d %H:%M} UTC"


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
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)

"""Sheets of Excel files as Parquet, read by python-calamine."""

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pandas as pd

from fridge_assets.core.errors import FridgeError
from fridge_assets.sources.source import Source


def sheet_as_parquet(path: Path, source: Source, folder: Path) -> Path:
    """One sheet of ``path`` as a Parquet file in ``folder``; a column keeps its type where all its cells have it.

    Raises:
        FridgeError: python-calamine is not installed, there is no such sheet, or the file cannot be read.
    """
    try:
        import python_calamine  # noqa: F401, PLC0415 (an extra)
    except ImportError as error:
        raise FridgeError(
            f"{path.name} is an Excel file, and python-calamine is not installed",
            "Install it with: pip install 'fridge-assets[excel]', or save the sheet as CSV.",
        ) from error
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            names = [str(name) for name in book.sheet_names]
            sheet = source.sheet or names[0]
            if sheet not in names:
                raise FridgeError(f"{path.name} has no sheet {sheet!r}", f"Choose one of {', '.join(names)}.")
            frame = pd.read_excel(book, sheet, skiprows=source.skip_lines, dtype=object, keep_default_na=False)
    except FridgeError:
        raise
    except Exception as error:  # calamine has a family of errors of its own
        raise FridgeError(f"{path.name} cannot be read: {error}", "Give a whole Excel file.") from error
    columns = {str(name).strip(): _typed(frame[name]) for name in frame.columns}
    made = folder / f"{path.name}.parquet"
    pd.DataFrame(columns).to_parquet(made, index=False)
    return made


def _typed(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    values = [None if cell == "" or pd.isna(cell) else cell for cell in cells]
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {"number"}:
        return pd.Series(values, dtype="float64")
    if kinds == {"moment"}:
        return pd.to_datetime(pd.Series(values)).astype("datetime64[us]")
    if kinds == {"flag"}:
        return pd.Series(values, dtype="boolean")
    return pd.Series([None if value is None else _text(value) for value in values], dtype="string")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "moment" if isinstance(value, datetime) else "text"


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date | time) else str(value)

"""What counts as nothing in a row, found without pandas where there is none: a command that lists must be quick."""

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def is_null(value: Any) -> bool:
    """Whether ``value`` is None, not a number or not a time."""
    if isinstance(value, float):
        return math.isnan(value)
    if value is None or type(value) in (str, int, bool, datetime, list):
        return value is None
    import pandas as pd  # noqa: PLC0415

    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def frame_records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Rows of ``frame`` for JSON; nulls become null."""
    return [
        {str(name): None if is_null(value) else value for name, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]

"""Small charts of block characters for the terminal: what was measured over a span of time, gaps left open."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Final

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_FULL: Final = len(_BLOCKS) - 1

Cells = list[float | None]
"""A value for each column of a chart, None where nothing was measured."""


def cells(
    moments: Sequence[datetime], values: Sequence[float | None], start: datetime, end: datetime, width: int
) -> Cells:
    """Values spread over the columns of a chart.

    Of several values in one column the one furthest from the median of all is shown, so that a peak stays visible.
    Where measurements are rarer than columns each is as many columns wide as its time.

    Args:
        moments: when they were measured, in order.
        values: as many; None where there was none.
        start: left edge, inclusive.
        end: right edge, inclusive.
        width: columns.
    """
    known = [(m, float(v)) for m, v in zip(moments, values, strict=True) if v is not None and start <= m <= end]
    if not known:
        return [None] * width
    usual = median(value for _, value in known)
    span = (end - start).total_seconds()
    steps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    slots = max(1, min(width, round(span / median(steps)))) if steps and median(steps) > 0 else width
    found: Cells = [None] * slots
    for moment, value in known:
        slot = min(int((moment - start).total_seconds() / span * slots), slots - 1)
        shown = found[slot]
        if shown is None or abs(value - usual) > abs(shown - usual):
            found[slot] = value
    return [found[column * slots // width] for column in range(width)]


def bars(values: Cells, height: int = 1) -> list[str]:
    """The chart, its lines from top to bottom: from an eighth of a line for the lowest value to all of them.

    Args:
        values: one for each column.
        height: lines.
    """
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    levels = [_level(value, low, high, height * _FULL) for value in values]
    return [
        "".join(_BLOCKS[min(max(level - line * _FULL, 0), _FULL)] for level in levels)
        for line in reversed(range(height))
    ]


def _level(value: float | None, low: float, high: float, highest: int) -> int:
    if value is None:
        return 0
    if high == low:
        return highest // 2
    return 1 + round((value - low) / (high - low) * (highest - 1))

"""Figures beside their targets, the last that a benchmark prints."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Target(NamedTuple):
    """One figure beside its target.

    Args:
        name: what it is.
        value: what was measured; NaN where there is nothing to measure.
        limit: what it is to be.
        is_least: whether it is to be at least that, or at most.
    """

    name: str
    value: float
    limit: float
    is_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is; nothing misses no target."""
        return math.isnan(self.value) or (self.value >= self.limit if self.is_least else self.value <= self.limit)


def print_targets(targets: Iterable[Target], console: Console) -> list[str]:
    """Print the figures beside their targets; returns the names of those that were missed."""
    table = Table("figure", title="Targets")
    for name in ("value", "target"):
        table.add_column(name, justify="right")
    table.add_column("met")
    missed = []
    for one in targets:
        value = "–" if math.isnan(one.value) else f"{one.value:.2f}"
        target = f"{'at least' if one.is_least else 'at most'} {one.limit:g}"
        table.add_row(one.name, value, target, "yes" if one.met else "[red]NO[/red]")
        missed += [] if one.met else [one.name]
    console.print(table)
    return missed

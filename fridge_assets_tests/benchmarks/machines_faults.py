"""What is found of machines that start and stop, beside machines that never stop (SPEC 10)."""

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from fridge_assets.simulation import MACHINES
from fridge_assets_tests.benchmarks.week import live_through, week_fleet
from fridge_assets_tests.benchmarks.week_report import LEAST_ACUTE, LEAST_GRADUAL, by_fault

FAULTY = 0.26
"""Two percent of each fleet for each of the thirteen kinds."""
MIXES = ("continuous", "cycling")


def observe(folder: Path, devices: int, days: int, learned: int, seed: int) -> pd.DataFrame:
    """Live through the days with each kind of machine.

    Returns:
        The columns of ``week_report.by_fault`` and ``machines``, one row per fault and kind of machine.
    """
    frames = []
    for mix in MIXES:
        fleet = week_fleet(devices, days, seed, faulty=FAULTY, learned=learned, models=MACHINES[mix])
        frames.append(by_fault(live_through(folder / mix, fleet, learned)).assign(machines=mix))
    return pd.concat(frames, ignore_index=True)


def misses(found: pd.DataFrame) -> list[str]:
    """The targets that cycling machines missed, in words: those of the week."""
    own = found[found["machines"] == "cycling"]
    missed = []
    for acute, least in ((False, LEAST_GRADUAL), (True, LEAST_ACUTE)):
        faults = own[own["acute"].astype(bool) == acute]
        recall = faults["found"].sum() / max(faults["devices"].sum(), 1)
        if len(faults) and recall < least:
            kind = "acute" if acute else "gradual"
            missed.append(f"{recall:.0%} of the {kind} faults of cycling machines are found, the target is {least:.0%}")
    return missed


def report(found: pd.DataFrame, console: Console) -> tuple[dict[str, Any], list[str]]:
    """Print the table; the results, and the targets that were missed."""
    table = Table(title="Faults found before the failure; leads are medians in hours before it")
    table.add_column("fault", no_wrap=True)
    for mix in MIXES:
        for heading in ("found", "lead"):
            table.add_column(f"{mix} {heading}", justify="right")
    for fault, rows in found.groupby("fault", sort=False):
        cells = []
        for mix in MIXES:
            own = rows[rows["machines"] == mix]
            one = own.iloc[0] if len(own) else None
            lead = "–" if one is None or pd.isna(one["lead"]) else f"{one['lead']:.1f}"
            cells += ["–" if one is None else f"{one['found']} of {one['devices']}", lead]
        table.add_row(str(fault), *cells)
    console.print(table)
    return {"faults": found.to_dict(orient="records")}, misses(found)

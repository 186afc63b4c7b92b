"""What is found of machines that start and stop, beside machines that never stop (SPEC 10).

A fault counts on machines that have its telling sensor: worn bearings of a machine without a vibration sensor are not
there to be found. How many do not count is said.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from fridge_assets.simulation.machines import EQUIPMENT_MODELS
from fridge_assets_tests.benchmarks.kinds import KINDS
from fridge_assets_tests.benchmarks.week import live_through, week_fleet
from fridge_assets_tests.benchmarks.week_report import LEAST_ACUTE, LEAST_GRADUAL, by_fault, told_now

FAULTY = 0.26
"""Two percent of each fleet for each of the thirteen kinds."""


def observe(folder: Path, devices: int, days: int, learned: int, seed: int) -> pd.DataFrame:
    """Live through the days with each kind of machine.

    Returns:
        The columns of ``week_report.by_fault``, ``machines`` and ``hidden``, how many faults of such machines do not
        count; one row per fault and kind of machine.
    """
    frames = []
    for mix in KINDS:
        fleet = week_fleet(devices, days, seed, faulty=FAULTY, learned=learned, machines=mix)
        week = live_through(folder / mix, fleet, learned)
        shown = can_be_seen(week.truth, fleet.registry)
        seen = replace(week, truth=week.truth[shown])
        found = by_fault(seen, told_now(seen))
        frames.append(found.assign(machines=mix, hidden=int((~shown).sum())))
    return pd.concat(frames, ignore_index=True)


def can_be_seen(truth: pd.DataFrame, registry: pd.DataFrame) -> "pd.Series[bool]":
    """Whether the machine of each row of the ground truth has the fault's telling sensor, the first that it names."""
    missing = {model.name: model.telemetry.missing for model in EQUIPMENT_MODELS}
    models = truth["device_id"].map(registry.set_index("device_id")["model"])
    telling = truth["sensor"].str.split(",").str[0]
    shown = [sensor not in missing[model] for sensor, model in zip(telling, models, strict=True)]
    return pd.Series(shown, index=truth.index, dtype=bool)


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
    for mix in KINDS:
        for heading in ("found", "lead"):
            table.add_column(f"{mix} {heading}", justify="right")
    for fault, rows in found.groupby("fault", sort=False):
        cells = []
        for mix in KINDS:
            own = rows[rows["machines"] == mix]
            one = own.iloc[0] if len(own) else None
            lead = "–" if one is None or pd.isna(one["lead"]) else f"{one['lead']:.1f}"
            cells += ["–" if one is None else f"{one['found']} of {one['devices']}", lead]
        table.add_row(str(fault), *cells)
    console.print(table)
    for mix, hidden in found.groupby("machines", sort=False)["hidden"].first().items():
        console.print(f"{hidden} more faults of {mix} machines do not count: the machine lacks the telling sensor.")
    return {"faults": found.to_dict(orient="records")}, misses(found)

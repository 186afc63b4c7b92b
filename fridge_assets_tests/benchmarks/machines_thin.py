"""What models of little data say of the next day (SPEC 2.2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from fridge_assets.automation.cycles import take_in_readings
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.selection import select_training_rows
from fridge_assets.models.training import NotEnoughTrainingRows, train
from fridge_assets.registry.devices import effective_registry, with_cohort
from fridge_assets.running.instance import open_instance
from fridge_assets.scoring.score import held_scores
from fridge_assets.settings import Settings
from fridge_assets.simulation import MACHINES, Fleet, simulate_registry, write_fleet
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.benchmarks.week import HOUR, START

HISTORIES = (12, 24, 72)
FLEETS = {1: 10, 3: 10, 30: 1}
"""Machines in a fleet → how many such fleets, each with models of its own."""

DEVICES, WATCHED = 30, 24
PROMISED, HIGH = 0.01, 0.85
WINDOW_FAMILIES = tuple(name for name, family in FAMILIES.items() if family.view == "window")


@dataclass(frozen=True)
class Thin:
    """What the models of one family and size of history said of healthy machines.

    Args:
        hours: of history.
        devices: in each fleet.
        family: of the models.
        fleets: that have a model; the others have too few windows.
        provisional: how many of the models are.
        windows: scored, of all fleets together.
        flagged: share of them.
        worst: share of the windows of the fleet with most flags.
        high: share above 0.85.
    """

    hours: int
    devices: int
    family: str
    fleets: int
    provisional: int
    windows: int
    flagged: float
    worst: float
    high: float


def observe(folder: Path, seed: int) -> list[Thin]:
    """Every history with every size of fleet; all fleets are of the same machines and the same next day."""
    settings, cut = Settings(data_dir=folder), START + max(HISTORIES) * HOUR
    fleet = Fleet(simulate_registry(DEVICES, seed, MACHINES["cycling"]), seed, START, cut + WATCHED * HOUR)
    paths = (settings.landing_dir, settings.root / "device_registry.csv", settings.root / "ground_truth.parquet")
    write_fleet(fleet, *paths)
    with open_instance(settings) as instance:
        take_in_readings(instance, cut + WATCHED * HOUR + timedelta(minutes=3), in_process=True)
    history, watched = (_rows(settings, hours, until) for hours, until in ((max(HISTORIES), 0), (WATCHED, WATCHED)))
    return [
        _together(hours, devices, family, list(_scores(history, watched, hours, devices, family, settings)))
        for hours in HISTORIES
        for devices in FLEETS
        for family in WINDOW_FAMILIES
    ]


def report(rows: list[Thin], console: Console) -> tuple[dict[str, Any], list[str]]:
    """Print the table; the results. There is no target beyond being measured."""
    table = Table(title=f"Little data: share flagged on the next {WATCHED} h minus the promised {PROMISED:.0%}")
    headings = ("history", "machines", "family", "models", "provisional", "windows", "error", "worst", f"above {HIGH}")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "family" else "right")
    for row in rows:
        error, worst = (f"{share - PROMISED:+.1%}" for share in (row.flagged, row.worst))
        told = [error, worst, f"{row.high:.1%}"] if row.windows else ["–", "–", "–"]
        counts = (f"{row.fleets} of {FLEETS[row.devices]}", str(row.provisional), f"{row.windows:,}")
        table.add_row(f"{row.hours} h", str(row.devices), row.family, *counts, *told)
    console.print(table)
    return {"thin": [vars(row) for row in rows]}, []


def _rows(settings: Settings, hours: int, until: int) -> pd.DataFrame:
    """Usable windows of ``hours`` up to ``until`` hours after the history's end, filled as in training and scoring."""
    registry = with_cohort(effective_registry(settings.root, Warehouse.from_settings(settings)))
    limits = settings.training.model_copy(update={"history": hours * HOUR})
    now = START + (max(HISTORIES) + until) * HOUR
    with Warehouse.from_settings(settings).read() as connection:
        given = settings.model_copy(update={"training": limits})
        return select_training_rows(connection, registry, now, given, "window")


def _scores(
    history: pd.DataFrame, watched: pd.DataFrame, hours: int, devices: int, family: str, settings: Settings
) -> Iterator[tuple[bool, "np.ndarray[Any, Any]"]]:
    """Of each fleet that could be trained on: whether its model is provisional, and its scores of the next day."""
    since = START + (max(HISTORIES) - hours) * HOUR
    names = sorted(history["device_id"].unique())
    for first in range(FLEETS[devices]):
        own = names[first * devices : (first + 1) * devices]
        known = history[history["device_id"].isin(own) & (history["window_end"] > since)]
        try:
            version = train(FAMILIES[family], known, settings, START).version
        except NotEnoughTrainingRows:
            continue
        rows, _ = version.imputer.apply(watched[watched["device_id"].isin(own)])
        yield bool(version.metadata.provisional), held_scores(version, rows, settings.scoring)[0]


def _together(hours: int, devices: int, family: str, found: list[tuple[bool, "np.ndarray[Any, Any]"]]) -> Thin:
    scores = np.concatenate([np.empty(0), *(of_fleet for _, of_fleet in found)])
    threshold = Settings().calibration.threshold
    return Thin(
        hours,
        devices,
        family,
        len(found),
        sum(provisional for provisional, _ in found),
        len(scores),
        float((scores > threshold).mean()) if len(scores) else 0.0,
        max((float((of_fleet > threshold).mean()) for _, of_fleet in found), default=0.0),
        float((scores > HIGH).mean()) if len(scores) else 0.0,
    )

"""What models of little data say of the next day (SPEC 2.2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from fridge_assets.automation.cycles import replay_hours, train_models
from fridge_assets.models.families import FAMILY_SQL, HOURLY_FAMILIES
from fridge_assets.running.instance import open_instance
from fridge_assets.settings import Settings
from fridge_assets.simulation import MACHINES, Fleet, simulate_registry, write_fleet
from fridge_assets.stores.frames import query
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.benchmarks.week import HOUR, START

HISTORIES = (12, 24, 72)
FLEETS = (1, 3, 30)
WATCHED = 24
PROMISED, HIGH = 0.01, 0.85


@dataclass(frozen=True)
class Thin:
    """What one model of little data said of healthy machines.

    Args:
        hours: of history.
        devices: in the fleet.
        family: of the model; empty where none could be trained.
        windows: scored.
        flagged: share of them.
        high: share above 0.85.
        refused: why there is no model; empty where there is one.
    """

    hours: int
    devices: int
    family: str
    windows: int = 0
    flagged: float = 0.0
    high: float = 0.0
    refused: str = ""


def observe(folder: Path, seed: int) -> list[Thin]:
    """Every history with every fleet, each in a folder of its own."""
    return [
        row
        for hours in HISTORIES
        for devices in FLEETS
        for row in _one(folder / f"{hours}-{devices}", hours, devices, seed)
    ]


def report(rows: list[Thin], console: Console) -> tuple[dict[str, Any], list[str]]:
    """Print the table; the results. There is no target yet beyond being measured."""
    table = Table(title=f"Little data: share flagged on the next {WATCHED} h minus the promised {PROMISED:.0%}")
    for heading in ("history", "devices", "family", "windows", "error", f"above {HIGH}"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    for row in rows:
        told = [f"{row.flagged - PROMISED:+.1%}", f"{row.high:.1%}"] if row.windows else ["–", "–"]
        table.add_row(f"{row.hours} h", str(row.devices), row.family or row.refused, str(row.windows), *told)
    console.print(table)
    return {"thin": [vars(row) for row in rows]}, []


def _one(folder: Path, hours: int, devices: int, seed: int) -> Iterator[Thin]:
    settings = Settings(data_dir=folder)
    end = START + (hours + WATCHED) * HOUR
    fleet = Fleet(simulate_registry(devices, seed, MACHINES["cycling"]), seed, START, end)
    paths = (settings.landing_dir, settings.root / "device_registry.csv", settings.root / "ground_truth.parquet")
    write_fleet(fleet, *paths)
    trained_at = START + hours * HOUR + timedelta(minutes=3)
    with open_instance(settings) as instance:
        refusals = {}
        for family in HOURLY_FAMILIES:
            refusals |= train_models(instance, [family], trained_at, in_process=True).failures
        if len(refusals) < len(HOURLY_FAMILIES):
            for _ in replay_hours(instance, [trained_at + n * HOUR for n in range(1, WATCHED + 1)]):
                pass
    for step, reason in refusals.items():
        yield Thin(hours, devices, "", refused=f"{step}: {reason}")
    for row in _scores(settings, trained_at).itertuples(index=False):
        yield Thin(hours, devices, str(row.family), int(row.windows), float(row.flagged), float(row.high))


def _scores(settings: Settings, since: datetime) -> pd.DataFrame:
    with Warehouse.from_settings(settings).read() as connection:
        return query(
            connection,
            f"SELECT {FAMILY_SQL} AS family, count(*) AS windows, avg(anomaly_flag::INTEGER) AS flagged, "
            f"avg((anomaly_score > {HIGH})::INTEGER) AS high FROM model_scores WHERE window_end > $since "
            "GROUP BY ALL ORDER BY ALL",
            {"since": since},
        )

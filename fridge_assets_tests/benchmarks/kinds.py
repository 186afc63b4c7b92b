"""What the fleets of the benchmarks are made of: old and new kinds of machine, whose results are shown apart.

Speed alone is measured on machines that send a reading a minute and never stop: they are the most work.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import pandas as pd

from fridge_assets.simulation import MACHINES, simulate_registry

_Shown = TypeVar("_Shown")

MIX = "mixed"
KINDS = ("continuous", "cycling")
"""Machines whose compressors never stop, which the targets of the benchmarks are for, and those that start and stop."""


def add_machines_option(parser: argparse.ArgumentParser) -> None:
    """Let a user choose what the fleet is made of."""
    parser.add_argument("--machines", choices=list(MACHINES), default=MIX, help=f"of the fleet (default {MIX})")


def registry_of(devices: int, seed: int, machines: str = MIX) -> pd.DataFrame:
    """DEVICE_REGISTRY rows of a fleet of that mix."""
    return simulate_registry(devices, seed, MACHINES[machines])


def kind_of(registry: pd.DataFrame) -> "pd.Series[str]":
    """Device → its kind."""
    cycling = registry["model"].isin([model.name for model in MACHINES["cycling"]])
    kinds = cycling.map({False: KINDS[0], True: KINDS[1]})
    return kinds.set_axis(registry["device_id"]).rename("kind")


def apart(frame: pd.DataFrame, kinds: "pd.Series[str]") -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each kind that has devices, by their ``device_id``."""
    of_row = frame["device_id"].map(kinds)
    for kind in KINDS:
        if (kinds == kind).any():
            yield kind, frame[of_row == kind]


def shown_apart(shown: _Shown) -> dict[str, _Shown]:
    """Kind of machine → a dataclass with ``truth``, ``alerts`` and ``kinds`` of its devices, and the fleet's rest."""
    alerts = dict(apart(shown.alerts, shown.kinds))
    return {
        kind: replace(shown, truth=truth, alerts=alerts[kind], kinds=shown.kinds[shown.kinds == kind])
        for kind, truth in apart(shown.truth, shown.kinds)
    }


def held_to(kinds: "pd.Series[str]") -> str:
    """The kind for which the targets hold: the old one, where the fleet has it."""
    return KINDS[0] if (kinds == KINDS[0]).any() else KINDS[1]

"""A history that is killed again and again holds what an undisturbed one holds, bit for bit.

``python -m fridge_assets_tests.scenarios.cycle_kills [--seed N] [--kills N]``

The history of a small fleet is a few commands: readings are ingested, models trained on them, the hourly and the daily
cycle run, and two hours are replayed. In each round commands that the seed draws are killed with SIGKILL, the whole
process tree at once, at a drawn moment of the time that the command usually takes, and are typed again until they have
run to their end. Then every table, message, ledger and version is held against the undisturbed history, without
tolerance. Exit code 1 when a round ends with anything else; it prints how to play that round again.
"""

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import sqlalchemy as sa
from rich.console import Console

from fridge_assets.models.families import FAMILIES
from fridge_assets_tests.scenarios.contents import WALL_TIME
from fridge_assets_tests.scenarios.interrupts import Typed
from fridge_assets_tests.scenarios.small_fleet import TRAINED_HOUR, Place, copy_of, cycle_time, hour, make_simulated
from fridge_assets_tests.scenarios.tables import differences, tables

CONSOLE = Console(highlight=False, soft_wrap=True)

_FIRST, _SECOND = TRAINED_HOUR + 1, TRAINED_HOUR + 2
History = tuple[tuple[str, ...], ...]
"""What is typed, one command after another."""

HISTORY: History = (
    ("ingest", "FILE"),
    ("train", "--as-of", cycle_time(TRAINED_HOUR).isoformat()),
    ("run", "hourly", "--as-of", cycle_time(_FIRST).isoformat()),
    ("run", "daily", "--as-of", cycle_time(_SECOND).isoformat()),
    ("replay", "--from", hour(_FIRST).isoformat(), "--to", hour(_SECOND).isoformat(), "--into-live", "--yes"),
)
"""FILE stands for the readings of the first hour, those of the second land before the daily cycle."""

MOST_KILLS = 10
"""Of one round."""
_EARLIEST = 0.3
"""Seconds after its start from which a command does more than start an interpreter."""
_PATIENCE = 600.0

_OF_THE_PROCESS = (*WALL_TIME, "batch_id", "modified_at", "beaten_at", "ended_at", "next_attempt_at")
"""Columns of operations about the processes that worked and the moments at which they did."""
_OF_DECISIONS = {"deployment_decisions": ("occurred_at",), "outbox": ("occurred_at", "number")}
"""The same of what is decided, and told, at the moment at which a training ends."""
_RUN = re.compile(r"Dagster run [0-9a-f]{8}")


@dataclass(frozen=True)
class Undisturbed:
    """The history that nobody disturbs.

    Args:
        seconds: how long each command takes.
        holds: everything there is at the end.
    """

    seconds: tuple[float, ...]
    holds: dict[str, pd.DataFrame] = field(repr=False)


@dataclass(frozen=True)
class Round:
    """A history that was disturbed.

    Args:
        seed: draws the same again.
        kills: how many commands were killed.
        wrong: what differs from the undisturbed one; empty for nothing.
    """

    seed: int
    kills: int
    wrong: tuple[str, ...]


def everything(place: Place) -> dict[str, pd.DataFrame]:
    """Every table of the warehouse and of operations, and the versions of the models with what they were trained on."""
    found = tables(place)
    with place.operations.read() as connection:
        for name in sa.inspect(connection).get_table_names():
            rows = pd.read_sql(sa.text(f"SELECT * FROM {name}"), connection).replace(_RUN, "Dagster run", regex=True)
            left_out = [*_OF_THE_PROCESS, *_OF_DECISIONS.get(name, ())]
            found[f"operations.{name}"] = rows.drop(columns=left_out, errors="ignore")
    registry = place.models.registry
    versions = [
        (known.family, known.version, known.metadata.training.hash, known.metadata.training.rows)
        for family in FAMILIES
        for known in registry.versions(family)
    ]
    return found | {"versions": pd.DataFrame(versions, columns=["family", "version", "trained_on", "rows"])}


def undisturbed(filled: Place, folder: Path, history: History) -> Undisturbed:
    """Type the history once."""
    place = copy_of(filled, folder)
    seconds = tuple(_run_to_its_end(place, words) for words in _typed_in_order(place, history))
    return Undisturbed(seconds, everything(place))


def play(filled: Place, folder: Path, seed: int, kills: int, calm: Undisturbed, history: History) -> Round:
    """One round with so many kills."""
    drawn = random.Random(seed)
    victims = [drawn.randrange(len(history)) for _ in range(kills)]
    place = copy_of(filled, folder)
    done = 0
    for number, words in enumerate(_typed_in_order(place, history)):
        for _ in range(victims.count(number)):
            done += _killed(place, words, max(_EARLIEST, drawn.uniform(0, 1) * calm.seconds[number]))
        _run_to_its_end(place, words)
    return Round(seed, done, tuple(differences(everything(place), calm.holds)))


def rounds(first_seed: int, kills: int, history: History = HISTORY) -> Iterator[Round]:
    """Rounds with so many kills in sum, and what each has shown."""
    with tempfile.TemporaryDirectory(prefix="fridge-cycle-kills-") as folder:
        filled = make_simulated(Path(folder) / "filled")
        calm = undisturbed(filled, Path(folder) / "calm" / "data", history)
        seed, left = first_seed, kills
        while left > 0:
            place = Path(folder) / f"round-{seed}"
            played = play(filled, place / "data", seed, min(left, MOST_KILLS), calm, history)
            yield played
            shutil.rmtree(place)
            seed, left = seed + 1, left - max(played.kills, 1)


def _typed_in_order(place: Place, history: History) -> Iterator[tuple[str, ...]]:
    for words in history:
        if words[:2] == ("run", "daily"):
            place.deliver(_SECOND)
        yield words


def _killed(place: Place, words: tuple[str, ...], moment: float) -> bool:
    """Type a command and kill everything of it; False when it had ended by itself."""
    typed = Typed(place, words)
    alive = typed.wait(moment) is None
    while typed.left():
        typed.end()
    return alive


def _run_to_its_end(place: Place, words: tuple[str, ...]) -> float:
    typed = Typed(place, words)
    seconds = typed.wait(_PATIENCE)
    typed.end()
    assert seconds is not None, f"{' '.join(words)} did not end"
    assert typed.process.returncode == 0, f"{' '.join(words)}: {typed.said()}"
    return seconds


def main(arguments: list[str] | None = None) -> int:
    """Play rounds; 1 when one of them ended with other rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the first round (default 1)")
    parser.add_argument("--kills", type=int, default=100, help="in sum (default 100)")
    given = parser.parse_args(arguments)
    done, bad = 0, []
    for played in rounds(given.seed, given.kills):
        done += played.kills
        CONSOLE.print(f"{played.seed}: {played.kills} kills: {'[red]wrong[/red]' if played.wrong else 'the same bits'}")
        for wrong in played.wrong:
            CONSOLE.print(f"   {wrong}", markup=False)
        bad.extend([played] if played.wrong else [])
    CONSOLE.print(f"{done} kills, {len(bad)} rounds ended with other rows.")
    for played in bad:
        CONSOLE.print(f"Again: make scenario-cycle-kills SEED={played.seed} KILLS={MOST_KILLS}")
    return 1 if bad else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # DuckDB's binding would print pages about what Dagster still holds

"""What `doctor` looks at in the Dagster instance of a data folder, and all checks together."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dagster as dg

from fridge_assets.running.config import add_missing, missing_settings
from fridge_assets.running.instance import CONFIG_FILE, open_instance
from fridge_assets.running.lost_runs import (
    end_lost_runs,
    free_held_slots,
    held_slots,
    lost_runs,
    unfinished_runs,
    unused_locks,
)
from fridge_assets.settings import Settings
from fridge_assets.stores.looking import damage_of
from fridge_assets.upkeep.doctor import checks as of_folder
from fridge_assets.upkeep.doctor.check import Check, Remedy, State, broken, named, note, ok, removes

_DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
"""What Dagster keeps in its home, unless its settings name a server."""

T = TypeVar("T")


def checks(settings: Settings) -> list[Check]:
    """Every check of a data folder, in the order in which they are made."""
    # Runs first: what a run that is going has not committed yet was not left behind.
    return [*run_checks(settings), *of_folder.checks(settings, lambda: is_busy(settings))]


def run_checks(settings: Settings) -> list[Check]:
    """Settings of the Dagster instance, runs and launches of killed programs."""
    usable = ("dagster settings", "dagster databases")
    return [
        Check("dagster settings", lambda: _settings(settings)),
        Check("dagster databases", lambda: _databases(settings.dagster_home)),
        Check("lost runs", lambda: _lost_runs(settings), needs=usable),
        Check("held slots", lambda: _held_slots(settings), needs=usable),
        Check("launch locks", lambda: _locks(settings), needs=usable),
    ]


def is_busy(settings: Settings) -> bool:
    """Whether a run is going; who cannot know is careful."""
    try:
        with _opened(settings) as instance:
            return instance is not None and len(unfinished_runs(instance)) > len(lost_runs(instance))
    except Exception:
        return True


@contextmanager
def _opened(settings: Settings) -> Iterator[dg.DagsterInstance | None]:
    """The instance; None where there was no run yet, since opening one would create it."""
    if not (settings.dagster_home / CONFIG_FILE).exists() or not (settings.dagster_home / "history").is_dir():
        yield None
        return
    with open_instance(settings) as instance:
        yield instance


def _found(settings: Settings, look: Callable[[dg.DagsterInstance], Sequence[T]]) -> Sequence[T]:
    """What ``look`` finds in the instance; nothing where there was no run yet."""
    with _opened(settings) as instance:
        return look(instance) if instance else ()


def _settings(settings: Settings) -> State:
    file = settings.dagster_home / CONFIG_FILE
    if not file.exists():
        return ok("none yet; the first run creates them")
    lacking = missing_settings(file)
    if not lacking:
        return ok(f"{file} has all that this release ships")
    return note(
        f"{file} is older than this release and lacks {', '.join(lacking)}",
        Remedy("adds them and leaves the rest as it is", lambda: add_missing(file)),
    )


def _databases(home: Path) -> State:
    # Not those of single runs: there are many, and each is about one run only.
    files = [home / name for name in _DATABASES if (home / name).exists()]
    damaged = {file: damage for file in files if (damage := damage_of(file))}
    if damaged:
        file, damage = next(iter(damaged.items()))
        return broken(
            f"{file} is damaged: {damage}; restore it from a backup, or move {home / 'history'} and "
            f"{home / 'schedules'} away: what ran is forgotten, readings and alerts stay"
        )
    return ok(f"{len(files)} open")


def _lost_runs(settings: Settings) -> State:
    lost = _found(settings, lost_runs)
    if not lost:
        return ok("none: no run waits for a program that was killed")
    return broken(
        f"{named([run.run_id for run in lost])} of a killed program still counts as going",
        Remedy("ends it as failed; what it had committed stays", lambda: _with(settings, end_lost_runs)),
    )


def _held_slots(settings: Settings) -> State:
    held = _found(settings, held_slots)
    if not held:
        return ok("none: no pool waits for a run that has ended")
    return broken(
        f"{named([str(slot) for slot in held])}; others wait for it in vain",
        Remedy("frees it", lambda: _with(settings, free_held_slots)),
    )


def _locks(settings: Settings) -> State:
    left = _found(settings, unused_locks)
    if not left:
        return ok("none left behind")
    return note(
        f"{named([path.name for path in left])} left behind by a killed program",
        removes(left),
    )


def _with(settings: Settings, work: Callable[[dg.DagsterInstance], object]) -> None:
    with open_instance(settings) as instance:
        work(instance)

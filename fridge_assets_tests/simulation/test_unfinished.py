"""A simulation that was interrupted: the same one again goes on with it, another one is told so."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation import FaultShare, Fleet, Plan, Unfinished, simulate_registry, write_fleet
from fridge_assets_tests.simulation.spans import HOUR, START

PLAN = Plan(devices=20, hours=3, seed=3, faults=("bearing_wear=0.1",), end=START + 3 * HOUR)


class Interrupted(Exception):
    """Ctrl-C, as far as the writer can tell."""


def simulate(folder: Path, plan: Plan = PLAN, *, any_end: bool = False, after: int | None = None) -> None:
    """Write the fleet of ``plan``; be interrupted ``after`` so many files."""
    unfinished = Unfinished(folder, plan, any_end=any_end)
    end = unfinished.plan.end
    shares = [FaultShare("bearing_wear", 0.1)]
    fleet = Fleet(simulate_registry(plan.devices, plan.seed), plan.seed, end - plan.hours * HOUR, end, shares)
    files = iter(range(1, 100))

    def progress(_: timedelta, __: timedelta) -> None:
        if next(files) == after:
            raise Interrupted

    paths = (folder / "landing", folder / "device_registry.csv", folder / "ground_truth.parquet")
    write_fleet(fleet, *paths, progress=progress, unfinished=unfinished)


def contents(folder: Path) -> dict[str, object]:
    """What every file holds."""
    return {
        str(path.relative_to(folder)): pq.read_table(path).to_pydict()
        if path.suffix == ".parquet"
        else path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("after", [1, 2, 3])
def test_the_same_simulation_again_gives_what_an_undisturbed_one_gives(tmp_path: Path, after: int) -> None:
    simulate(tmp_path / "undisturbed")
    with pytest.raises(Interrupted):
        simulate(tmp_path / "interrupted", after=after)
    first = next((tmp_path / "interrupted" / "landing").glob("*.parquet"))
    written = first.stat().st_mtime_ns
    simulate(tmp_path / "interrupted")
    assert contents(tmp_path / "interrupted") == contents(tmp_path / "undisturbed")
    assert first.stat().st_mtime_ns == written, "a landing file that is there never changes"


def test_without_a_named_end_it_ends_where_the_interrupted_one_was_to_end(tmp_path: Path) -> None:
    simulate(tmp_path / "undisturbed")
    with pytest.raises(Interrupted):
        simulate(tmp_path / "interrupted", after=1)
    simulate(tmp_path / "interrupted", replace(PLAN, end=PLAN.end + HOUR), any_end=True)
    assert contents(tmp_path / "interrupted") == contents(tmp_path / "undisturbed")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"devices": 21},
        {"hours": 4},
        {"faults": ()},
        {"end": START + 9 * HOUR},
        {"machines": "mixed"},
        {"states": True},
    ],
)
def test_another_simulation_is_told_of_the_interrupted_one(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(Interrupted):
        simulate(tmp_path, after=1)
    before = contents(tmp_path)
    with pytest.raises(FridgeError, match=r"Finish it with `fridge-assets simulate --devices 20 --hours 3 --seed 3 "):
        simulate(tmp_path, replace(PLAN, **change))  # type: ignore[arg-type]
    assert contents(tmp_path) == before


def test_a_folder_that_holds_another_fleet_is_refused_as_ever_and_gets_no_note(tmp_path: Path) -> None:
    simulate(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(FridgeError, match="is already in"):
        simulate(tmp_path)
    with pytest.raises(FridgeError, match="holds another registry"):
        simulate(tmp_path, replace(PLAN, seed=4, end=PLAN.end + 9 * HOUR))
    assert contents(tmp_path) == before


def test_the_way_to_finish_it_names_the_machines_and_their_states() -> None:
    words = replace(PLAN, machines="cycling", states=True).words
    assert "--machines cycling --states" in words
    assert "--machines" not in PLAN.words

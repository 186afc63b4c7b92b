"""One model's process starves or hangs: nobody else notices, and its last good scores stand (SPEC 4).

That it is killed by somebody is a row of the table that ``test_failures`` goes through.
"""

import json
import os
import resource
from collections.abc import Callable

import psutil
import pytest

from fridge_assets.running.instance import open_instance
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.broken import BASELINE, FOREST
from fridge_assets_tests.scenarios.contents import contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.processes import finish, started, wait_for_worker
from fridge_assets_tests.scenarios.small_fleet import Place, cycle_time, put_back
from fridge_assets_tests.scenarios.test_failures import scored, status_of
from fridge_assets_tests.scenarios.test_hourly_cycle import faulty_devices

pytestmark = pytest.mark.timeout(600)

NEXT = FIRST_HOUR + 1
ENDLESS = 2**41
"""Bytes of a file that nobody reads to its end."""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    put_back(monkeypatch)


def error_after(place: Place, meanwhile: Callable[[int], object]) -> str:
    """What a cycle says that failed, while ``meanwhile`` happened to the process of the forest."""
    before = contents(place)[f"{FOREST}_scores"]
    place.deliver(NEXT)
    with (
        started(place, "run", "hourly", "--as-of", cycle_time(NEXT).isoformat()) as process,
        open_instance(place.settings) as instance,
    ):
        meanwhile(wait_for_worker(instance, f"{FOREST}_scores", process))
        code, said, error = finish(process)
    assert code == 1
    assert f"{BASELINE}_scores" not in error
    assert "device_status" in said
    assert contents(place)[f"{FOREST}_scores"] == before
    assert scored(place, NEXT) == [BASELINE]
    devices = status_of(place)
    assert (devices["score_status"] == "fresh").all()
    assert (devices.loc[sorted(faulty_devices(place)), "open_alerts"] > 0).all()
    _, shown, _ = typed(place.root, "status", "--as-of", cycle_time(NEXT).isoformat(), "--json")
    overview = json.loads(shown)
    ages = {entry["family"]: (entry["age"], entry["tier"]) for entry in overview["scores"]}
    assert ages == {FOREST: ("1 h", "stale"), BASELINE: ("0 s", "fresh")}
    assert overview["tier"] == "fresh"
    return error


def test_it_runs_out_of_memory(cycled: Place) -> None:
    # So little that the process cannot even store why it failed.
    assert "✗" in error_after(cycled, lambda pid: psutil.Process(pid).rlimit(resource.RLIMIT_AS, (1, 1)))


def test_it_hangs(cycled: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRIDGE_SCORING__STEP_TIMEOUT", "PT6S")
    file = next(file for file in sorted(cycled.artifact(FOREST, "model").rglob("*")) if file.is_file())
    size = file.stat().st_size
    os.truncate(file, ENDLESS)  # takes no space, and hashing it takes the better part of an hour
    error = error_after(cycled, lambda _: None)
    assert f"{FOREST}_scores: its process was killed, it took longer than scoring.step_timeout" in error
    os.truncate(file, size)
    assert cycled.run_hourly(NEXT).success, "its pool is free and nothing else is in the way"

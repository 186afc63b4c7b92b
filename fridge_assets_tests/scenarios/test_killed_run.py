"""A run that is killed in mid-write, also by the kernel, leaves every table as before or after, never between."""

import os
import signal
import time
from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.automation.instance import open_instance
from fridge_assets_tests.scenarios.contents import WALL_TIME, contents, warehouse_tables
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.processes import finish, kill, replaying, started, wait_for_step, wait_for_worker
from fridge_assets_tests.scenarios.small_fleet import Place, cycle_time, hour, put_back

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    put_back(monkeypatch)


_KILLED_DURING = {
    "isolation_forest_scores": timedelta(milliseconds=100),
    "fleet_status": timedelta(milliseconds=150),
}
"""Step → how long after its start everything is killed."""


def test_after_kills_every_table_is_readable_and_the_next_run_ends_as_an_undisturbed_one(
    trained: Place, cycled_template: Place
) -> None:
    trained.deliver(FIRST_HOUR)
    for step, delay in _KILLED_DURING.items():
        with (
            replaying(trained, FIRST_HOUR) as process,
            open_instance(trained.settings) as instance,
        ):
            wait_for_step(instance, step, process)
            time.sleep(delay.total_seconds())
            kill(process)
        assert process.returncode == -signal.SIGKILL, "the step was over before it was killed"
        _everything_is_readable(trained)
    assert trained.run_hourly(FIRST_HOUR).success
    assert contents(trained, WALL_TIME) == contents(cycled_template, WALL_TIME)


def test_a_model_whose_process_is_killed_keeps_its_last_scores_and_stops_nobody_else(cycled: Place) -> None:
    before = contents(cycled)
    cycled.deliver(FIRST_HOUR + 1)
    with (
        started(cycled, "run", "hourly", "--as-of", cycle_time(FIRST_HOUR + 1).isoformat()) as process,
        open_instance(cycled.settings) as instance,
    ):
        os.kill(wait_for_worker(instance, "isolation_forest_scores", process), signal.SIGKILL)
        code, said, error = finish(process)
    assert code == 1
    assert "isolation_forest_scores: its process was killed, perhaps because memory ran out" in error
    assert "statistical_baseline_scores" not in error
    assert "device_status" in said
    assert contents(cycled)["isolation_forest_scores"] == before["isolation_forest_scores"]
    scored = "SELECT DISTINCT left(model_id, 9) FROM model_scores WHERE window_end = ?"
    assert cycled.query(scored, hour(FIRST_HOUR + 1)) == [("statistic",)]


def _everything_is_readable(place: Place) -> None:
    for table in warehouse_tables(place):
        place.query(f"SELECT count(*) FROM {table}")
    for family in ("isolation_forest", "statistical_baseline"):
        if f"{family}_scores" in warehouse_tables(place):
            assert place.query(f"SELECT count(*) FROM {family}_scores") in ([(0,)], [(24,)])
    contents(place)
    for file in place.settings.published_dir.glob("*.parquet"):
        assert len(pd.read_parquet(file))

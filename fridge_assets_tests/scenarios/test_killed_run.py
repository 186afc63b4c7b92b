"""A run that is killed in mid-write, also by the kernel, leaves every table as before or after, never between."""

import signal
import time
from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.running.instance import open_instance
from fridge_assets_tests.scenarios.contents import WALL_TIME, contents, warehouse_tables
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.processes import kill, replaying, wait_for_step
from fridge_assets_tests.scenarios.small_fleet import Place, put_back

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


def _everything_is_readable(place: Place) -> None:
    for table in warehouse_tables(place):
        place.query(f"SELECT count(*) FROM {table}")
    for family in ("isolation_forest", "statistical_baseline"):
        if f"{family}_scores" in warehouse_tables(place):
            assert place.query(f"SELECT count(*) FROM {family}_scores") in ([(0,)], [(24,)])
    contents(place)
    for file in place.settings.published_dir.glob("*.parquet"):
        assert len(pd.read_parquet(file))

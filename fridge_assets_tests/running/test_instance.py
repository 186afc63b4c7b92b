"""The Dagster instance of a data folder has production settings, which its owner may edit (DESIGN 4)."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.config import PoolGranularity

from fridge_assets.running.instance import open_instance, prepare_dagster_home
from fridge_assets_tests.scenarios.small_fleet import settings_of


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings_of(tmp_path / "data")) as instance:
        yield instance


def test_one_step_at_a_time_works_on_each_asset(instance: dg.DagsterInstance) -> None:
    pools = instance.event_log_storage.get_pool_config()
    assert (pools.default_pool_limit, pools.pool_granularity) == (1, PoolGranularity.OP)


def test_lost_runs_are_noticed_and_tried_again_but_failed_steps_are_not(instance: dg.DagsterInstance) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds < 3600
    assert instance.run_retries_enabled
    assert not instance.run_retries_retry_on_asset_or_op_failure


def test_nothing_is_sent_home_and_old_ticks_are_purged(instance: dg.DagsterInstance) -> None:
    assert not instance.telemetry_enabled
    kept = instance.get_tick_retention_settings(InstigatorType.SENSOR)
    assert {status.value: days for status, days in kept.items()} == {
        "STARTED": -1,
        "SKIPPED": 2,
        "FAILURE": 30,
        "SUCCESS": 30,
    }


def test_programs_started_from_here_find_the_same_folder(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert os.environ["FRIDGE_DATA_DIR"] == str(tmp_path / "data")
    assert os.environ["DAGSTER_HOME"] == str(tmp_path / "data" / "dagster")
    assert Path(instance.root_directory) == tmp_path / "data" / "dagster"


def test_an_edited_dagster_yaml_stays_as_its_owner_wants_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    prepare_dagster_home(settings)
    config = settings.dagster_home / "dagster.yaml"
    assert "QueuedRunCoordinator" in config.read_text()
    config.write_text("telemetry:\n  enabled: true\n")
    prepare_dagster_home(settings)
    assert config.read_text() == "telemetry:\n  enabled: true\n"

"""Running a job from a program: what went wrong comes back as a sentence."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

import fridge_assets.definitions
from fridge_assets.automation.cycles import (
    hourly_cycle,
    one_model_cycle,
    take_in_readings,
    train_models,
    untrained_yet,
)
from fridge_assets.automation.launch import clock_config, run_cycle, run_job
from fridge_assets.core.errors import FridgeError
from fridge_assets.steps.clock import Clock
from fridge_assets_tests.readings.deliveries import at, moment, write
from fridge_assets_tests.scenarios.small_fleet import (
    DEVICES,
    Place,
    cycle_time,
    forget_loaded_jobs,
    graph_of,
    settings_of,
)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """The graph over an empty data folder."""
    with graph_of(settings_of(tmp_path / "data")) as instance:
        yield instance


def test_a_failed_step_comes_back_with_its_reason_in_a_sentence(instance: dg.DagsterInstance) -> None:
    outcome = run_job(instance, "score_isolation_forest", clock_config(cycle_time(7)), in_process=True)
    assert not outcome.success
    assert outcome.failures == {
        "isolation_forest_scores": "device_features has no window that is closed. "
        "Bring readings first: files in the landing folder, or `fridge-assets ingest FILE`."
    }
    assert instance.get_run_by_id(outcome.run_id).status == dg.DagsterRunStatus.FAILURE


def test_the_publication_follows_a_failed_score_run_and_names_it(instance: dg.DagsterInstance) -> None:
    cycle = run_cycle(instance, "score_statistical_baseline", clock_config(cycle_time(7)), in_process=True)
    assert not cycle.success
    assert not cycle.score.success
    assert cycle.publish.success
    publish = instance.get_run_by_id(cycle.publish.run_id)
    assert publish.tags["fridge/scored_by"] == cycle.score.run_id
    assert publish.run_config["resources"] == clock_config(cycle_time(7))["resources"]


def test_a_moment_that_is_none_fails_the_step_with_what_to_write(instance: dg.DagsterInstance) -> None:
    config = {"resources": {"clock": {"config": {"as_of": "yesterday"}}}}  # as someone may type it in the UI
    outcome = run_job(instance, "publish", config, in_process=True)
    expected = "as_of is 'yesterday', not a moment. Give ISO 8601 such as 2026-01-31T13:45:00Z."
    assert outcome.failures == {"model_scores": expected}


def test_a_run_that_fails_before_its_first_step_says_why(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedClock(Clock):
        def setup_for_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
            raise FridgeError("the clock has stopped", "Wind it up.")

    graph = fridge_assets.definitions.defs
    resources = dict(graph.resources or {})
    clock = StoppedClock(warehouse=resources["clock"].warehouse, settings=resources["clock"].settings)
    stopped = dg.Definitions(
        assets=graph.assets,
        asset_checks=graph.asset_checks,
        jobs=graph.jobs,
        resources={**resources, "clock": clock},
    )
    monkeypatch.setattr(fridge_assets.definitions, "defs", stopped)
    forget_loaded_jobs()
    outcome = run_job(instance, "publish", {}, in_process=True)
    assert list(outcome.failures) == ["publish"]
    assert outcome.failures["publish"].endswith("the clock has stopped. Wind it up.")


def test_what_cannot_be_run_is_refused_before_anything_runs(instance: dg.DagsterInstance) -> None:
    unknown = r"no model family 'crystal_ball'\. Choose one of isolation_forest, "
    with pytest.raises(FridgeError, match=unknown):
        train_models(instance, ["crystal_ball"], None)
    with pytest.raises(FridgeError, match=unknown):
        one_model_cycle(instance, "crystal_ball", [], "", None)
    with pytest.raises(FridgeError, match="--window-end is 'noon', not a moment"):
        one_model_cycle(instance, "isolation_forest", [], "noon", None)
    with pytest.raises(FridgeError, match="--as-of is 'noon', not a moment"):
        hourly_cycle(instance, "noon")
    assert instance.get_runs_count() == 0


def test_readings_are_taken_in_without_scoring_and_the_hourly_run_finds_them_done(
    trained: Place,
) -> None:
    trained.deliver(7)
    with graph_of(trained.settings) as instance:
        taken = take_in_readings(instance, cycle_time(7), in_process=True)
        hourly = hourly_cycle(instance, cycle_time(7), in_process=True)
    assert taken.success
    assert taken.metadata["clean_sensor_readings"]["files"] == 1
    assert taken.metadata["device_features"]["windows"] >= 4
    assert "isolation_forest_scores" not in taken.metadata
    assert hourly.success
    assert hourly.score.metadata["clean_sensor_readings"]["files"] == 0
    assert hourly.score.metadata["device_features"]["windows"] == 0
    assert hourly.score.metadata["isolation_forest_scores"]["dagster/row_count"] == DEVICES


def test_a_family_without_enough_history_is_told_from_a_failure_where_others_were_trained(tmp_path: Path) -> None:
    settings, hours = settings_of(tmp_path / "data"), 10
    write(
        settings.landing_dir / "a.csv",
        [
            {"device_id": "d1", "timestamp": at(minute), "temperature_evaporator": -20 + minute % 7 / 10}
            for minute in range(hours * 60)
        ],
    )
    now = moment(hours * 60 + 3)
    with graph_of(settings) as instance:
        both = train_models(instance, ["statistical_baseline", "dbscan_cohort"], now, in_process=True)
        alone = train_models(instance, ["dbscan_cohort"], now, in_process=True)
    assert untrained_yet(both) == {"dbscan_cohort": "dbscan_cohort_model"}
    assert "training needs 32" in both.failures["dbscan_cohort_model"]
    assert alone.failures
    assert untrained_yet(alone) == {}

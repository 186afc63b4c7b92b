"""Readings and features are brought up to date in the run's own process; each model scores in one of its own."""

import dagster as dg

from fridge_assets.automation.jobs import SCORE_HOURLY
from fridge_assets.running.instance import open_instance
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.processes import finish, started
from fridge_assets_tests.scenarios.small_fleet import Place, cycle_time


def test_only_models_have_a_process_of_their_own(trained: Place) -> None:
    trained.deliver(FIRST_HOUR)
    with started(trained, "run", "hourly", "--as-of", cycle_time(FIRST_HOUR).isoformat()) as process:
        assert finish(process)[0] == 0
    with open_instance(trained.settings) as instance:
        run = instance.get_runs(dg.RunsFilter(job_name=SCORE_HOURLY.name), limit=1)[0]
        forked = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_WORKER_STARTED)
        ended = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    models = {"isolation_forest_scores", "statistical_baseline_scores"}
    assert {entry.step_key for entry in forked} == models
    assert {entry.step_key for entry in ended} == models | {"ingest", "device_features"}

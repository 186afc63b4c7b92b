"""Every schedule and sensor, tick by tick (SPEC 2)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from fridge_assets.automation.jobs import PUBLISHES_ITSELF_TAG, SCORE_JOBS, SOURCE_RUN_TAG
from fridge_assets.automation.launch import clock_config
from fridge_assets.definitions import build_definitions
from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.readings.ingest import ingest
from fridge_assets.running.instance import open_instance
from fridge_assets.stores.operations import device_alerts
from fridge_assets_tests.environment import put_back
from fridge_assets_tests.incidents.observing.fleet import Fleet as AlertFleet
from fridge_assets_tests.incidents.observing.fleet import score
from fridge_assets_tests.scenarios.small_fleet import Place, cycle_time, graph_of, settings_of

AS_OF = cycle_time(7)
ENDINGS = {"success": "SUCCESS", "failure": "FAILURE", "cancellation": "CANCELED"}
SCHEDULES = {
    "take_in_readings_schedule": ("take_in_readings", "*/5 * * * *"),
    "score_hourly_schedule": ("score_hourly", "3 * * * *"),
    "score_daily_schedule": ("score_daily", "0 3 * * *"),
    "train_weekly_schedule": ("train_weekly", "20 4 * * 1"),
    "train_monthly_schedule": ("train_monthly", "20 5 1 * *"),
    "assess_alerts_schedule": ("assess_alerts", "40 5 * * 1"),
    "canary_schedule": ("canary", "10 * * * *"),
    "learn_thresholds_schedule": ("learn_thresholds", "30 4 * * *"),
    "reconcile_status_schedule": ("reconcile_status", "40 3 * * *"),
    "retention_schedule": ("retention", "20 2 * * *"),
}
"""Schedule → its job, and when it is due in UTC."""
PUBLISHING = {f"publish_after_{outcome}" for outcome in ENDINGS}
SENSORS = PUBLISHING | {
    "switch_to_fallback", "monitor_after_publication", "report_stream", "tell_of_runs", "tell_of_freshness",
    "deliver_messages", "deliver_work_orders", "free_held_pools", "pulse", "watch_deadlines",
    "refresh_status_after_changes", "report_actions",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ticks")


@pytest.fixture(scope="module")
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with pytest.MonkeyPatch.context() as patch:
        put_back(patch)
        with open_instance(settings_of(folder)) as instance:
            yield instance


@pytest.fixture(scope="module")
def repository(folder: Path) -> dg.RepositoryDefinition:
    return build_definitions(settings_of(folder)).get_repository_def()


def tick(
    repository: dg.RepositoryDefinition,
    instance: dg.DagsterInstance,
    sensor: str,
    cursor: str | None,
    resources: dict[str, object] | None = None,
) -> tuple[list[dg.RunRequest], str, str]:
    """Evaluate a sensor once: its run requests, why it skipped, and its cursor afterwards."""
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, repository_def=repository, resources=resources
    ) as context:
        data = repository.get_sensor_def(sensor).evaluate_tick(context)
    assert data.cursor is not None
    return list(data.run_requests or []), data.skip_message or "", data.cursor


def ended_run(
    repository: dg.RepositoryDefinition,
    instance: dg.DagsterInstance,
    job: str,
    outcome: str,
    tags: dict[str, str] | None = None,
    as_of: datetime | None = AS_OF,
) -> dg.DagsterRun:
    """A run that is stored in the instance and has ended as ``outcome``."""
    run = instance.create_run_for_job(
        repository.get_job(job), run_config=clock_config(as_of), tags=tags, status=dg.DagsterRunStatus.STARTED
    )
    if outcome == "success":
        event = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name=job)
        instance.report_dagster_event(event, run.run_id)
    elif outcome == "failure":
        instance.report_run_failed(run)
    else:
        instance.report_run_canceled(run)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status.value == ENDINGS[outcome]
    return ended


def test_every_schedule_and_sensor_is_ticked_here_and_runs_without_being_switched_on(
    repository: dg.RepositoryDefinition,
) -> None:
    assert {schedule.name for schedule in repository.schedule_defs} == SCHEDULES.keys()
    assert {sensor.name for sensor in repository.sensor_defs} == SENSORS
    for schedule in repository.schedule_defs:
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    for sensor in repository.sensor_defs:
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def due(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, place: Place, name: str
) -> ScheduleExecutionData:
    """What a schedule wants when it is due."""
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2026, 3, 29, 0, 50, tzinfo=UTC),
        repository_def=repository,
        resources={
            "settings": place.settings,
            "warehouse": place.warehouse,
            "models": place.models,
            "landing": place.landing,
        },
    )
    return repository.get_schedule_def(name).evaluate_tick(context)


@pytest.mark.parametrize("name", SCHEDULES)
def test_what_is_due_when_in_utc(repository: dg.RepositoryDefinition, name: str) -> None:
    schedule = repository.get_schedule_def(name)
    assert (schedule.job_name, schedule.cron_schedule) == SCHEDULES[name]
    assert schedule.execution_timezone == "UTC"


@pytest.mark.parametrize("name", sorted(SCHEDULES.keys() - {"canary_schedule", "take_in_readings_schedule"}))
def test_a_schedule_starts_its_job_at_the_actual_time(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, folder: Path, name: str
) -> None:
    requests = due(repository, instance, Place(settings_of(folder)), name).run_requests
    assert requests is not None
    assert [request.run_config for request in requests] == [{}]


def test_readings_are_taken_in_only_when_a_file_has_landed_since(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    place = Place(settings_of(tmp_path))
    idle = due(repository, instance, place, "take_in_readings_schedule")
    assert not idle.run_requests
    assert "no file has landed" in (idle.skip_message or "")
    file = place.settings.landing_dir / "june.csv"
    file.write_text("device_id,timestamp,humidity\nd1,2026-03-01T00:00Z,40\n")
    requests = due(repository, instance, place, "take_in_readings_schedule").run_requests
    assert requests is not None
    assert [request.run_config for request in requests] == [{}]
    ingest(place.landing, place.warehouse, None, datetime(2026, 3, 1, 1, tzinfo=UTC), place.settings)
    assert not due(repository, instance, place, "take_in_readings_schedule").run_requests


def test_the_canary_runs_only_while_there_is_something_to_compare(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, folder: Path
) -> None:
    place = Place(settings_of(folder))
    idle = due(repository, instance, place, "canary_schedule")
    assert not idle.run_requests
    assert "no version is staged" in (idle.skip_message or "")
    ann = Request("ann", datetime(2026, 3, 1, tzinfo=UTC), "")
    for rule in (
        lambda state, _: decide.promote(state, "1.0.0", ann, Proof(passed=True, said="")),
        lambda state, _: decide.stage(state, "1.1.0", ann),
    ):
        place.models.deployments.decide("isolation_forest", rule)
    requests = due(repository, instance, place, "canary_schedule").run_requests
    assert requests is not None
    assert len(requests) == 1


def test_the_daemon_escalates_what_nobody_took_once(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, folder: Path
) -> None:
    operations = Place(settings_of(folder)).operations
    resources: dict[str, object] = {"settings": settings_of(folder), "operations": operations}
    AlertFleet(operations).run(score("d1", 0, 0.97))
    said = [tick(repository, instance, "watch_deadlines", "-", resources)[1] for _ in range(2)]
    assert said == ["1 incidents had something due", "0 incidents had something due"]
    with operations.read() as connection:
        (alert,) = connection.execute(sa.select(device_alerts)).mappings()
    assert (alert["escalation_level"], alert["sla_breached"]) == ("L3", True)


@pytest.mark.parametrize("outcome", ENDINGS)
@pytest.mark.parametrize("job", [job.name for job in SCORE_JOBS])
def test_however_a_score_run_ended_publish_follows_once_with_the_same_clock(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, job: str, outcome: str
) -> None:
    sensor = f"publish_after_{outcome}"
    assert repository.get_sensor_def(sensor).job_name == "publish"
    _, _, cursor = tick(repository, instance, sensor, None)
    run = ended_run(repository, instance, job, outcome)
    requests, _, cursor = tick(repository, instance, sensor, cursor)
    assert [request.run_key for request in requests] == [run.run_id]
    assert requests[0].tags.items() >= {SOURCE_RUN_TAG: run.run_id}.items()
    assert requests[0].run_config == clock_config(AS_OF)
    assert tick(repository, instance, sensor, cursor)[0] == []


@pytest.mark.parametrize("outcome", ENDINGS)
def test_a_score_run_at_the_actual_time_is_published_at_the_actual_time(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, outcome: str
) -> None:
    sensor = f"publish_after_{outcome}"
    _, _, cursor = tick(repository, instance, sensor, None)
    ended_run(repository, instance, "score_hourly", outcome, as_of=None)
    requests, _, _ = tick(repository, instance, sensor, cursor)
    assert [request.run_config for request in requests] == [{}]


@pytest.mark.parametrize("outcome", ENDINGS)
def test_a_run_that_its_launcher_publishes_is_left_to_it(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, outcome: str
) -> None:
    sensor = f"publish_after_{outcome}"
    _, _, cursor = tick(repository, instance, sensor, None)
    run = ended_run(repository, instance, "score_hourly", outcome, {PUBLISHES_ITSELF_TAG: "yes"})
    requests, said, _ = tick(repository, instance, sensor, cursor)
    assert requests == []
    assert said == f"run {run.run_id} is published by whoever started it"


@pytest.mark.parametrize(("retries", "published"), [("1", 0), ("0", 1)])
def test_an_interrupted_run_that_is_tried_again_is_published_after_that(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, retries: str, published: int
) -> None:
    _, _, cursor = tick(repository, instance, "publish_after_failure", None)
    interrupted = {"dagster/failure_reason": "UNEXPECTED_TERMINATION", "dagster/max_retries": retries}
    ended_run(repository, instance, "score_hourly", "failure", interrupted)
    requests, _, _ = tick(repository, instance, "publish_after_failure", cursor)
    assert len(requests) == published


def test_a_pool_that_is_held_in_vain_is_freed_by_the_daemon(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    instance.event_log_storage.initialize_concurrency_limit_to_default("features")
    run = ended_run(repository, instance, "score_hourly", "failure")
    assert instance.event_log_storage.claim_concurrency_slot("features", run.run_id, "device_features").is_claimed
    _, said, _ = tick(repository, instance, "free_held_pools", "-")
    assert said == f"device_features of score_hourly ({run.run_id}, failure) holds features"
    assert tick(repository, instance, "free_held_pools", "-")[1] == "no pool is held in vain"


@pytest.mark.parametrize("outcome", ENDINGS)
@pytest.mark.parametrize("job", ["publish", "train"])
def test_the_end_of_another_job_publishes_nothing(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, job: str, outcome: str
) -> None:
    sensor = f"publish_after_{outcome}"
    _, _, cursor = tick(repository, instance, sensor, None)
    ended_run(repository, instance, job, outcome)
    requests, _, _ = tick(repository, instance, sensor, cursor)
    assert requests == []


def test_a_run_that_really_scored_and_one_that_really_failed_are_each_published_by_their_own_sensor(
    trained: Place,
) -> None:
    trained.deliver(7)
    with graph_of(trained.settings) as instance:
        graph = build_definitions(trained.settings)
        repository = graph.get_repository_def()
        cursors = {name: tick(repository, instance, name, None)[2] for name in PUBLISHING}
        features = [dg.AssetKey(name) for name in ("clean_sensor_readings", "quarantined_readings", "device_features")]
        scored = graph.resolve_job_def("score_hourly").execute_in_process(
            instance=instance, run_config=clock_config(AS_OF), asset_selection=features
        )
        much_later = clock_config(cycle_time(20))
        failed = graph.resolve_job_def("score_isolation_forest").execute_in_process(
            instance=instance, run_config=much_later, raise_on_error=False
        )
        assert (scored.success, failed.success) == (True, False)
        wanted = {
            name: [request.run_key for request in tick(repository, instance, name, cursor)[0]]
            for name, cursor in cursors.items()
        }
    assert wanted == {
        "publish_after_success": [scored.run_id],
        "publish_after_failure": [failed.run_id],
        "publish_after_cancellation": [],
    }

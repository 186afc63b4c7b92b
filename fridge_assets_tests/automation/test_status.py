"""When the status is brought up to date between two runs."""

from collections.abc import Iterator

import dagster as dg
import pytest

from fridge_assets.automation.sensors import refresh_status_after_changes
from fridge_assets.automation.status import refresh_status_job
from fridge_assets.running.instance import open_instance
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations, status_due
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job(name="publish")
def publish() -> None:
    nothing()


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as instance:
        yield instance


def tick(instance: dg.DagsterInstance, operations: Operations) -> dg.RunRequest | dg.SkipReason:
    with dg.build_sensor_context(instance=instance, resources={"operations": operations}) as context:
        wanted = refresh_status_after_changes(context)
    assert isinstance(wanted, dg.RunRequest | dg.SkipReason)
    return wanted


def test_a_change_starts_one_refresh_and_waits_for_runs_that_make_all_of_the_status(
    instance: dg.DagsterInstance, operations: Operations
) -> None:
    assert isinstance(tick(instance, operations), dg.SkipReason)
    with operations.transaction() as connection:
        connection.execute(status_due.insert().values(event_id="e1", device_id="d1"))
    assert isinstance(tick(instance, operations), dg.RunRequest)
    run = instance.create_run_for_job(publish, status=dg.DagsterRunStatus.STARTED)
    skipped = tick(instance, operations)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "a run of publish is under way"
    instance.report_run_failed(run)
    assert isinstance(tick(instance, operations), dg.RunRequest)
    instance.create_run_for_job(refresh_status_job, status=dg.DagsterRunStatus.STARTING)
    assert isinstance(tick(instance, operations), dg.SkipReason)


def test_a_refresh_is_an_observation_so_that_old_scores_do_not_look_fresh(
    instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse, operations: Operations
) -> None:
    with operations.transaction() as connection:
        connection.execute(status_due.insert().values(event_id="e1", device_id="d1"))
    resources = {
        "settings": settings, "warehouse": warehouse, "operations": operations,
        "published": Published(settings.published_dir),
        "clock": Clock(warehouse=warehouse, settings=settings, as_of=""),
    }  # fmt: skip
    done = refresh_status_job.execute_in_process(instance=instance, resources=resources)
    assert done.success
    kinds = {event.event_type_value for event in done.all_events}
    assert "ASSET_OBSERVATION" in kinds
    assert "ASSET_MATERIALIZATION" not in kinds
    assert isinstance(tick(instance, operations), dg.SkipReason)

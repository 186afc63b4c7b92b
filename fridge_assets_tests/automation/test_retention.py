"""The nightly sweep as a Dagster job: old runs go with all they wrote, and a partial failure fails the run."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from fridge_assets.automation.retention import RETENTION, DagsterRuns
from fridge_assets.running.instance import open_instance
from fridge_assets.settings import Settings
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.upkeep.retention.given import Folder, aged


@dg.op
def speak() -> None:
    sys.stdout.write("something that goes into the compute log")


@dg.job(executor_def=dg.in_process_executor)
def talk() -> None:
    speak()


@pytest.fixture
def folder(settings: Settings) -> Folder:
    return Folder(settings)


@pytest.fixture
def instance(folder: Folder) -> Iterator[dg.DagsterInstance]:
    with open_instance(folder.settings) as instance:
        yield instance


def swept(instance: dg.DagsterInstance, folder: Folder) -> dg.ExecuteInProcessResult:
    resources = {
        "settings": folder.settings,
        "warehouse": folder.warehouse,
        "operations": folder.operations,
        "models": folder.models,
    }
    return RETENTION.execute_in_process(instance=instance, resources=resources, raise_on_error=False)


def test_a_run_that_is_too_old_goes_with_its_events_and_logs_and_young_ones_stay(instance: dg.DagsterInstance) -> None:
    run_id = talk.execute_in_process(instance=instance).run_id
    root = Path(instance.root_directory)
    assert list(root.rglob(f"*{run_id}*"))
    runs = DagsterRuns(instance)
    assert runs.ended_before(datetime.now(UTC) - timedelta(minutes=1)) == []
    assert runs.ended_before(datetime.now(UTC) + timedelta(minutes=1)) == [run_id]
    assert runs.delete(run_id) > 1000
    assert instance.get_run_by_id(run_id) is None
    assert [path for path in root.rglob("*") if path.is_file() and run_id in str(path)] == []
    assert talk.execute_in_process(instance=instance).success


def test_runs_that_have_not_ended_stay(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(talk, status=dg.DagsterRunStatus.STARTED)
    assert DagsterRuns(instance).ended_before(datetime.now(UTC) + timedelta(days=1)) == []
    instance.report_run_failed(run)
    assert len(DagsterRuns(instance).ended_before(datetime.now(UTC) + timedelta(days=1))) == 1


def test_the_job_sweeps_and_shows_what_it_removed(instance: dg.DagsterInstance, folder: Folder) -> None:
    spill = aged(folder.settings.warehouse_dir / "spill" / "a.tmp", datetime.now(UTC) - timedelta(days=2))
    done = swept(instance, folder)
    assert done.success
    assert not spill.exists()
    (output,) = (event for event in done.all_events if event.event_type == dg.DagsterEventType.STEP_OUTPUT)
    assert "| warehouse/spill | 1 d | 0 | 1 |" in output.step_output_data.metadata["removed"].value


def test_a_subject_that_cannot_be_swept_fails_the_run_after_everything_else(
    instance: dg.DagsterInstance, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = aged(folder.settings.published_dir / ".x.parquet.1.tmp", datetime.now(UTC) - timedelta(days=2))

    def refuse(*_: object) -> None:
        raise OSError("the disk is on strike")

    monkeypatch.setattr(type(folder.models.registry), "versions", refuse)
    done = swept(instance, folder)
    assert not done.success
    (failure,) = (event for event in done.all_events if event.is_step_failure)
    assert failure.step_key == "retention", "whose failures go to the operations channel"
    assert "models/artifacts: the disk is on strike" in str(failure.step_failure_data.user_failure_data.description)
    assert not later.exists()


def test_the_command_shows_what_would_go_and_removes_it(folder: Folder) -> None:
    spill = aged(folder.settings.warehouse_dir / "spill" / "a.tmp", datetime.now(UTC) - timedelta(days=2))
    with folder.operations.read():
        pass  # the store is there from then on
    code, said, error = typed(folder.settings.root, "retention", "--dry-run")
    assert (code, error) == (0, "")
    assert "Would be removed" in said
    assert spill.exists()
    assert typed(folder.settings.root, "retention")[0] == 0
    assert not spill.exists()
    assert "lies in the future" in typed(folder.settings.root, "retention", "--as-of", "2100-01-01")[2]

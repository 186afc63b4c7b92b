"""The history of runs is written without waiting for the disk at every event, and is whole all the same."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from fridge_assets.running.executors import one_process
from fridge_assets.running.instance import open_instance
from fridge_assets.running.lost_runs import launch
from fridge_assets.settings import Settings

_NORMAL = 1
"""What SQLite's `synchronous` is where commits do not wait for the disk."""


@dg.op
def look(context: dg.OpExecutionContext) -> None:
    """Which files of the history have a log that no connection has moved into them yet."""
    history = Path(context.instance.root_directory) / "history"
    logs = sorted(file.name.replace(context.run_id, "run") for file in history.rglob("*.db-wal"))
    context.log.info(f"logs: {' '.join(logs)}")


@dg.job(executor_def=one_process)
def looking() -> None:
    look()


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


def test_no_event_of_a_run_moves_the_log_into_its_file_and_its_end_does(instance: dg.DagsterInstance) -> None:
    with launch(instance):
        done = dg.execute_job(dg.reconstructable(looking), instance=instance)
    (said,) = (
        entry.user_message for entry in instance.all_logs(done.run_id) if entry.user_message.startswith("logs: ")
    )
    assert {"run.db-wal", "runs.db-wal"} <= set(said.split())
    assert list((Path(instance.root_directory) / "history").rglob("*.db-wal")) == []


def test_a_run_has_one_engine_for_each_file_of_the_history(instance: dg.DagsterInstance) -> None:
    engines: dict[str, set[int]] = {}

    def note(connection: sa.Connection) -> None:
        engines.setdefault(str(connection.engine.url), set()).add(id(connection.engine))

    sa.event.listen(sa.Engine, "engine_connect", note)
    try:
        done = dg.execute_job(dg.reconstructable(looking), instance=instance)
    finally:
        sa.event.remove(sa.Engine, "engine_connect", note)
    assert any(done.run_id in url for url in engines)
    assert {url: len(used) for url, used in engines.items()} == dict.fromkeys(engines, 1)


def test_opening_instances_and_running_jobs_reads_dagsters_migrations_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    load = ScriptDirectory._load_revisions
    monkeypatch.setattr(ScriptDirectory, "_load_revisions", lambda scripts: read.append(scripts.dir) or load(scripts))
    for _ in range(2):
        with open_instance(settings) as opened:
            assert dg.execute_job(dg.reconstructable(looking), instance=opened).success
    assert len(read) <= 1, "not at all where another test has opened an instance in this process"


def test_no_commit_to_the_history_waits_for_the_disk(instance: dg.DagsterInstance, settings: Settings) -> None:
    dg.execute_job(dg.reconstructable(looking), instance=instance)
    for file in (settings.dagster_home / "history").rglob("*.db"):
        with sa.create_engine(f"sqlite:///{file}").connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == _NORMAL
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"

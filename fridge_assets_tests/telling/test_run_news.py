"""Runs that start and end, as they are told on the terminal of `ui`."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from fridge_assets.running.daemon_runs import end_runs_of_ended_daemon
from fridge_assets.telling.run_news import RunNews


@dg.op
def work(context: dg.OpExecutionContext) -> None:
    if "fail" in context.run.tags:
        raise dg.Failure("the disk is full", allow_retries=False)


@dg.job
def clean() -> None:
    work()


@pytest.fixture
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path_factory.mktemp("home"))) as instance:
        yield instance


def a_minute_ago() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


def test_each_run_is_told_once_with_why_it_failed(instance: dg.DagsterInstance) -> None:
    news = RunNews(a_minute_ago())
    good = clean.execute_in_process(instance=instance)
    (said,) = news.look(instance)
    assert re.fullmatch(rf"clean succeeded after \d s \(run {good.run_id[:8]}\)", said)
    assert list(news.look(instance)) == []
    bad = clean.execute_in_process(instance=instance, tags={"fail": "yes"}, raise_on_error=False)
    (said,) = news.look(instance)
    assert re.fullmatch(rf"clean failed after \d s: work: the disk is full \(run {bad.run_id[:8]}\)", said)


def test_what_ended_before_is_no_news(instance: dg.DagsterInstance) -> None:
    clean.execute_in_process(instance=instance)
    assert list(RunNews(datetime.now(UTC) + timedelta(minutes=1)).look(instance)) == []


def test_a_run_whose_daemon_was_ended_is_canceled(instance: dg.DagsterInstance) -> None:
    news = RunNews(a_minute_ago())
    run = instance.create_run_for_job(clean, status=dg.DagsterRunStatus.STARTED)
    waiting = instance.create_run_for_job(clean, status=dg.DagsterRunStatus.NOT_STARTED)
    assert list(news.look(instance)) == [f"clean started (run {run.run_id[:8]})"]
    assert end_runs_of_ended_daemon(instance) == [run.run_id]
    assert list(news.look(instance)) == [f"clean was canceled (run {run.run_id[:8]})"]
    (left,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED]))
    assert left.run_id == waiting.run_id

"""Runs of alerting that are killed, run twice at once, or meet a clock that jumps (SPEC 6)."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fridge_assets.incidents.store import watch
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, metadata
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.incidents.observing.stored import stored_alerts
from fridge_assets_tests.incidents.test_store import check_sums
from fridge_assets_tests.staleness.given import MINUTE, NOON
from fridge_assets_tests.staleness.test_fallback import HOUR, Shop

_FORK = multiprocessing.get_context("fork")
_OF_THE_RUN = ("created_at",)

DEVICES = ("d1", "d2", "d3", "d4", "d5", "d6")
RUN_AT = NOON + 5 * HOUR + 3 * MINUTE
"""One run that does everything: repeats, tells, finds more severe, recovers, and finds a deadline passed."""


def shop_in(folder: Path) -> Shop:
    settings = Settings(data_dir=folder)
    return Shop(Warehouse.from_settings(settings), Operations(settings.operations_database), settings)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose next run has much to do; its scores are there and its alerts are not made."""
    shop = shop_in(tmp_path_factory.mktemp("before"))
    shop.by_models(NOON, {"d1": 0.8, "d2": 0.1, "d3": 0.1, "d4": 0.1, "d5": 0.99, "d6": 0.1})
    shop.by_models(NOON + 3 * HOUR, {"d1": 0.8, "d2": 0.1, "d3": 0.8, "d4": 0.8, "d5": 0.99, "d6": 0.1})
    shop.by_models(NOON + 4 * HOUR, {"d1": 0.8, "d2": 0.99, "d3": 0.8, "d4": 0.1, "d5": 0.99, "d6": 0.1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shop, "alert", lambda *_: None)
        shop.by_models(NOON + 5 * HOUR, {"d1": 0.97, "d2": 0.97, "d3": 0.8, "d4": 0.1, "d5": 0.99, "d6": 0.97})
    return shop.settings.root


@pytest.fixture(scope="module")
def expected(before: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a run leaves that nobody disturbs."""
    shop = copy_of(before, tmp_path_factory.mktemp("expected") / "data")
    shop.alert(RUN_AT, *DEVICES)
    return contents(shop.operations)


def copy_of(folder: Path, to: Path) -> Shop:
    shutil.copytree(folder, to)
    return shop_in(to)


def contents(operations: Operations) -> dict[str, list[str]]:
    """Every row of every table, without what differs from run to run."""
    found = {}
    with operations.read() as connection:
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if column.name not in _OF_THE_RUN]
            found[table.name] = sorted(map(repr, connection.execute(sa.select(*columns)).all()))
    return found


def before_every_step(do: Callable[[], object]) -> None:
    """Call ``do`` before every statement, and commit, of this process on the operations store."""
    for event in ("before_cursor_execute", "commit"):
        sa.event.listen(sa.engine.Engine, event, lambda *_: do())


def run_and_die(folder: Path, step: int) -> None:
    """The run; this process is killed just before its ``step``-th step."""
    left = iter(range(step))

    def die_at_last() -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    before_every_step(die_at_last)
    shop_in(folder).alert(RUN_AT, *DEVICES)


def run_and_wait(folder: Path, pipe: Connection) -> None:
    """The run; before every step it says so and waits for an answer."""

    def wait() -> None:
        pipe.send("a step")
        pipe.recv()

    before_every_step(wait)
    shop_in(folder).alert(RUN_AT, *DEVICES)
    pipe.send("the end")


def files(folder: Path) -> dict[Path, bytes]:
    """What would be left of ``folder`` by a kill, but for the memory that processes share."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")}


def steps_with_other_files(folder: Path, to: Path) -> tuple[list[int], int]:
    """Steps before which the files of a run differ from what any step before found, and the number of all steps."""
    shop = copy_of(folder, to)
    pipe, its_end = _FORK.Pipe()
    process = _FORK.Process(target=run_and_wait, args=(shop.settings.root, its_end))
    process.start()
    its_end.close()
    seen: list[dict[Path, bytes]] = []
    steps: list[int] = []
    count = 0
    while pipe.recv() == "a step":
        found = files(shop.settings.root)
        if found not in seen:
            seen.append(found)
            steps.append(count)
        count += 1
        pipe.send("go on")
    process.join(60)
    assert process.exitcode == 0
    return steps, count


def killed_run(folder: Path, to: Path, step: int) -> Shop:
    """A copy of the folder whose run was killed at ``step``."""
    shop = copy_of(folder, to)
    process = _FORK.Process(target=run_and_die, args=(shop.settings.root, step))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    return shop


def test_the_run_does_everything_that_a_run_can_do(expected: dict[str, list[str]]) -> None:
    said = " ".join(expected["incident_events"])
    for word in ("open", "join", "quiet", "recover", "breach", "severity_rose", "repeat"):
        assert f"'{word}'" in said, word
    assert "ANOMALY_ESCALATED" in " ".join(expected["alert_evidence"])


def test_killed_between_any_two_statements_and_run_again_it_leaves_what_an_undisturbed_run_leaves(
    before: Path, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    untouched = contents(shop_in(before).operations)
    late = copy_of(before, tmp_path / "late")
    watch(late.operations, RUN_AT, late.settings.alerts)
    whole = (untouched, contents(late.operations), expected)
    # A kill at any other step leaves, to the byte, what a kill at one of these leaves.
    steps, count = steps_with_other_files(before, tmp_path / "watched")
    assert (len(steps) >= 2, count >= 20) == (True, True)
    for step in [*steps, count - 1]:
        shop = killed_run(before, tmp_path / f"killed-{step}", step)
        assert contents(shop.operations) in whole, step
        shop.alert(RUN_AT, *DEVICES)
        assert contents(shop.operations) == expected, step
        shutil.rmtree(shop.settings.root)


def publish(folder: Path, barrier: Any) -> None:
    shop = shop_in(folder)
    barrier.wait()
    shop.alert(RUN_AT, *DEVICES)


def test_two_publishers_at_once_leave_what_one_leaves(
    before: Path, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    for attempt in range(3):
        shop = copy_of(before, tmp_path / f"shared-{attempt}")
        barrier = _FORK.Barrier(2)
        processes = [_FORK.Process(target=publish, args=(shop.settings.root, barrier)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0]
        assert contents(shop.operations) == expected


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forth and back"])
def test_a_clock_that_jumps_by_an_hour_tells_nothing_twice_and_loses_nothing(
    before: Path, expected: dict[str, list[str]], tmp_path: Path, jump: timedelta
) -> None:
    shop = copy_of(before, tmp_path / "jumped")
    moments: list[datetime] = [RUN_AT, RUN_AT + jump, RUN_AT]
    for moment in moments if jump < timedelta(0) else moments[1:]:
        shop.alert(moment, *DEVICES)
    alerts = stored_alerts(shop.operations)
    assert len(alerts) == len(expected["alert_evidence"])
    told = alerts[~alerts["suppressed"]]
    keys = [f"{row.device_id} {row.severity} {row.window_end}" for row in told.itertuples()]
    assert len(set(keys)) == len(keys)
    check_sums(shop.operations)

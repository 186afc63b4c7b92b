"""What a step prints is in its log and on the terminal, and no further program is started for it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from fridge_assets.running.executors import one_process


@dg.op
def talkative() -> None:
    sys.stdout.write("said by the step\n")
    sys.stderr.write("complained by the step\n")
    assert psutil.Process().children(recursive=True) == []


@dg.job(executor_def=one_process)
def talk() -> None:
    talkative()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(
        temp_dir=str(tmp_path),
        overrides={
            "compute_logs": {
                "module": "dagster._core.storage.local_compute_log_manager",
                "class": "LocalComputeLogManager",
                "config": {"base_dir": str(tmp_path / "logs")},
            }
        },
    ) as opened:
        yield opened


def test_it_is_shown_and_kept_without_another_program(
    instance: dg.DagsterInstance, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dg.execute_job(dg.reconstructable(talk), instance=instance).success
    shown = capfd.readouterr()
    assert "said by the step\n" in shown.out
    assert "complained by the step\n" in shown.err
    kept = {path.suffix: path.read_text() for path in (tmp_path / "logs").rglob("*.*")}
    assert kept[".out"] == "said by the step\n"
    assert "complained by the step\n" in kept[".err"]
    assert kept[".complete"] == ""

"""A disk that fills up: every command says in one sentence where, how much is needed and what to do, and goes on later.

The disk is a real file system of a few MiB.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from fridge_assets.running.instance import open_instance
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.scenarios.contents import WALL_TIME, contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import Place, copy_of, cycle_time

pytestmark = pytest.mark.timeout(600)

_DISK = 200 * 2**20
_KIB = 1024


class SmallDisk:
    """A mounted file system.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def leave(self, free: int) -> None:
        """Fill it up until ``free`` bytes are left."""
        self.clear()
        status = os.statvfs(self.folder)
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - free)

    def clear(self) -> None:
        """Somebody has freed space."""
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"this user may not mount a small disk: {mounted.stderr.strip()}")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


def in_a_process(folder: Path, *words: str, reserve: int | None = None) -> tuple[int, str]:
    """Exit code of a command in a process of its own and what it wrote to standard error."""
    variables = {} if reserve is None else {"FRIDGE_DISK__RESERVE": str(reserve)}
    done = subprocess.run(
        [sys.executable, "-c", "from fridge_assets.cli import main; main()", "--data-dir", str(folder), *words],
        env={**os.environ, **variables, "FRIDGE_READINGS__SETTLE": "PT0S"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def sentence(code: int, error: str) -> str:
    """The one line of a command that failed."""
    assert code == 1, error
    (line,) = error.strip().splitlines()
    assert line.startswith("Error: ")
    return line


def test_what_needs_more_than_there_is_does_not_begin_and_says_how_much(disk: SmallDisk, trained: Place) -> None:
    place = copy_of(trained, disk.folder / "data")
    disk.leave(500 * _KIB)
    device = (place.root / "device_registry.csv").read_text().splitlines()[1].split(",")[0]
    foreign = trained.root / "foreign.csv"
    foreign.write_text("device_id,timestamp,humidity\n" + f"{device},2026-01-01T00:00:00Z,50\n" * 30_000)
    new = disk.folder / "new"
    for folder, words, need in (
        (new, ["simulate", "--devices", "50", "--hours", "24"], "a simulation of 72,000 readings needs 3.4 "),
        (place.root, ["run", "hourly", "--as-of", "latest"], "a run of score_hourly needs 100.0 "),
        (place.root, ["train"], "a run of train needs 100.0 "),
        (place.root, ["ingest", str(foreign)], "a delivery of foreign.csv needs 1."),
    ):
        line = refused(folder, *words)
        assert need in line
        assert f"MiB on the disk of {folder}" in line
        assert "are free. Free some space there, or move the data folder" in line
    assert not new.exists()
    assert in_a_process(place.root, "status")[0] == 0


@pytest.mark.parametrize("free", [0, 300 * _KIB, 1500 * _KIB])
def test_a_run_whose_disk_fills_up_has_failed_and_the_next_one_does_its_work(
    disk: SmallDisk, trained: Place, cycled_template: Place, free: int
) -> None:
    place = copy_of(trained, disk.folder / "data")
    place.deliver(FIRST_HOUR)
    disk.leave(free)
    code, error = in_a_process(place.root, "run", "hourly", "--as-of", cycle_time(FIRST_HOUR).isoformat(), reserve=0)
    assert code == 1
    assert "its disk is full (" in error
    assert "are needed). Free some space there" in error
    assert [dump for dump in ("Traceback", "sqlalche.me", "SELECT", "INSERT", "leaked") if dump in error] == [], error
    disk.clear()
    assert place.run_hourly(FIRST_HOUR).success
    assert contents(place, WALL_TIME) == contents(cycled_template, WALL_TIME)
    with open_instance(place.settings) as instance:
        ended = {run.status for run in instance.get_runs()}
    assert ended <= {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def test_commands_that_store_something_say_that_there_is_no_space(disk: SmallDisk, cycled: Place) -> None:
    place = copy_of(cycled, disk.folder / "data")
    disk.leave(0)
    for words in (
        ["pause", "isolation_forest", "--reason", "a test"],
        ["export", "device_features", "--to", str(disk.folder / "features.parquet")],
    ):
        line = sentence(*in_a_process(place.root, *words))
        assert str(disk.folder) in line
        assert "disk is full" in line
        assert "ree some space" in line


def test_what_is_stored_can_be_read_where_nothing_can_be_written(disk: SmallDisk, cycled: Place) -> None:
    place = copy_of(cycled, disk.folder / "data")
    disk.leave(0)
    assert in_a_process(place.root, "status") == (0, "")
    for words in (["alerts", "list"], ["messages", "list"], ["models", "list"], ["silences", "list"]):
        code, _, error = typed(place.root, *words)
        assert (code, error) == (0, ""), words

"""A dead daemon, and code that does not load, are red within a minute, while freshness freezes silently (SPEC 4)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fridge_assets.running.environment import process_environment
from fridge_assets.running.instance import prepare_dagster_home
from fridge_assets.settings import HealthSettings, Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.upkeep.health import AUTOMATION, Health, beat, health

BEATS = timedelta(seconds=20)
"""Longer than between two pulses; the default leaves more room, and would take the test longer."""

BEATS_OF_NOBODY = timedelta(seconds=8)
"""Long enough where only the test itself makes a pulse."""

_PATIENCE = 120.0
_ONE_MINUTE = 60.0


@contextmanager
def daemon(settings: Settings, *where: str) -> Iterator[subprocess.Popen[bytes]]:
    """``dagster-daemon run`` on a data folder, in a process group of its own that ends with the block."""
    prepare_dagster_home(settings)
    with (settings.root / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("dagster-daemon")), "run", *where],
            env=process_environment(settings),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        killed(process)


def killed(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a daemon and all it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def of(settings: Settings) -> Health:
    return health(Operations(settings.operations_database), datetime.now(UTC), settings)


def seconds_until(green: bool, settings: Settings) -> float:
    """How long it takes until health is as wanted."""
    began = time.monotonic()
    while of(settings).green != green:
        waited = time.monotonic() - began
        assert waited < _PATIENCE, (settings.root / "daemon.log").read_text()[-3000:]
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.mark.timeout(300)
def test_a_killed_daemon_and_code_that_does_not_load_are_red_within_a_minute(tmp_path: Path) -> None:
    healthy, broken = (
        Settings(data_dir=tmp_path / name, health=HealthSettings(max_silence=silence))
        for name, silence in (("healthy", BEATS), ("broken", BEATS_OF_NOBODY))
    )
    broken.root.mkdir()
    module = broken.root / "graph.py"
    module.write_text("raise RuntimeError('broken on purpose')\n")
    with (
        daemon(healthy, "-m", "fridge_assets.definitions") as alive,
        daemon(broken, "-f", str(module)) as loads_nothing,
    ):
        with Operations(broken.operations_database).transaction() as connection:
            beat(connection, AUTOMATION, datetime.now(UTC))
        seconds_until(True, healthy)

        assert seconds_until(False, broken) < _ONE_MINUTE
        assert loads_nothing.poll() is None, "the daemon itself runs: only its pulse tells"
        assert "broken on purpose" in (broken.root / "daemon.log").read_text()

        seconds_until(True, healthy)
        killed(alive)
        assert seconds_until(False, healthy) < _ONE_MINUTE
        assert "silent for" in of(healthy).problems[0]

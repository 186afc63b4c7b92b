"""A tree of processes ends with the program that started it, however that ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fridge_assets.running.processes import process_tree
from fridge_assets.running.stopping import Stopped, stop_on_signals

_PATIENCE = 30.0

_WORKER = """
import os, signal, subprocess, sys, time
depth, folder = int(sys.argv[1]), sys.argv[2]
if {deaf}:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
open(os.path.join(folder, str(os.getpid())), "w").close()
if depth:
    subprocess.Popen([sys.executable, __file__, str(depth - 1), folder], start_new_session=True)
time.sleep(600)
"""
"""Starts another one of its kind in a session of its own, two deep, and writes its process id."""

_PROGRAM = """
import sys
from fridge_assets.running.processes import process_tree
from fridge_assets.running.stopping import Stopped, stop_on_signals
stop_on_signals()
try:
    with process_tree([sys.executable, {worker!r}, "2", {folder!r}], grace=1.0) as tree:
        tree.wait()
except Stopped as stopped:
    sys.exit(stopped.exit_code)
"""

DEEP = 3


class Tree:
    """A program that runs three processes below a guardian."""

    def __init__(self, folder: Path, *, deaf: bool) -> None:
        self._pids = folder / "pids"
        self._pids.mkdir()
        worker = folder / "worker.py"
        worker.write_text(_WORKER.format(deaf=deaf))
        program = _PROGRAM.format(worker=str(worker), folder=str(self._pids))
        self.program = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
        wait_until(lambda: len(self.alive()) == DEEP)

    def alive(self) -> list[int]:
        """Workers that have not ended."""
        return [pid for pid in map(int, os.listdir(self._pids)) if is_alive(pid)]

    def guardian(self) -> psutil.Process:
        (guardian,) = psutil.Process(self.program.pid).children()
        return guardian


@pytest.fixture(params=[False, True], ids=["workers that end", "workers that ignore signals"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tree]:
    tree = Tree(tmp_path, deaf=request.param)
    yield tree
    for pid in [*tree.alive(), tree.program.pid]:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    tree.program.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_program_with_its_code_and_everything_below_it(tree: Tree, number: signal.Signals) -> None:
    tree.program.send_signal(number)
    assert tree.program.wait(_PATIENCE) == 128 + number
    assert tree.alive() == []


def test_everything_ends_when_the_program_is_killed(tree: Tree) -> None:
    guardian = tree.guardian()
    tree.program.kill()
    wait_until(lambda: not tree.alive() and not is_alive(guardian.pid))


def test_everything_ends_when_the_guardian_is_killed(tree: Tree) -> None:
    tree.guardian().kill()
    assert tree.program.wait(_PATIENCE) == 0
    assert tree.alive() == []


def test_the_code_of_a_command_that_ends_by_itself_comes_back() -> None:
    with process_tree([sys.executable, "-c", "raise SystemExit(7)"]) as tree:
        assert tree.wait(_PATIENCE) == 7


@pytest.mark.usefixtures("signals")
def test_the_first_signal_is_raised_and_later_ones_interrupt_nothing() -> None:
    stop_on_signals()
    with pytest.raises(Stopped) as stopped:
        signal.raise_signal(signal.SIGTERM)
    assert stopped.value.exit_code == 143
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("signals")
def test_a_signal_that_the_program_was_started_to_ignore_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_on_signals()
    signal.raise_signal(signal.SIGHUP)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

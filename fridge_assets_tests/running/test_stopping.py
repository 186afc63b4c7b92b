"""A signal ends a program wherever it finds it."""

import subprocess
import sys

import pytest

IN_A_FINALISER = """
import os, time
from fridge_assets.running.stopping import Stopped, stop_on_signals

class Node:
    def __del__(self):
        os.kill(os.getpid(), {number})
        time.sleep(0.05)  # the signal is heard here, where Python lets nothing that is raised go any further

stop_on_signals()
try:
    node = Node()
    del node
    time.sleep(20)
    print("went on")
except Stopped as stopped:
    os.kill(os.getpid(), {number})
    time.sleep(0.2)
    print("stopped by", stopped)
"""


@pytest.mark.parametrize(("number", "name"), [(2, "SIGINT"), (15, "SIGTERM"), (1, "SIGHUP")])
def test_a_signal_that_comes_in_a_finaliser_is_raised_after_it_and_only_once(number: int, name: str) -> None:
    program = [sys.executable, "-c", IN_A_FINALISER.format(number=number)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"stopped by {name}\n", "")


DEAF = """
import os, signal, subprocess, sys, time
from fridge_assets.running.stopping import Stopped, stop_on_signals

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
stop_on_signals()
helper = subprocess.Popen(["sleep", "60"])
helper.terminate()
print("helper:", helper.wait(10))
for number in (signal.SIGINT, signal.SIGHUP):
    os.kill(os.getpid(), number)
print("goes on")
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)
except Stopped as stopped:
    print("stopped by", stopped)
"""


def test_a_program_in_the_background_hears_sigterm_alone_and_so_do_its_helpers() -> None:
    done = subprocess.run([sys.executable, "-c", DEAF], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("helper: -15\ngoes on\nstopped by SIGTERM\n", "")

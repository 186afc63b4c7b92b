"""An end for a step that hangs: its process is killed by the operating system, whatever it is stuck in."""

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta


@contextmanager
def deadline(longest: timedelta) -> Iterator[None]:
    """Kill this process if the block takes longer than ``longest``.

    Only a process that was started for the step, or for a run of this one step, is killed: never the program that
    somebody typed. No exception is raised, since code that hangs may never come back to Python to see it.

    Args:
        longest: wall-clock time that the block may take.
    """
    if multiprocessing.parent_process() is None:
        yield
        return
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, longest.total_seconds())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

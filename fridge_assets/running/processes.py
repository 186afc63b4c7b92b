"""Processes that end with the program that started them, however it ends: also when it is killed (Linux)."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import psutil

GRACE = 7.0
"""Seconds that processes have to end by themselves before they are killed."""

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_KILLED_WITHIN = 2.0
"""Seconds in which the kernel ends a process that was killed."""


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process as soon as its parent is no more.

    For a process that a program has just started, in its main thread. The kernel watches the thread of the parent
    that started it: start such processes from a thread that lives as long as the program.

    Args:
        parent: process id of the parent, which may have ended already.
    """
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that :func:`end_descendants` finds it."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def end_descendants(grace: float = 0.0) -> None:
    """End every process that this one has started, and all that those have started.

    Args:
        grace: seconds that they have to end by themselves after SIGTERM; without any they are killed at once.
    """
    if grace:
        asked = psutil.Process().children(recursive=True)
        for process in asked:
            _send(process, signal.SIGTERM)
        psutil.wait_procs(asked, timeout=grace)
    give_up = time.monotonic() + _KILLED_WITHIN
    # Again and again, since what is being killed may just have started something.
    while (left := psutil.Process().children(recursive=True)) and time.monotonic() < give_up:
        kill(left)


def kill(processes: Sequence[psutil.Process]) -> None:
    """Kill processes and wait until they are no more."""
    for process in processes:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=_KILLED_WITHIN)


@contextmanager
def process_tree(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    grace: float = GRACE,
    output: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` for the length of the block; afterwards nothing that it has started is left.

    A guardian process stands between this program and the command. When the block ends, and when this program is
    killed, it sends SIGTERM to everything below it and kills after ``grace`` seconds what is still there. The tree has
    a session of its own, so that Ctrl-C reaches this program only.

    Args:
        command: program and arguments.
        environment: of the command; this process's when None.
        grace: seconds between SIGTERM and SIGKILL.
        output: file descriptor that takes what the tree prints, errors included; where this program prints when None.

    Yields:
        The guardian, which ends with the exit code of the command: ``wait`` for it.
    """
    adopt_orphans()
    lifeline, held = os.pipe()
    guardian = [sys.executable, "-m", "fridge_assets.running.guardian", str(lifeline), str(grace), *command]
    try:
        process = subprocess.Popen(
            guardian, env=environment, pass_fds=[lifeline], start_new_session=True, stdout=output, stderr=output
        )
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(lifeline)
    try:
        yield process
    finally:
        os.close(held)  # which tells the guardian
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace + _KILLED_WITHIN)
        end_descendants()  # there are some only if the guardian itself was killed


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")

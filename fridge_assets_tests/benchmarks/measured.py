"""A command in a process of its own, with its time and the peak memory of all its processes."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

_SAMPLE_SECONDS = 0.4


@dataclass(frozen=True)
class Measured:
    """How a command went.

    Args:
        seconds: from its start to its end.
        peak_bytes: most memory that it and its child processes held together; memory that they share counts once.
        output: its standard output.
        errors: its standard error.
        exit_code: 0 for success.
    """

    seconds: float
    peak_bytes: int
    output: str
    errors: str
    exit_code: int


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run ``command`` to its end with ``environment`` and look at its memory now and then."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watched, peak = psutil.Process(process.pid), 0
    while True:
        try:
            output, errors = process.communicate(timeout=_SAMPLE_SECONDS)
        except subprocess.TimeoutExpired:
            peak = max(peak, _memory(watched))
        else:
            return Measured(time.perf_counter() - started, peak, output, errors, process.returncode)


def _memory(process: psutil.Process) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += _proportional(member)
    return total


def _proportional(process: psutil.Process) -> int:
    """Memory of a process, pages that it shares with others counted in part; Linux only, plainly elsewhere."""
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))

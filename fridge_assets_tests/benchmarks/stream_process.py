"""`fridge-assets stream` as a process of its own: started, watched and ended."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from fridge_assets.running.environment import process_environment
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, stream_files
from fridge_assets.streaming.status import StreamStatus, statuses

CHECKPOINT_SECONDS = 30
"""A quarter of the usual pause, so that every measured minute has checkpoints in it."""
_PROGRAM = "from fridge_assets.cli import main; main()"
_PATIENCE = 300.0
"""Seconds after which what has not happened never will."""
_PAUSE = 0.1


@contextmanager
def streaming(settings: Settings, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """``fridge-assets stream WORDS…``; it is terminated at the end of the block and killed if it does not go."""
    environment = process_environment(settings) | {
        "FRIDGE_STREAMING__PORT": "0",
        "FRIDGE_STREAMING__CHECKPOINT_EVERY": f"PT{CHECKPOINT_SECONDS}S",
    }
    command = [sys.executable, "-c", _PROGRAM, "--data-dir", str(settings.root), "stream", *words]
    with log_of(settings).open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask ``process`` to end, and kill it when it does not within half a minute."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def log_of(settings: Settings) -> Path:
    """What the processes of this data folder have said."""
    return settings.root / "stream.log"


def wait_until(settings: Settings, process: subprocess.Popen[bytes], done: Callable[[], bool]) -> None:
    """Look again and again until ``done``; the benchmark ends when the process fails or nothing happens for minutes."""
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if process.poll() not in (None, 0) or time.monotonic() > deadline:
            tail = log_of(settings).read_text(errors="replace")[-4000:]
            sys.exit(f"The stream has failed or hangs (exit code {process.poll()}):\n{tail}")
        time.sleep(_PAUSE)


def status_of(operations: Operations, since: datetime) -> StreamStatus | None:
    """The pulse of the process that was started after ``since``; None before its first one."""
    with operations.read() as connection:
        return next((status for status in statuses(connection) if status.started_at >= since), None)


def stored_files(operations: Operations) -> list[datetime]:
    """When what each landing file has shown was stored, in the order of the files."""
    with operations.read() as connection:
        query = sa.select(stream_files.c.consumed_at).order_by(stream_files.c.number)
        return list(connection.scalars(query))


def now() -> datetime:
    """The actual time."""
    return datetime.now(UTC)

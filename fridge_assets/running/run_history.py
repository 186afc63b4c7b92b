"""Dagster's history of runs in SQLite, written without waiting for the disk a thousand times a run.

Dagster opens a file for every event and closes it again. The last connection that is closed moves the file's
write-ahead log into the file and deletes it, and every commit waits until the disk has it: several waits an event, of
some milliseconds each, none of which keeps the history from being damaged. It also makes a new engine for every event,
which compiles again every statement that it is given.
"""

import functools
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fridge_assets.steps.dagster_internals import sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage

_kept: dict[str, sqlite3.Connection] = {}
"""Files that are kept open → what keeps them."""
_blocks: list[None] = []
"""One for each block of :func:`history_kept_open` in this process."""


@contextmanager
def history_kept_open() -> Iterator[None]:
    """Keep each file of the history open that this process uses within the block: no other connection is the last."""
    _blocks.append(None)
    try:
        yield
    finally:
        _blocks.pop()
        while _kept and not _blocks:
            _kept.popitem()[1].close()


@functools.lru_cache(maxsize=32)  # each run has a file of its own, and a daemon sees many
def _engine(url: str, pool: Any, timeout: float | None) -> sa.Engine:
    return sa.create_engine(url, poolclass=pool, connect_args={} if timeout is None else {"timeout": timeout})


def _same_engine(url: str, *, poolclass: Any, connect_args: Mapping[str, float] | None = None) -> sa.Engine:
    """The engine of a file of the history; it keeps statements, and with Dagster's pool no connection."""
    return _engine(url, poolclass, (connect_args or {}).get("timeout"))


for _module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
    vars(_module)["create_engine"] = _same_engine


@sa.event.listens_for(sa.Engine, "connect")
def _write_without_waiting(connection: object, _: object) -> None:
    """A commit to the history is in its log, which need not be on the disk yet.

    Where the power fails, the newest events are lost and SQLite keeps the file whole: a run whose end is lost is ended
    by whoever starts the next one. So it is in our own stores.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home or not isinstance(connection, sqlite3.Connection):
        return
    ((_, _, file), *_) = connection.execute("PRAGMA database_list").fetchall()
    if not Path(file).is_relative_to(home):
        return
    connection.execute("PRAGMA synchronous = NORMAL")
    if not Path(file).stat().st_size:
        connection.execute("PRAGMA journal_mode = WAL")  # as Dagster does once it has made the tables
    if _blocks:
        if file not in _kept:
            _kept[file] = sqlite3.connect(file, check_same_thread=False)
        _kept[file].execute("SELECT 1 FROM sqlite_master").fetchone()  # which opens the log, once there is one

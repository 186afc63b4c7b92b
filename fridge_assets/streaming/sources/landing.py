"""The landing folder as a source: every file once, in the order in which the files came."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.readings.landed import stage_files
from fridge_assets.settings import Settings
from fridge_assets.sources.names import format_of, not_readings
from fridge_assets.stores.landing import Landing, LandingFile
from fridge_assets.stores.operations import Operations, insert_missing, stream_files
from fridge_assets.streaming.sources.base import Batch, Positions

_LOG = logging.getLogger(__name__)

NAME = "landing"
PART = ""
"""The folder is one part."""

_BEFORE_THE_STREAM = "landed long before the stream was first started; see `stream backtest`"


@dataclass(frozen=True)
class _Numbered:
    """A landing file and its place in the order of the stream; ``reason`` says why it is passed over."""

    file: LandingFile
    number: int
    reason: str = ""


class LandingSource:
    """Reads landing files as they come, and notes each in the ledger of the stream.

    A Parquet file is whole as soon as it can be read. Text files are taken once they have stopped growing.

    Args:
        landing: the folder.
        operations: the store with the ledger.
        settings: sizes and spans.
        is_whole: whether a text file is known to be never written to again.
    """

    name = NAME

    def __init__(
        self,
        landing: Landing,
        operations: Operations,
        settings: Settings,
        *,
        is_whole: Callable[[Path], bool] = lambda _: False,
    ) -> None:
        self._landing = landing
        self._known_whole = is_whole
        self._operations = operations
        self._settings = settings
        self._taken: set[str] = set()
        self._replayed: deque[_Numbered] = deque()
        self._waiting: dict[str, tuple[LandingFile, float]] = {}
        self._batch: list[_Numbered] = []
        self._last = 0

    def resume(self, positions: Positions | None) -> None:
        """Replay what the ledger knows after ``positions``, or what came last; then go on with what it does not."""
        with self._operations.read() as connection:
            rows = connection.execute(sa.select(stream_files).order_by(stream_files.c.number)).mappings().all()
        self._taken = {row["file_name"] for row in rows}
        self._last = max((row["number"] for row in rows), default=0)
        if not rows:
            self._pass_over_history()
            return
        newest = _newest(row["modified_at"] for row in rows) or datetime.now(UTC)
        there = {file.name: file for file in self._landing.files()}
        for row in rows:
            needed = (
                row["number"] > positions[PART]
                if positions is not None and PART in positions
                else row["modified_at"] >= newest - self._settings.streaming.warm_up
            )
            if needed and not row["reason"]:
                if row["file_name"] in there:
                    self._replayed.append(_Numbered(there[row["file_name"]], row["number"]))
                else:
                    _LOG.warning("%s is gone from landing and cannot be replayed", row["file_name"])

    def poll(self, engine: duckdb.DuckDBPyConnection) -> Batch | None:
        """Stage the next files, up to ``batch_bytes``."""
        answered = bool(self._replayed)
        self._batch = list(self._next_replayed() if answered else self._next_new())
        if not self._batch:
            return None
        chosen = [numbered.file for numbered in self._batch if not numbered.reason]
        refused, _ = stage_files(engine, chosen, self._settings.readings, self._settings.sources_dir)
        if not answered:
            self._batch = [n for n in self._batch if not self._may_become_readable(n.file, refused)]
            self._batch = [_Numbered(n.file, n.number, n.reason or refused.get(n.file.name, "")) for n in self._batch]
            if not self._batch:
                return None
        return Batch(
            positions={PART: max(n.number for n in self._batch)},
            answered=answered,
            deliveries={n.file.name: PART for n in self._batch if not n.reason},
            refused={n.file.name: n.reason for n in self._batch if n.reason},
            received={n.file.name: n.file.modified_at for n in self._batch},
        )

    def record(self, connection: Connection, batch: Batch, now: datetime) -> None:
        """Note the files of the last batch in the ledger."""
        rows = [
            {
                "file_name": n.file.name,
                "number": n.number,
                "modified_at": n.file.modified_at,
                "consumed_at": now,
                "reason": batch.refused.get(n.file.name, ""),
            }
            for n in self._batch
        ]
        insert_missing(connection, stream_files, rows)

    def saved(self, positions: Positions) -> None:
        """Nothing to do: the ledger is in operations."""

    def lost_parts(self) -> Sequence[str]:
        """None: one process owns the folder."""
        return ()

    def behind(self) -> int:
        """Files that wait."""
        return len(self._replayed) + len(self._waiting)

    def close(self) -> None:
        """Nothing to do."""

    def _pass_over_history(self) -> None:
        """At the first start: what landed long before the newest file is history."""
        files = self._landing.files()
        newest = _newest(file.modified_at for file in files)
        if newest is None:
            return
        old = [f for f in files if f.modified_at < newest - self._settings.streaming.warm_up]
        self._batch = [_Numbered(file, self._number(), _BEFORE_THE_STREAM) for file in old]
        refused = {n.file.name: n.reason for n in self._batch}
        self._taken.update(refused)
        with self._operations.transaction() as connection:
            self.record(connection, Batch({}, False, {}, refused), newest)
        if old:
            _LOG.warning("%d landing files are passed over: they %s", len(old), _BEFORE_THE_STREAM)

    def _next_replayed(self) -> Iterator[_Numbered]:
        size = 0
        while self._replayed and (not size or size + self._replayed[0].file.size_bytes <= self._most_bytes):
            size += self._replayed[0].file.size_bytes
            yield self._replayed.popleft()

    def _next_new(self) -> Iterator[_Numbered]:
        for file in self._landing.new_files(self._taken):
            known = self._waiting.get(file.name)
            if known is None or known[0] != file:
                self._waiting[file.name] = (file, time.monotonic())
        size = 0
        for file, since in sorted(self._waiting.values(), key=lambda w: (w[0].modified_at, w[0].name)):
            if not self._is_whole(file, since):
                continue
            if size and size + file.size_bytes > self._most_bytes:
                break
            size += file.size_bytes
            del self._waiting[file.name]
            self._taken.add(file.name)
            yield _Numbered(file, self._number(), self._unfit(file))

    def _is_whole(self, file: LandingFile, since: float) -> bool:
        """Parquet says itself whether it is; text is when it has been left alone for a while."""
        if format_of(file.path) == "parquet" or self._known_whole(file.path):
            return True
        settle = self._settings.readings.settle
        return _age(file) >= settle or time.monotonic() - since >= settle.total_seconds()

    def _unfit(self, file: LandingFile) -> str:
        if not file.source and not file.sidecar.exists() and format_of(file.path) is None:
            return not_readings(file.name)
        if file.size_bytes > self._settings.streaming.max_file_bytes:
            return f"{file.name} has {file.size_bytes:,} bytes: it is history and left to the batch path."
        return ""

    def _may_become_readable(self, file: LandingFile, refused: dict[str, str]) -> bool:
        """Whether a file that cannot be read is young enough to be still growing; it is then looked at again."""
        if file.name not in refused or not timedelta(0) <= _age(file) < self._settings.readings.settle:
            return False
        self._taken.discard(file.name)
        self._waiting[file.name] = (file, time.monotonic())
        return True

    def _number(self) -> int:
        self._last += 1
        return self._last

    @property
    def _most_bytes(self) -> int:
        return self._settings.streaming.batch_bytes


def _newest(moments: Iterable[datetime]) -> datetime | None:
    """The newest of the moments that have been: a file that claims to come from the future makes no other one old."""
    now = datetime.now(UTC)
    return max((moment for moment in moments if moment <= now), default=None)


def _age(file: LandingFile) -> timedelta:
    return timedelta(seconds=time.time() - file.modified_at.timestamp())

"""The streaming process: reads, judges, stores and tells, with nothing of Dagster (SPEC 5).

One thread does all of that, one delivers messages, one hands work orders over, one answers ``/healthz`` and
``/metrics``.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from fridge_assets.core.errors import FridgeError
from fridge_assets.features.usual_vibration import read_usual_vibration
from fridge_assets.incidents.store import observe, watch
from fridge_assets.incidents.together import Fleet
from fridge_assets.notifications.deliver import deliver_due
from fridge_assets.notifications.senders import senders_of
from fridge_assets.registry.zones import zone_of_sites
from fridge_assets.settings import Settings
from fridge_assets.stores.files import lock_file
from fridge_assets.stores.operations import Operations
from fridge_assets.streaming.checkpoint import Checkpoint
from fridge_assets.streaming.dead_letters import DeadLetters
from fridge_assets.streaming.delivered import take_delivered, unusable
from fridge_assets.streaming.engine import Changes, Engine
from fridge_assets.streaming.fleet import FleetKnowledge
from fridge_assets.streaming.metrics import StatusServer, StreamMetrics
from fridge_assets.streaming.observed import delivered_late, observed_in, storm_rule
from fridge_assets.streaming.sources.base import Batch, Source
from fridge_assets.streaming.status import StreamStatus, beat
from fridge_assets.work_orders.deliver import deliver_orders, waiting
from fridge_assets.work_orders.receivers import receiver_of

_LOG = logging.getLogger(__name__)

_RETRY = 1.0
"""Seconds between two attempts to store what a batch has shown."""
_DELIVERY_PAUSE = 1.0
"""Seconds between two looks into the outbox."""
_DEADLINES_EVERY = 30.0
"""Seconds between two looks at the deadlines of alerts."""
_DELIVERY_BUDGET = timedelta(seconds=2)
"""So soon a delivery notices that the process is to end."""


def wall_time() -> datetime:
    """The actual time."""
    return datetime.now(UTC)


class StreamService:
    """A stream over one data folder.

    Args:
        settings: the data folder and all limits.
        operations: where alerts, messages, positions and the pulse go.
        source: where readings come from.
        instance: name of this process in the table of streams.
        now: the actual time.

    Raises:
        FridgeError: another stream works on this data folder, or the port is taken.
    """

    def __init__(
        self,
        settings: Settings,
        operations: Operations,
        source: Source,
        *,
        instance: str,
        now: Callable[[], datetime] = wall_time,
    ) -> None:
        self.metrics = StreamMetrics()
        self._settings = settings
        self._operations = operations
        self._source = source
        self._now = now
        self._engine = Engine(
            settings.streaming, threads=settings.streaming.threads, memory_limit=settings.streaming.memory_limit
        )
        self._fleet = FleetKnowledge(settings.root, operations)
        self._checkpoint = Checkpoint(settings.streaming_dir / "checkpoint.duckdb", settings.streaming)
        self._dead_letters = DeadLetters(settings.streaming_dir / "dead_letters")
        self._positions: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._status = StreamStatus(instance=instance, source=source.name, started_at=now(), beaten_at=now())
        self._alive_at = time.monotonic()
        self._due: dict[str, float] = {}

    def run(self, stop: threading.Event, *, until_idle: bool = False) -> StreamStatus:
        """Work until ``stop`` is set; what was begun is finished, and the state is saved.

        Args:
            stop: set by whoever wants the end.
            until_idle: end by itself as soon as the source has nothing more.

        Returns:
            What the process did.
        """
        with self._alone(), self._answering(), self._delivering():
            self._resume()
            try:
                while not stop.is_set():
                    self._look_after()
                    batch = self._poll()
                    if batch is not None:
                        self._answer(batch, stop)
                    elif until_idle and not self._source.behind():
                        break
                    else:
                        stop.wait(self._settings.streaming.poll.total_seconds())
                self._attempt("checkpoint", self._save)
            finally:
                self._source.close()
            self._beat(stopped=True)
        self._engine.close()
        return self._status

    def _resume(self) -> None:
        """Go on where the last process of this data folder ended, or start afresh."""
        positions = self._checkpoint.load(self._engine, self._source.name)
        if positions is None:
            self._know_usual()
        self._positions = dict(positions or {})
        self._status.newest_reading_at = self._engine.newest()
        self._attempt("registry", lambda: self._fleet.follow(self._engine, self._now()))
        self._source.resume(positions)
        self._due = dict.fromkeys(("fleet", "beat"), 0.0) | {
            "save": self._in(self._settings.streaming.checkpoint_every)
        }

    def _poll(self) -> Batch | None:
        lost = self._source.lost_parts()
        if lost:
            self._engine.forget(lost)
            self._positions = {part: at for part, at in self._positions.items() if part not in lost}
        batch = self._source.poll(self._engine.connection)
        if batch is not None and self._positions and not batch.positions.keys() <= self._positions.keys():
            self._know_usual()  # of the devices that come with a new part
        return batch

    def _know_usual(self) -> None:
        """What the features know stands in for the devices whose history is not here."""
        history = read_usual_vibration(self._settings.published_dir)
        if history is not None:
            self._engine.know_usual(history)

    def _answer(self, batch: Batch, stop: threading.Event) -> None:
        """Take a batch in; store what it shows, however long that takes, unless it was stored before."""
        began = time.perf_counter()
        changes = take_delivered(self._engine, batch)
        if not batch.answered:
            self._bury(batch)
            while not self._attempt("store", lambda: self._store(batch, changes)):
                if stop.wait(_RETRY):
                    raise FridgeError(
                        f"the last batch was not stored: {self._problems['store']}",
                        "Nothing is lost: it is read again at the next start.",
                    )
                self._look_after(save=False)  # the state is ahead of what is stored
            self._count(changes)
        self._status.newest_reading_at = self._engine.newest() or self._status.newest_reading_at
        self._positions |= batch.positions
        self.metrics.batch_seconds.observe(time.perf_counter() - began)

    def _store(self, batch: Batch, changes: Changes) -> None:
        now = self._now()
        observed = observed_in(changes, self._fleet.sites, self._settings)
        fleet = Fleet(self._fleet.site_sizes, storm_rule(self._settings.streaming))
        untold = delivered_late(changes.new, now, self._settings.streaming)
        with self._operations.transaction() as connection:
            if observed:
                observe(connection, observed, fleet, now, self._settings.alerts, untold=untold)
            self._source.record(connection, batch, now)

    def _bury(self, batch: Batch) -> None:
        """Keep what cannot be used; a full disk must not stop the rules."""
        count, letters = unusable(self._engine.connection, batch, self._settings.streaming.dead_letters_per_batch)
        self._attempt("dead letters", lambda: self._dead_letters.append(letters, self._now()))
        self.metrics.unusable.inc(count)
        self._status.unusable += count
        for name, reason in batch.refused.items():
            _LOG.warning("%s was passed over: %s", name, reason)

    def _count(self, changes: Changes) -> None:
        for onset in changes.new:
            self.metrics.onsets.labels(onset.rule).inc()
            _LOG.info("%s on %s at %s", onset.rule, onset.device_id, onset.at.isoformat())
        self.metrics.withdrawn.inc(len(changes.withdrawn))
        self.metrics.readings.inc(changes.readings)
        self.metrics.repeated.inc(changes.repeated)
        self.metrics.too_late.inc(changes.too_late)
        self._status.readings += changes.readings
        self._status.too_late += changes.too_late
        self._status.alerts += len(changes.new)

    def _look_after(self, *, save: bool = True) -> None:
        """What is to be done every now and then, whatever comes in."""
        streaming = self._settings.streaming
        self._alive_at = time.monotonic()
        if self._is_due("fleet"):
            self._attempt("registry", lambda: self._fleet.follow(self._engine, self._now()))
            self._due["fleet"] = self._in(streaming.reload_every)
        if self._is_due("beat"):
            self._attempt("pulse", self._beat)
            self._due["beat"] = self._in(streaming.heartbeat_every)
        if save and self._is_due("save"):
            self._attempt("checkpoint", self._save)
            self._due["save"] = self._in(streaming.checkpoint_every)

    def _save(self) -> None:
        self._checkpoint.save(self._engine, self._source.name, self._positions)
        self._source.saved(self._positions)

    def _beat(self, *, stopped: bool = False) -> None:
        now, status = self._now(), self._status
        status.beaten_at, status.behind = now, self._source.behind()
        status.stopped_at = now if stopped else None
        status.lag_seconds = max((now - (status.newest_reading_at or now)).total_seconds(), 0.0)
        with self._operations.transaction() as connection:
            beat(connection, status)
        self.metrics.lag.set(status.lag_seconds)
        self.metrics.behind.set(status.behind)
        self.metrics.heartbeat.set(now.timestamp())
        self.metrics.window_rows.set(self._engine.rows()["recent"])

    def _attempt(self, what: str, action: Callable[[], None]) -> bool:
        """Do ``action``; a failure that a user can mend is a problem that ``/healthz`` shows, until it works."""
        try:
            action()
        except FridgeError as error:
            if self._problems.get(what) != str(error):
                _LOG.error("%s: %s", what, error)
            self._problems[what] = str(error)
            return False
        if self._problems.pop(what, None):
            _LOG.info("%s: works again", what)
        return True

    def _is_due(self, what: str) -> bool:
        return time.monotonic() >= self._due[what]

    @staticmethod
    def _in(span: timedelta) -> float:
        return time.monotonic() + span.total_seconds()

    def problems(self) -> dict[str, str]:
        """What is wrong at the moment, by part."""
        silent = time.monotonic() - self._alive_at
        stuck = {"loop": f"no progress for {silent:.0f} s"} if silent > self._max_silence else {}
        return dict(self._problems) | stuck

    @property
    def _max_silence(self) -> float:
        return self._settings.streaming.max_silence.total_seconds()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two streams over one data folder would disturb each other's checkpoint."""
        with lock_file(self._settings.streaming_dir / "lock") as free:
            if not free:
                raise FridgeError(
                    f"another stream works on {self._settings.root}",
                    "One is enough; several share a topic of Kafka with a data folder each.",
                )
            yield

    @contextmanager
    def _answering(self) -> Iterator[None]:
        streaming = self._settings.streaming
        server = StatusServer(streaming.host, streaming.port, self.metrics, self.problems)
        _LOG.info("%s/healthz and %s/metrics answer", server.url, server.url)
        try:
            yield
        finally:
            server.close()

    @contextmanager
    def _delivering(self) -> Iterator[None]:
        """Watch deadlines and deliver messages meanwhile, so that people are told when Dagster is down.

        Work orders have a thread of their own: a maintenance system that hangs keeps no message from people.
        """
        ended = threading.Event()
        patience = {
            threading.Thread(target=self._deliver, args=(ended,), name="delivery", daemon=True): "notifications",
            threading.Thread(target=self._hand_over, args=(ended,), name="work orders", daemon=True): "work_orders",
        }
        for thread in patience:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread, group in patience.items():
                thread.join(getattr(self._settings, group).timeout.total_seconds())

    def _deliver(self, ended: threading.Event) -> None:
        settings = self._settings.notifications.model_copy(update={"budget": _DELIVERY_BUDGET})
        zone_of = partial(zone_of_sites, self._settings)
        look_at = time.monotonic()
        while not ended.is_set():
            if time.monotonic() >= look_at and self._survive("deadlines", self._watch_deadlines):
                look_at = time.monotonic() + _DEADLINES_EVERY
            self._survive(
                "delivery",
                lambda: deliver_due(self._operations, senders_of(settings), settings, self._now, zone_of),
            )
            ended.wait(_DELIVERY_PAUSE)

    def _hand_over(self, ended: threading.Event) -> None:
        while not ended.is_set():
            self._survive("work orders", self._deliver_orders)
            ended.wait(_DELIVERY_PAUSE)

    def _deliver_orders(self) -> None:
        settings = self._settings.work_orders.model_copy(update={"budget": _DELIVERY_BUDGET})
        deliver_orders(self._operations, receiver_of(self._settings), settings, self._now)
        left = waiting(self._operations)
        if left.reason:
            # Without a number, so that each new order is not logged as a new problem.
            raise FridgeError(f"work orders wait: {left.reason}", "They are tried again by themselves.")

    def _watch_deadlines(self) -> None:
        now = self._now()
        watch(self._operations, now, self._settings.alerts)

    def _survive(self, what: str, action: Callable[[], object]) -> bool:
        """Do ``action`` and say whether it worked; whatever fails is a problem that ``/healthz`` shows meanwhile."""
        try:
            action()
        except Exception as error:  # whatever it is, the next message must not wait for a restart
            if self._problems.get(what) != str(error):
                _LOG.exception(what)
            self._problems[what] = str(error)
            return False
        self._problems.pop(what, None)
        return True

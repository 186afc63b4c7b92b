"""The sensors that watch a data folder, evaluated by hand at a wall clock that tests set."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import dagster as dg
import pytest

from fridge_assets.automation.cycles import hourly_cycle
from fridge_assets.automation.launch import clock_config, run_job
from fridge_assets.definitions import build_definitions
from fridge_assets.notifications.outbox import OutboxFilter, list_messages
from fridge_assets.running.outcomes import CycleOutcome, RunOutcome
from fridge_assets.steps.clock import Clock
from fridge_assets_tests.scenarios.small_fleet import Place, cycle_time, graph_of

TELLING = ("tell_of_runs", "tell_of_freshness")
SWITCH = "switch_to_fallback"

_MOST_TICKS = 20

Told = tuple[str, str, str]
"""Channel, kind and title of a message."""


class Watchers:
    """The sensors of one data folder, with the cursors that they have reached.

    Args:
        place: the data folder.
        instance: its Dagster instance.
        patch: sets the wall clock.
    """

    def __init__(self, place: Place, instance: dg.DagsterInstance, patch: pytest.MonkeyPatch) -> None:
        self._place = place
        self._instance = instance
        self._patch = patch
        self._repository = build_definitions(place.settings).get_repository_def()
        self._cursors: dict[str, str | None] = {}
        self._requested: set[str] = set()
        self._heard: set[str] = set()
        for name in TELLING[:-1]:
            self.evaluate(name)  # the first look only says where it begins

    def at(self, now: datetime) -> None:
        """Set the wall clock."""
        self._patch.setattr(Clock, "wall_time", staticmethod(lambda: now))

    def evaluate(self, name: str) -> list[dg.RunRequest]:
        """One evaluation of a sensor, as the daemon makes it; the runs that it asks for."""
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self._cursors.get(name),
            repository_def=self._repository,
            resources=self._repository.get_top_level_resources(),
        ) as context:
            data = self._repository.get_sensor_def(name).evaluate_tick(context)
        self._cursors[name] = data.cursor
        return list(data.run_requests or [])

    def told(self) -> list[Told]:
        """Let everybody who tells something look, and what was stored to be said since the last time."""
        for name in TELLING:
            before: str | None = ""
            for _ in range(_MOST_TICKS):  # a tick may look at one run only
                if before == self._cursors.get(name):
                    break
                before = self._cursors.get(name)
                self.evaluate(name)
        return self.heard()

    def heard(self) -> list[Told]:
        """What was stored to be said since the last time, but for alerts that nobody takes here: nobody is there to."""
        with self._place.operations.read() as connection:
            messages = reversed(list_messages(connection, OutboxFilter(limit=10_000)))
        new = [message for message in messages if message.message_id not in self._heard]
        self._heard.update(message.message_id for message in new)
        return [(message.channel, message.kind, message.title) for message in new if message.kind != "deadline"]

    def due(self, now: datetime) -> Counter[str]:
        """How many new runs of each job the switch asks for at ``now``; the daemon launches each key once."""
        self.at(now)
        keys = {request.run_key: str(request.job_name) for request in self.evaluate(SWITCH)}
        new = {str(key): job for key, job in keys.items() if key not in self._requested}
        self._requested.update(new)
        return Counter(new.values())

    def cycle(self, number: int) -> CycleOutcome:
        """The hourly cycle of the window that ends at ``hour(number)``, in this process."""
        self.at(cycle_time(number))
        return hourly_cycle(self._instance, cycle_time(number), in_process=True)

    def run(self, job: str, now: datetime) -> RunOutcome:
        """A job at ``now``, in this process."""
        self.at(now)
        return run_job(self._instance, job, clock_config(now), in_process=True)


@contextmanager
def watching(place: Place) -> Iterator[Watchers]:
    """The graph over ``place`` in this process, and those who watch it."""
    with pytest.MonkeyPatch.context() as patch, graph_of(place.settings) as instance:
        watchers = Watchers(place, instance, patch)
        watchers.heard()
        yield watchers


def of(kind: str, told: list[Told]) -> list[tuple[str, str]]:
    """Channel and title of what was told of one kind."""
    return [(channel, title) for channel, what, title in told if what == kind]

"""Runs that have ended, each once and in their order, whatever way they ended and whoever started them.

Dagster's own run status sensors look at one way of ending each, so that a success could be seen before the failure that
came before it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import dagster as dg

from fridge_assets.running.outcomes import recorded_outcome
from fridge_assets.stores.operations import Operations
from fridge_assets.telling.messages import tell_run
from fridge_assets.telling.routes import Routes

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_OVERLAP = timedelta(minutes=2)
"""A run that ended earlier may be stored as ended a little later than one that ended after it."""
_MOST_RUNS = 20
"""Runs looked at in one tick, which must end within a minute."""


@dataclass(frozen=True)
class EndedRuns:
    """How far the runs of an instance have been looked at.

    Args:
        until: runs that changed earlier, by more than the overlap, were looked at.
        known: ids of the runs that were looked at, as far back as the overlap.
    """

    until: datetime
    known: tuple[tuple[str, float], ...] = ()

    @classmethod
    def from_now(cls, now: datetime) -> Self:
        """Where one begins who is told of the runs that end at ``now`` or later."""
        return cls(now + _OVERLAP)

    def new(self, instance: dg.DagsterInstance) -> Sequence[dg.RunRecord]:
        """The next runs that have ended, in the order in which they did."""
        records = instance.get_run_records(
            dg.RunsFilter(statuses=_ENDED, updated_after=self.until - _OVERLAP),
            order_by="update_timestamp",
            ascending=True,
            limit=_MOST_RUNS + len(self.known),
        )
        known = {run_id for run_id, _ in self.known}
        fresh = [record for record in records if record.dagster_run.run_id not in known]
        return sorted(fresh[:_MOST_RUNS], key=lambda record: record.end_time or 0.0)

    def after(self, record: dg.RunRecord) -> Self:
        """Where one is once ``record`` has been looked at."""
        changed = record.update_timestamp.replace(tzinfo=UTC)
        until = max(self.until, changed)
        known = (*self.known, (record.dagster_run.run_id, changed.timestamp()))
        since = (until - 2 * _OVERLAP).timestamp()
        return type(self)(until, tuple((run_id, at) for run_id, at in known if at >= since))

    def to_json(self) -> str:
        """As a sensor's cursor."""
        return json.dumps({"until": self.until.isoformat(), "known": self.known})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From a sensor's cursor."""
        stored = json.loads(text)
        return cls(datetime.fromisoformat(stored["until"]), tuple((run, at) for run, at in stored["known"]))


def tell_of_ended_runs(
    instance: dg.DagsterInstance,
    operations: Operations,
    told: EndedRuns,
    routes: Routes,
    wall_time: Callable[[], datetime],
) -> Iterator[EndedRuns]:
    """Store what is said about each run that has ended since, in their order; yields where one is after each.

    Args:
        instance: has the runs.
        operations: has the messages.
        told: how far the runs have been told of.
        routes: who is told about which step.
        wall_time: the actual time.
    """
    for record in told.new(instance):
        outcome = recorded_outcome(instance, record.dagster_run)
        with operations.transaction() as connection:
            tell_run(connection, outcome, wall_time(), routes)
        told = told.after(record)
        yield told

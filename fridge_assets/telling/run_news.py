"""Runs that start and end, for somebody who watches a terminal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from fridge_assets.running.outcomes import recorded_outcome

_TOLD = {
    dg.DagsterRunStatus.STARTED: "started",
    dg.DagsterRunStatus.SUCCESS: "succeeded",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "was canceled",
}
_OVERLAP = timedelta(seconds=30)
"""A run that changed earlier may be stored as changed a little later."""


class RunNews:
    """Tells of each run once that it has started and how it has ended.

    Args:
        since: changes before it are old.
    """

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._told: dict[str, dg.DagsterRunStatus] = {}

    def look(self, instance: dg.DagsterInstance) -> Iterator[str]:
        """A sentence for each run that has started or ended since the last look, in the order of these changes."""
        looked_at = datetime.now(UTC)
        records = instance.get_run_records(
            dg.RunsFilter(statuses=list(_TOLD), updated_after=self._since),
            order_by="update_timestamp",
            ascending=True,
        )
        told = {record.dagster_run.run_id: record.dagster_run.status for record in records}
        for record in records:
            if self._told.get(record.dagster_run.run_id) != record.dagster_run.status:
                yield _sentence(instance, record)
        self._told = told
        self._since = max(self._since, looked_at - _OVERLAP)


def _sentence(instance: dg.DagsterInstance, record: dg.RunRecord) -> str:
    run = record.dagster_run
    said = f"{run.job_name} {_TOLD[run.status]}"
    if record.end_time is not None and record.start_time is not None:
        said += f" after {record.end_time - record.start_time:.0f} s"
    if run.status == dg.DagsterRunStatus.FAILURE:
        failures = recorded_outcome(instance, run).failures
        said += ": " + "; ".join(f"{step}: {why}" for step, why in failures.items())
    return f"{said} (run {run.run_id[:8]})"

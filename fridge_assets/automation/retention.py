"""The nightly sweep of everything that is older than its policy allows."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import dagster as dg
import pandas as pd

from fridge_assets.automation.people import PIPELINE
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.running.executors import one_process
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import table
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.telling.routes import OWNER_TAG
from fridge_assets.upkeep.retention.report import Swept
from fridge_assets.upkeep.retention.sweep import problems, sweep

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class DagsterRuns:
    """The history of runs in a Dagster instance.

    Args:
        instance: the instance.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def ended_before(self, moment: datetime) -> Sequence[str]:
        """Ids of runs that were created before ``moment`` and have ended."""
        records = self._instance.get_run_records(dg.RunsFilter(statuses=_ENDED, created_before=moment))
        return [record.dagster_run.run_id for record in records]

    def delete(self, run_id: str) -> int:
        """Delete a run, its events and what its steps printed; returns the bytes of its files."""
        self._instance.delete_run(run_id)
        root = Path(self._instance.root_directory)
        # Dagster empties the file of a run's events and leaves it there.
        events = (root / "history" / "runs").glob(f"{run_id}.db*")
        freed = 0
        for path in (*events, *(root / "storage" / run_id).rglob("*")):
            if path.is_file():
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        return freed


def report_frame(report: Sequence[Swept]) -> pd.DataFrame:
    """A sweep as a table: ``subject``, ``kept_for`` (days), ``rows``, ``files``, ``mib``, ``problems``."""
    return pd.DataFrame(
        {
            "subject": [swept.subject for swept in report],
            "kept_for": [f"{swept.kept_for.total_seconds() / 86_400:g} d" for swept in report],
            "rows": [swept.rows for swept in report],
            "files": [swept.files for swept in report],
            "mib": [round(swept.bytes / 2**20, 2) for swept in report],
            "problems": ["; ".join(swept.problems) for swept in report],
        }
    )


@dg.op(
    name="retention",
    tags={OWNER_TAG: "team:operations"},
    description="Removes what is older than its policy allows, and says what that was.",
)
def sweep_data_folder(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    models: dg.ResourceParam[ModelLifecycle],
) -> None:
    """Sweep; whatever could not be removed fails the run after everything else was swept."""
    now = Clock.wall_time()
    report = sweep(settings, warehouse, operations, models, DagsterRuns(context.instance), now, wall_time=now)
    context.add_output_metadata({"removed": table(report_frame(report))})
    unswept = problems(report)
    if unswept:
        raise dg.Failure("; ".join(unswept), metadata={"removed": table(report_frame(report))}, allow_retries=False)


@dg.graph(name="sweep_of_data_folder")  # Dagster wants a name of its own for it, and failures name the op
def _sweep() -> None:
    sweep_data_folder()


RETENTION = _sweep.to_job(
    name="retention",
    description="Removes readings, scores, alerts, messages, model files, runs and logs that are older than their "
    "policies allow; fridge_assets/upkeep/retention/policies.py has them all.",
    executor_def=one_process,
    tags=PIPELINE,
)

"""Status between two hourly runs: it follows when people, the stream or deadlines change an incident (SPEC 1.8)."""

import dagster as dg

from fridge_assets.automation.jobs import AGREES_WITH_ALERTS, FALLBACK, PUBLISH
from fridge_assets.automation.people import PIPELINE, refusals
from fridge_assets.running.executors import one_process
from fridge_assets.settings import Settings
from fridge_assets.status.refresh import is_due, refresh_status
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.telling.routes import OWNER_TAG

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.op(
    name="refresh_changed_status",
    pool="fleet_status",
    tags={OWNER_TAG: "team:operations"},
    description="Brings the status of devices whose incidents changed, and of their sites, up to date.",
)
def refresh(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[Operations],
    published: dg.ResourceParam[Published],
    clock: Clock,
) -> None:
    """Refresh and note it as an observation: scores do not become any fresher by it."""
    with refusals():
        done = refresh_status(warehouse, operations, published, clock.now(), settings.staleness)
    for name, changed in done.changed.items():
        metadata = {"changed": changed, "devices whose incidents changed": done.devices}
        context.log_event(dg.AssetObservation(name, metadata=metadata))


@dg.job(
    name="refresh_status",
    description="Open alerts and health of devices whose incidents changed between two runs, and of their sites.",
    executor_def=one_process,
    tags=PIPELINE,
)
def refresh_status_job() -> None:
    """One step."""
    refresh()


RECONCILE = dg.define_asset_job(
    "reconcile_status",
    selection=dg.AssetSelection.checks(AGREES_WITH_ALERTS),
    description="Whether device and site status, what is published of them, and the events agree with the incidents.",
    executor_def=one_process,
    tags=PIPELINE,
)


def refresh_wanted(context: dg.SensorEvaluationContext, operations: Operations) -> dg.RunRequest | dg.SkipReason:
    """A run of :func:`refresh_status_job` if incidents have changed since the status was made, or why there is none."""
    with operations.read() as connection:
        due = is_due(connection)
    if not due:
        return dg.SkipReason("no incident has changed since the status was made")
    for job in (PUBLISH.name, FALLBACK.name, refresh_status_job.name):
        if context.instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_UNDER_WAY), limit=1):
            return dg.SkipReason(f"a run of {job} is under way")
    return dg.RunRequest()

"""What a run has not done is shown as skipped, not as failed.

Dagster blames a failed run for all that it had planned: a check that nobody made, the checks and assets of steps that
were never started, and assets that were only observed all show as failed. It calls a check skipped whose newest plan
belongs to no run, and takes an asset for what it was before the run that it belongs to; so that is what is reported.
"""

from collections.abc import Collection

import dagster as dg

from fridge_assets.steps.dagster_internals import (
    RUNLESS_RUN_ID,
    AssetCheckEvaluationPlanned,
    AssetMaterializationPlannedData,
)

_NO_JOB = "none"


def skip_checks(instance: dg.DagsterInstance, run_id: str, checks: Collection[dg.AssetCheckKey]) -> None:
    """Show ``checks`` of a run as skipped, unless a later run has planned them again."""
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    for key, record in newest.items():
        if record.run_id == run_id:
            planned = AssetCheckEvaluationPlanned(asset_key=key.asset_key, check_name=key.name)
            _report(instance, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, planned)


def keep_assets(instance: dg.DagsterInstance, run_id: str, assets: Collection[dg.AssetKey]) -> None:
    """Show ``assets`` as they were before a run that has not materialized them, unless a later run has planned them."""
    for record in instance.get_asset_records(list(assets)):
        if record.asset_entry.last_run_id == run_id:
            planned = AssetMaterializationPlannedData(record.asset_entry.asset_key, partition=None)
            _report(instance, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, planned)


def skip_downstream(context: dg.AssetExecutionContext) -> None:
    """Show the steps of the run that do not start because that of ``context`` fails as skipped, checks and assets."""
    below = dg.AssetSelection.assets(*context.selected_asset_keys).downstream(include_self=False)
    assets = below.resolve(context.job_def.asset_layer.asset_graph)
    logs = context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)
    events = [entry.dagster_event for entry in logs if entry.dagster_event is not None]
    checks = {event.asset_check_planned_data.asset_check_key for event in events}
    skip_checks(context.instance, context.run.run_id, {key for key in checks if key.asset_key in assets})
    keep_assets(context.instance, context.run.run_id, assets)


def _report(
    instance: dg.DagsterInstance,
    what: dg.DagsterEventType,
    planned: AssetCheckEvaluationPlanned | AssetMaterializationPlannedData,
) -> None:
    event = dg.DagsterEvent(event_type_value=what.value, job_name=_NO_JOB, event_specific_data=planned)
    instance.report_dagster_event(event, RUNLESS_RUN_ID)

"""Runs that Dagster's daemon launched and whose process is gone: they end, and free the pools that they held.

The daemon would look at them only after their longest runtime, and let the next runs wait for that long.
"""

import dagster as dg
import psutil

from fridge_assets.automation.lost_runs import LAUNCH_TAG

_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_PID = "pid"


def end_runs_without_process(instance: dg.DagsterInstance, why: str, *, starting: bool) -> list[str]:
    """End the runs of a daemon on this machine whose process has ended; returns their ids.

    Args:
        instance: records the runs.
        why: a sentence for their history.
        starting: also those that have not noted a process yet, where nobody is left who could start one.
    """
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        if LAUNCH_TAG in run.tags:
            continue  # a program runs it to its end, see lost_runs
        alive = _process_is_alive(instance, run.run_id)
        if alive or (alive is None and not starting):
            continue
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message=why)
        else:
            instance.report_run_failed(run, why)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


def _process_is_alive(instance: dg.DagsterInstance, run_id: str) -> bool | None:
    """Whether the process that the run has noted is there; None before it has noted one."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        if event is None or event.step_key is not None or _PID not in event.engine_event_data.metadata:
            continue
        try:
            process = psutil.Process(int(str(event.engine_event_data.metadata[_PID].value)))
            # Process ids are given away again: one that began later is another.
            return process.create_time() <= entry.timestamp
        except psutil.NoSuchProcess:
            return False
    return None

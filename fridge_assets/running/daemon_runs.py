"""Runs whose daemon has been ended, with everything that it had started."""

from pathlib import Path

import dagster as dg

from fridge_assets.running.launches import Launches
from fridge_assets.running.lost_runs import LAUNCH_TAG, free_held_slots

_LAUNCHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def end_runs_of_ended_daemon(instance: dg.DagsterInstance) -> list[str]:
    """End the runs that the daemon of this folder had launched and that did not say themselves that they ended.

    Only for whoever has just ended that daemon: a run that is about to start looks the same as one that never will.
    What still queues is left to the next daemon.

    Returns:
        Ids of the runs.
    """
    free_held_slots(instance)
    launches = Launches(Path(instance.root_directory) / "launches")
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_LAUNCHED)):
        if LAUNCH_TAG in run.tags or launches.is_alive(run.run_id):
            continue  # another program runs it
        instance.report_run_canceled(run, message="The daemon that launched it has ended; what was committed stays.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended

"""What happens because of something that happened: every sensor, its interval, and what it asks.

Each does one thing, so that none waits for another: Slack may hang while the rules take over.
"""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from fridge_assets.automation.freshness import WATCHED
from fridge_assets.automation.jobs import FALLBACK, MONITOR, PUBLISH, SCORE_HOURLY, SCORE_JOBS
from fridge_assets.automation.peoples_actions import actions_report
from fridge_assets.automation.publication import monitoring_after, publication_after
from fridge_assets.automation.status import refresh_status_job, refresh_wanted
from fridge_assets.automation.switch import runs_for_age, speaking_to_tell
from fridge_assets.incidents.store import watch
from fridge_assets.notifications.deliver import deliver_due
from fridge_assets.notifications.senders import senders_of
from fridge_assets.registry.zones import zone_of_sites
from fridge_assets.running.lost_runs import free_held_slots
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations
from fridge_assets.streaming.assets import pulse_report
from fridge_assets.telling.ended_runs import EndedRuns, tell_of_ended_runs
from fridge_assets.telling.messages import freshness_states, tell_freshness, tell_tier
from fridge_assets.telling.routes import Routes
from fridge_assets.upkeep.health import AUTOMATION, beat
from fridge_assets.work_orders.deliver import deliver_orders
from fridge_assets.work_orders.receivers import receiver_of

_RUNNING = dg.DefaultSensorStatus.RUNNING
_ENDED = {
    dg.DagsterRunStatus.SUCCESS: "success",
    dg.DagsterRunStatus.FAILURE: "failure",
    dg.DagsterRunStatus.CANCELED: "cancellation",
}


def _publish_after(status: dg.DagsterRunStatus, outcome: str) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"publish_after_{outcome}",
        run_status=status,
        monitored_jobs=list(SCORE_JOBS),
        request_job=PUBLISH,
        minimum_interval_seconds=10,
        default_status=_RUNNING,
        description=f"Publish what succeeded after a score run's {outcome}.",
    )
    def sensor(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        return publication_after(context.dagster_run)

    return sensor


@dg.sensor(
    name="switch_to_fallback",
    jobs=[FALLBACK, PUBLISH, SCORE_HOURLY],
    minimum_interval_seconds=5,  # a look costs one read of the operations store
    default_status=_RUNNING,
    description="Lets the rules raise the alerts while the models' scores are over two hours old, window by window, "
    "and brings the status up to date when the scores reach another age; has models that were just released score.",
)
def switch_to_fallback(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for what the age of the scores needs."""
    yield from runs_for_age(context, operations, Clock.wall_time(), settings)


@dg.run_status_sensor(
    name="monitor_after_publication",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[PUBLISH],
    request_job=MONITOR,
    minimum_interval_seconds=30,
    default_status=_RUNNING,
    description="Looks at how the models behave once their scores are out.",
)
def monitor_after_publication(context: dg.RunStatusSensorContext) -> dg.RunRequest:
    """A monitoring run for each publication."""
    return monitoring_after(context.dagster_run)


@dg.sensor(
    name="report_stream",
    minimum_interval_seconds=60,
    default_status=_RUNNING,
    description="Reports the pulse and the lag of the streaming process; without a pulse nothing is reported.",
)
def report_stream(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> dg.SensorResult | dg.SkipReason:
    """Report the processes that are alive, if any has beaten since the last report."""
    return pulse_report(operations, context.cursor, Clock.wall_time(), settings.streaming)


@dg.sensor(
    name="refresh_status_after_changes",
    job_name=refresh_status_job.name,
    minimum_interval_seconds=60,
    default_status=_RUNNING,
    description="Starts `refresh_status` when incidents have changed since the status was made; a run that makes all "
    "of it anew comes first.",
)
def refresh_status_after_changes(
    context: dg.SensorEvaluationContext, operations: dg.ResourceParam[Operations]
) -> dg.RunRequest | dg.SkipReason:
    """One look at the operations store."""
    return refresh_wanted(context, operations)


@dg.sensor(
    name="watch_deadlines",
    minimum_interval_seconds=30,
    default_status=_RUNNING,
    description="Escalates incidents that nobody has taken by their deadline and tells the next channel.",
)
def watch_deadlines(settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]) -> dg.SkipReason:
    """Note what has become due."""
    now = Clock.wall_time()
    changed = watch(operations, now, settings.alerts)
    return dg.SkipReason(f"{changed} incidents had something due")


@dg.sensor(
    name="report_actions",
    minimum_interval_seconds=30,
    default_status=_RUNNING,
    description="Reports what people do with incidents as observations of the alerts.",
)
def report_actions(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> dg.SensorResult | dg.SkipReason:
    """Report what was done since the last report."""
    return actions_report(operations, context.cursor, Clock.wall_time(), settings.operations.lock_wait)


@dg.sensor(
    name="tell_of_runs",
    minimum_interval_seconds=10,
    default_status=_RUNNING,
    description="Messages about runs that ended, whoever started them: what failed, what works again, checks that "
    "changed.",
)
def tell_of_runs(context: dg.SensorEvaluationContext, operations: dg.ResourceParam[Operations]) -> dg.SkipReason:
    """Note what is to be said about each run once, in the order in which they ended."""
    if context.cursor is None:
        context.update_cursor(EndedRuns.from_now(Clock.wall_time()).to_json())
        return dg.SkipReason("runs that end from now on are told")
    before, routes, told = EndedRuns.from_json(context.cursor), Routes.of_graph(context.repository_def), 0
    for ended in tell_of_ended_runs(context.instance, operations, before, routes, Clock.wall_time):
        context.update_cursor(ended.to_json())
        told += 1
    return dg.SkipReason(f"noted {told} runs")


@dg.sensor(
    name="tell_of_freshness",
    minimum_interval_seconds=30,
    default_status=_RUNNING,
    description="Messages about assets whose freshness changed, and about the age of the scores.",
)
def tell_of_freshness(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> dg.SkipReason:
    """Note each change once."""
    now, patience = Clock.wall_time(), settings.staleness.patience
    states = freshness_states(context.instance, WATCHED)
    speaking = speaking_to_tell(context.instance, operations, now, settings)
    with operations.transaction() as connection:
        tell_freshness(connection, states, now, patience, Routes.of_graph(context.repository_def))
        if speaking is not None:
            tell_tier(connection, speaking.tier, speaking.since, now, patience)
    return dg.SkipReason("noted what changed")


@dg.sensor(
    name="deliver_messages",
    minimum_interval_seconds=10,
    default_status=_RUNNING,
    description="Delivers the messages of the outbox; what is down gets them later.",
)
def deliver_messages(settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]) -> dg.SkipReason:
    """Deliver what is due."""
    chosen = settings.notifications
    report = deliver_due(operations, senders_of(chosen), chosen, Clock.wall_time, partial(zone_of_sites, settings))
    return dg.SkipReason(f"{report.sent} sent, {report.failed} failed, {report.waiting} waiting")


@dg.sensor(
    name="deliver_work_orders",
    minimum_interval_seconds=10,
    default_status=_RUNNING,
    description="Hands changed work orders to the maintenance system; while it is down they wait.",
)
def deliver_work_orders(
    settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> dg.SkipReason:
    """Hand over what is due."""
    report = deliver_orders(operations, receiver_of(settings), settings.work_orders, Clock.wall_time)
    return dg.SkipReason(f"{report.delivered} delivered, {report.failed} failed, {report.waiting} waiting")


@dg.sensor(
    name="free_held_pools",
    minimum_interval_seconds=15,
    default_status=_RUNNING,
    description="Ends runs whose process was killed and gives back the pools that no living run makes use of.",
)
def free_held_pools(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Free what is held in vain: a queued run must not wait for a pool that nobody gives back."""
    held = free_held_slots(context.instance)
    return dg.SkipReason("; ".join(map(str, held)) or "no pool is held in vain")


@dg.sensor(
    name="pulse",
    minimum_interval_seconds=15,
    default_status=_RUNNING,
    description="Shows that the daemon runs and this code loads; `fridge-assets health` looks at it.",
)
def pulse(operations: dg.ResourceParam[Operations]) -> dg.SkipReason:
    """Beat."""
    with operations.transaction() as connection:
        beat(connection, AUTOMATION, Clock.wall_time())
    return dg.SkipReason("alive")


SENSORS = (
    *(_publish_after(status, outcome) for status, outcome in _ENDED.items()),
    switch_to_fallback,
    monitor_after_publication,
    report_stream,
    refresh_status_after_changes,
    watch_deadlines,
    report_actions,
    tell_of_runs,
    tell_of_freshness,
    deliver_messages,
    deliver_work_orders,
    free_held_pools,
    pulse,
)

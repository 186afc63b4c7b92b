"""When things run, and who is told, because of something that happened.

Each sensor does one thing, so that none waits for another: Slack may hang while the rules take over.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import dagster as dg

from fridge_assets.automation.deadlines import watch_deadlines
from fridge_assets.automation.freshness import WATCHED
from fridge_assets.automation.held_pools import free_held_pools
from fridge_assets.automation.jobs import MONITOR, PUBLISH, PUBLISHES_ITSELF_TAG, SCORE_JOBS, SOURCE_RUN_TAG
from fridge_assets.automation.status import refresh_status_after_changes
from fridge_assets.automation.stream_report import report_stream
from fridge_assets.automation.switch import first_scoring_asked, rules_wait, switch_to_fallback, voices
from fridge_assets.automation.work_orders import deliver_work_orders
from fridge_assets.notifications.deliver import deliver_due
from fridge_assets.notifications.senders import senders_of
from fridge_assets.registry.zones import zone_of_sites
from fridge_assets.running.outcomes import outcome_of
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.dagster_internals import RUN_FAILURE_REASON_TAG, WILL_RETRY_TAG, RunFailureReason
from fridge_assets.stores.operations import Operations
from fridge_assets.telling.ended_runs import EndedRuns
from fridge_assets.telling.messages import freshness_states, tell_freshness, tell_run, tell_tier
from fridge_assets.upkeep.health import AUTOMATION, beat

_ENDED = {
    dg.DagsterRunStatus.SUCCESS: "success",
    dg.DagsterRunStatus.FAILURE: "failure",
    dg.DagsterRunStatus.CANCELED: "cancellation",
}


def publish_after(status: dg.DagsterRunStatus, outcome: str) -> dg.SensorDefinition:
    """The sensor that starts ``publish`` when a score run ended as ``status``: one dead model must not stop alerts."""

    @dg.run_status_sensor(
        name=f"publish_after_{outcome}",
        run_status=status,
        monitored_jobs=list(SCORE_JOBS),
        request_job=PUBLISH,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Publish what succeeded after a score run's {outcome}.",
    )
    def sensor(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run
        if PUBLISHES_ITSELF_TAG in run.tags:
            return dg.SkipReason(f"run {run.run_id} is published by whoever started it")
        if _is_interrupted_and_tried_again(run):
            return dg.SkipReason(f"run {run.run_id} was interrupted; it is tried again, and published then")
        return dg.RunRequest(
            run_key=run.run_id, tags={SOURCE_RUN_TAG: run.run_id}, run_config=same_clock(run.run_config)
        )

    return sensor


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Messages about runs that ended, whoever started them: what failed, what works again, checks that "
    "changed.",
)
def tell_of_runs(context: dg.SensorEvaluationContext, operations: dg.ResourceParam[Operations]) -> dg.SkipReason:
    """Note what is to be said about each run once, in the order in which they ended."""
    if context.cursor is None:
        context.update_cursor(EndedRuns.from_now(Clock.wall_time()).to_json())
        return dg.SkipReason("runs that end from now on are told")
    cursor = EndedRuns.from_json(context.cursor)
    records = cursor.new(context.instance)
    for record in records:
        run = record.dagster_run
        outcome = outcome_of(run.job_name, run.run_id, _events(context.instance, run.run_id))
        with operations.transaction() as connection:
            tell_run(connection, outcome, Clock.wall_time())
        cursor = cursor.after(record)
        context.update_cursor(cursor.to_json())
    return dg.SkipReason(f"noted {len(records)} runs")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[PUBLISH],
    request_job=MONITOR,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at how the models behave once their scores are out.",
)
def monitor_after_publication(context: dg.RunStatusSensorContext) -> dg.RunRequest:
    """A monitoring run for each publication."""
    run = context.dagster_run
    return dg.RunRequest(run_key=run.run_id, tags={SOURCE_RUN_TAG: run.run_id}, run_config=same_clock(run.run_config))


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Messages about assets whose freshness changed, and about the age of the scores.",
)
def tell_of_freshness(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> dg.SkipReason:
    """Note each change once."""
    now = Clock.wall_time()
    states = freshness_states(context.instance, WATCHED)
    speaking = voices(operations, now, settings)
    waits = speaking is not None and rules_wait(speaking, first_scoring_asked(context.instance), now, settings)
    patience = settings.staleness.patience
    with operations.transaction() as connection:
        tell_freshness(connection, states, now, patience)
        if speaking is not None and not waits:
            tell_tier(connection, speaking.tier, speaking.since, now, patience)
    return dg.SkipReason("noted what changed")


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Delivers the messages of the outbox; what is down gets them later.",
)
def deliver_messages(settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]) -> dg.SkipReason:
    """Deliver what is due."""
    chosen = settings.notifications
    report = deliver_due(operations, senders_of(chosen), chosen, Clock.wall_time, partial(zone_of_sites, settings))
    return dg.SkipReason(f"{report.sent} sent, {report.failed} failed, {report.waiting} waiting")


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Shows that the daemon runs and this code loads; `fridge-assets health` looks at it.",
)
def pulse(operations: dg.ResourceParam[Operations]) -> dg.SkipReason:
    """Beat."""
    with operations.transaction() as connection:
        beat(connection, AUTOMATION, Clock.wall_time())
    return dg.SkipReason("alive")


def _is_interrupted_and_tried_again(run: dg.DagsterRun) -> bool:
    interrupted = run.tags.get(RUN_FAILURE_REASON_TAG) == RunFailureReason.UNEXPECTED_TERMINATION.value
    return interrupted and run.tags.get(WILL_RETRY_TAG) == "true"


def same_clock(run_config: Mapping[str, Any]) -> dict[str, Any]:
    """Run config that sets the clock as ``run_config`` does, so that recorded data is published at its own time."""
    clock = run_config.get("resources", {}).get("clock")
    return {"resources": {"clock": clock}} if clock else {}


def _events(instance: dg.DagsterInstance, run_id: str) -> Iterable[dg.DagsterEvent]:
    return [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event is not None]


SENSORS = (
    *(publish_after(status, outcome) for status, outcome in _ENDED.items()),
    switch_to_fallback,
    monitor_after_publication,
    report_stream,
    refresh_status_after_changes,
    watch_deadlines,
    tell_of_runs,
    tell_of_freshness,
    deliver_messages,
    deliver_work_orders,
    free_held_pools,
    pulse,
)

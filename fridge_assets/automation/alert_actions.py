"""Actions on alerts as jobs, so that they can be taken in the UI: the same as `alerts` commands (SPEC 6)."""

from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from fridge_assets.alerting.act import Schedule, act
from fridge_assets.alerting.actions import ActionRequest
from fridge_assets.automation.people import action_job, actor_of, refusals
from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.core.moments import parse_moment
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations


class AlertActionConfig(dg.Config):
    """Which alert, who acts, and why."""

    alert: str = Field(description="Alert id, or its beginning")
    by: str = Field("", description="Who acts; empty for the Dagster run")
    note: str = Field("", description="Why; the alert's story keeps it")
    expected_revision: int | None = Field(None, description="Only if the alert is still at this revision")


class MaintenanceConfig(AlertActionConfig):
    """The same, and when maintenance is."""

    starts_at: str = Field("", description="When it begins, ISO 8601; empty for now")
    hours: float = Field(2.0, gt=0, description="How long it takes")


def _take(
    context: dg.OpExecutionContext,
    config: AlertActionConfig,
    settings: Settings,
    operations: Operations,
    action: str,
) -> None:
    """Act, and note it on the alerts; what is refused fails the step with a sentence."""
    now = Clock.wall_time()
    actor = actor_of(context, config.by)
    request = ActionRequest(actor, now, config.note.strip(), config.expected_revision)
    with refusals():
        schedule: Schedule | None = None
        if isinstance(config, MaintenanceConfig):
            begins = parse_moment(config.starts_at, "starts_at") if config.starts_at else now
            schedule = (begins, begins + timedelta(hours=config.hours))
        acted = act(operations, config.alert, action, request, settings.alerts, schedule)
    alert = acted.alert.iloc[0]
    said = (
        f"{action.replace('_', ' ')} by {actor}: alert {alert['alert_id']} is {alert['status']} at "
        f"{alert['escalation_level']}"
    )
    metadata: dict[str, Any] = {
        "alert": alert["alert_id"],
        "device": alert["device_id"],
        "status": alert["status"],
        "level": alert["escalation_level"],
        "revision": int(alert["revision"]),
        "note": request.note,
    }
    context.log_event(dg.AssetObservation(DEVICE_ALERTS.name, description=said, metadata=metadata))


def _job(name: str, action: str, description: str) -> dg.JobDefinition:
    @dg.op(name=name, description=description)
    def take(
        context: dg.OpExecutionContext,
        config: AlertActionConfig,
        settings: dg.ResourceParam[Settings],
        operations: dg.ResourceParam[Operations],
    ) -> None:
        _take(context, config, settings, operations, action)

    return action_job(take, AlertActionConfig)


@dg.op(
    name="schedule_maintenance",
    description="Schedule maintenance: a work order, and a window in which the device raises nothing.",
)
def _maintain(
    context: dg.OpExecutionContext,
    config: MaintenanceConfig,
    settings: dg.ResourceParam[Settings],
    operations: dg.ResourceParam[Operations],
) -> None:
    _take(context, config, settings, operations, "maintain")


ALERT_ACTION_JOBS = (
    _job("acknowledge_alert", "acknowledge", "Take an alert: from now on no deadline runs."),
    _job("start_alert_work", "start", "Say that somebody is working on an alert."),
    action_job(_maintain, MaintenanceConfig),
    _job("resolve_alert", "resolve", "Close an alert that was a real failure and is repaired."),
    _job("mark_false_positive", "false_positive", "Close an alert that was no failure."),
    _job("confirm_alert", "confirm", "Say of an alert that is closed that it was a real failure."),
    _job("escalate_alert", "escalate", "Hand an alert to the next level and tell them."),
)

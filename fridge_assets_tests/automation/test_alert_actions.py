"""Actions on alerts as jobs: the same as the commands, noted on the asset of the alerts (SPEC 6)."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pandas as pd
import pytest

from fridge_assets.alerting.store import alert_of, apply, events_of_alerts
from fridge_assets.automation.alert_actions import ALERT_ACTION_JOBS
from fridge_assets.definitions import build_definitions
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, silences
from fridge_assets_tests.alerting.fleet import Fleet, score


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def alert(operations: Operations) -> str:
    generated = Fleet().run(score("d1", 0, 0.75))
    due = pd.Timestamp.now("UTC").as_unit("us") + timedelta(hours=4)
    generated.new["sla_deadline"] = generated.new["next_escalation_at"] = due
    with operations.transaction() as connection:
        apply(connection, generated)
    return str(generated.new["alert_id"].iloc[0])


def run(settings: Settings, instance: dg.DagsterInstance, name: str, **config: object) -> dg.ExecuteInProcessResult:
    job = build_definitions(settings).resolve_job_def(f"action_{name}")
    return job.execute_in_process(config, instance=instance, raise_on_error=False)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    return str(failed.step_failure_data.user_failure_data.description)


@pytest.mark.parametrize(
    ("jobs", "status", "action"),
    [
        (["acknowledge_alert"], "ACKNOWLEDGED", "acknowledge"),
        (["start_alert_work"], "IN_PROGRESS", "start"),
        (["schedule_maintenance"], "ACKNOWLEDGED", "maintain"),
        (["resolve_alert"], "RESOLVED", "resolve"),
        (["mark_false_positive"], "FALSE_POSITIVE", "false_positive"),
        (["mark_false_positive", "confirm_alert"], "RESOLVED", "confirm"),
        (["escalate_alert"], "OPEN", "escalate"),
    ],
)
def test_a_job_acts_and_says_so_on_the_alerts(
    settings: Settings,
    operations: Operations,
    instance: dg.DagsterInstance,
    alert: str,
    jobs: list[str],
    status: str,
    action: str,
) -> None:
    for name in jobs:
        result = run(settings, instance, name, alert=alert[:8], by="ann", note="because")
        assert result.success
    with operations.read() as connection:
        assert alert_of(connection, alert)["status"].tolist() == [status]
        last = events_of_alerts(connection, [alert]).iloc[-1]
    assert last[["actor", "action", "note"]].tolist() == ["ann", action, "because"]
    observed = result.get_asset_observation_events()[-1].asset_observation_data.asset_observation
    assert observed.asset_key == dg.AssetKey("device_alerts")
    assert observed.description == (
        f"{action.replace('_', ' ')} by ann: alert {alert} is {status} at {'L2' if action == 'escalate' else 'L1'}"
    )
    assert observed.metadata["revision"].value == 1 + len(jobs)


def test_a_refusal_fails_the_run_with_its_sentence(
    settings: Settings, instance: dg.DagsterInstance, alert: str
) -> None:
    result = run(settings, instance, "confirm_alert", alert=alert)
    assert not result.success
    assert failure_of(result).startswith(f"an alert that is OPEN cannot take the action 'confirm': alert {alert[:8]}")
    assert result.get_asset_observation_events() == []
    outdated = run(settings, instance, "resolve_alert", alert=alert, expected_revision=4)
    assert "is at revision 1, not 4" in failure_of(outdated)


def test_without_a_name_the_run_is_who_acted(
    settings: Settings, operations: Operations, instance: dg.DagsterInstance, alert: str
) -> None:
    result = run(settings, instance, "acknowledge_alert", alert=alert)
    with operations.read() as connection:
        actors = events_of_alerts(connection, [alert])["actor"].tolist()
    assert actors[-1] == f"Dagster run {result.run_id[:8]}"


def test_maintenance_begins_and_lasts_as_configured(
    settings: Settings, operations: Operations, instance: dg.DagsterInstance, alert: str
) -> None:
    config = {"alert": alert, "starts_at": "2030-06-02T08:00Z", "hours": 1.5}
    assert run(settings, instance, "schedule_maintenance", **config).success
    with operations.read() as connection:
        (window,) = connection.execute(silences.select()).all()
    assert (window.starts_at.isoformat(), window.ends_at - window.starts_at) == (
        "2030-06-02T08:00:00+00:00",
        timedelta(minutes=90),
    )
    refused = run(settings, instance, "schedule_maintenance", **config | {"starts_at": "noon"})
    assert "starts_at is 'noon', not a moment" in failure_of(refused)


def test_every_job_says_what_it_does() -> None:
    assert all((job.description or "").endswith(".") for job in ALERT_ACTION_JOBS)

"""Dagster's own freshness daemon, over the real graph: what it says of an asset as its data grow old (SPEC 4)."""

import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.freshness import FreshnessDaemon

from fridge_assets_tests.automation.test_definitions import FRESHNESS
from fridge_assets_tests.scenarios.small_fleet import graph_of, settings_of

ORIGIN = InProcessCodeLocationOrigin(
    LoadableTargetOrigin(module_name="fridge_assets.definitions"), location_name="fridge_assets"
)
MARGIN = timedelta(minutes=2)
WARN, FAIL = 0, 1
LOOKS = (
    (WARN, -MARGIN, "PASS"),
    (WARN, MARGIN, "WARN"),
    (FAIL, -MARGIN, "WARN"),
    (FAIL, MARGIN, "FAIL"),
    (WARN, -MARGIN, "PASS"),
)
"""Limit of the policy, distance of the age from it, and what the daemon then says."""


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")
def test_each_asset_passes_warns_and_fails_at_the_ages_of_its_policy(tmp_path: Path) -> None:
    with (
        graph_of(settings_of(tmp_path)) as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(ORIGIN)) as workspace,
    ):
        assert set(states_after(workspace, instance).values()) == {"UNKNOWN"}
        for limit, beyond, expected in LOOKS:
            for name, limits in FRESHNESS.items():
                age = limits[limit] + beyond
                materialized(instance, name, age)
            assert states_after(workspace, instance) == dict.fromkeys(FRESHNESS, expected)


def materialized(instance: dg.DagsterInstance, asset: str, age: timedelta) -> None:
    """Record a materialization of ``asset`` that is ``age`` old."""
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name="test",
        event_specific_data=StepMaterializationData(dg.AssetMaterialization(asset)),
    )
    instance.report_dagster_event(event, run_id="", timestamp=time.time() - age.total_seconds())


def states_after(workspace: WorkspaceProcessContext, instance: dg.DagsterInstance) -> dict[str, str]:
    """What the daemon says of each asset with a policy after one look."""
    list(FreshnessDaemon().run_iteration(workspace))
    records = instance.get_freshness_state_records([dg.AssetKey(name) for name in FRESHNESS])
    return {key.to_user_string(): record.freshness_state.value for key, record in records.items()}

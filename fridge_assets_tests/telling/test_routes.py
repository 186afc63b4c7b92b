"""Who is told about which part of the graph (SPEC 4)."""

import pytest

from fridge_assets.automation.jobs import JOBS
from fridge_assets.definitions import build_definitions
from fridge_assets.scoring.model_input import FeaturesStale
from fridge_assets.settings import Settings
from fridge_assets.telling.routes import LATE_DATA, channel_of


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("ingest", "data_platform"),
        ("clean_sensor_readings", "data_platform"),
        ("device_features", "data_platform"),
        ("isolation_forest_scores", "ml"),
        ("model_scores", "ml"),
        ("canary_comparison", "ml"),
        ("autoencoder_model", "ml"),
        ("device_alerts", "operations"),
        ("fleet_status", "operations"),
        ("rules_based_fallback", "operations"),
        ("score_hourly", "ml"),
        ("publish", "operations"),
        ("fallback", "operations"),
        ("retention", "operations"),
        ("streaming_alerts", "operations"),
    ],
)
def test_each_part_of_the_graph_has_the_people_who_look_after_it(name: str, channel: str) -> None:
    assert channel_of(name) == channel


def test_a_model_that_was_given_no_young_features_is_a_matter_of_the_data_platform() -> None:
    assert FeaturesStale.__name__ == LATE_DATA, "renamed: late data would be told to the wrong people"
    assert channel_of("isolation_forest_scores", LATE_DATA) == "data_platform"
    assert channel_of("isolation_forest_scores", "ContractViolation") == "ml"


def test_whatever_step_or_job_fails_it_is_told_to_those_who_look_after_parts(settings: Settings) -> None:
    graph = build_definitions(settings)
    jobs = [graph.resolve_job_def(job.name) for job in JOBS]
    names = {job.name for job in jobs} | {node.name for job in jobs for node in job.nodes}
    told = {channel_of(name, error) for name in names for error in ("", LATE_DATA)}
    assert told == {"data_platform", "operations", "ml"}

"""Who is told about which part of the graph (SPEC 4)."""

from collections.abc import Mapping

import dagster as dg
import pytest

from fridge_assets.scoring.model_input import FeaturesStale
from fridge_assets.telling.routes import LATE_DATA, OWNER_TAG, Routes
from fridge_assets_tests.telling.graph import GRAPH, ROUTES


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("ingest", "data_platform"),
        ("clean_sensor_readings", "data_platform"),
        ("device_features", "data_platform"),
        ("take_in_readings", "data_platform"),
        ("isolation_forest_scores", "ml"),
        ("model_scores", "ml"),
        ("canary_comparison", "ml"),
        ("autoencoder_model", "ml"),
        ("score_hourly", "ml"),
        ("train", "ml"),
        ("device_alerts", "operations"),
        ("fleet_status", "operations"),
        ("rules_based_fallback", "operations"),
        ("streaming_alerts", "operations"),
        ("device_status_agrees_with_alerts", "operations"),
        ("publish", "operations"),
        ("fallback", "operations"),
        ("retention", "operations"),
        ("refresh_changed_status", "operations"),
        ("refresh_status", "operations"),
        ("a job of last year", "ml"),
    ],
)
def test_each_part_of_the_graph_has_the_people_who_look_after_it(name: str, channel: str) -> None:
    assert ROUTES.channel_of(name) == channel


def test_every_asset_is_told_to_its_owner() -> None:
    for asset in GRAPH.asset_graph.asset_nodes:
        (owner,) = asset.owners
        assert ROUTES.channel_of(asset.key.to_user_string()) == owner.removeprefix("team:").replace("-", "_")


def graph_of(owners: Mapping[str, str]) -> dg.RepositoryDefinition:
    """Assets in a row, each with its owner, a job of all of them and one that makes no asset."""
    made: list[dg.AssetsDefinition] = []
    for name, owner in owners.items():

        @dg.asset(name=name, owners=[owner], deps=made[-1:])
        def asset() -> None: ...

        made.append(asset)

    @dg.op(tags={OWNER_TAG: "team:on-call"})
    def sweep() -> None: ...

    @dg.job
    def clean_up() -> None:
        sweep()

    everything = dg.define_asset_job("everything", selection="*")
    return dg.Definitions(assets=made, jobs=[everything, clean_up]).get_repository_def()


def test_an_asset_that_gets_another_owner_is_told_to_that_one_and_so_is_the_job_that_ends_with_it() -> None:
    for last in ("operations", "ml"):
        routes = Routes.of_graph(graph_of({"first": "team:data-platform", "second": f"team:{last}"}))
        channels = [routes.channel_of(name) for name in ("first", "second", "everything", "sweep", "clean_up")]
        assert channels == ["data_platform", last, last, "on_call", "on_call"]


def test_an_owner_that_has_no_channel_is_refused() -> None:
    with pytest.raises(KeyError, match="team:marketing"):
        Routes.of_graph(graph_of({"first": "team:marketing"}))


def test_a_model_that_was_given_no_young_features_is_a_matter_of_the_data_platform() -> None:
    assert FeaturesStale.__name__ == LATE_DATA, "renamed: late data would be told to the wrong people"
    assert ROUTES.channel_of("isolation_forest_scores", LATE_DATA) == "data_platform"
    assert ROUTES.channel_of("isolation_forest_scores", "ContractViolation") == "ml"

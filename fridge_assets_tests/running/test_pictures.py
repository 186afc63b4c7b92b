"""The newest pictures of the assets, as their descriptions show them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import dagster as dg
import pytest
from starlette.requests import Request
from starlette.routing import Match

from fridge_assets.definitions import build_definitions
from fridge_assets.running.pictures import picture_route
from fridge_assets.settings import Settings
from fridge_assets.steps.results import picture, with_pictures

OLD, NEW = b"\x89PNG old", b"\x89PNG new"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def shown(instance: dg.DagsterInstance, title: str) -> tuple[str, bytes]:
    """Media type and content of what the description of the asset shows."""
    address = with_pictures("Scores.", "scores", title).rsplit("(", 1)[-1].removesuffix(")")
    route = picture_route(instance)
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": unquote(address), "headers": []}
    matched, found = route.matches(scope)
    assert matched == Match.FULL
    answer = route.endpoint(Request({**scope, **found}))
    return answer.headers["content-type"], answer.body


def test_the_newest_picture_is_shown_whether_something_new_was_made_or_not(instance: dg.DagsterInstance) -> None:
    said = {"rows": 3, "score histogram": picture(OLD, "score histogram")}
    instance.report_runless_asset_event(dg.AssetMaterialization("scores", metadata=said))
    assert shown(instance, "score histogram") == ("image/png", OLD)
    said = {"score histogram": picture(NEW, "score histogram")}
    instance.report_runless_asset_event(dg.AssetObservation("scores", metadata=said))
    assert shown(instance, "score histogram") == ("image/png", NEW)


def test_a_picture_is_found_by_how_its_name_begins(instance: dg.DagsterInstance) -> None:
    said = {"forest 1.1.0 with 1.0.0: pass": dg.MetadataValue.md("text"), "forest 1.1.0 with 1.0.0": picture(NEW, "x")}
    instance.report_runless_asset_event(dg.AssetMaterialization("scores", metadata=said))
    assert shown(instance, "forest ") == ("image/png", NEW)


def test_before_there_is_a_picture_nothing_is_shown(instance: dg.DagsterInstance) -> None:
    assert shown(instance, "score histogram")[0].startswith("image/svg+xml")
    said = {"score histogram": dg.MetadataValue.md("none")}
    instance.report_runless_asset_event(dg.AssetMaterialization("scores", metadata=said))
    assert shown(instance, "score histogram")[0].startswith("image/svg+xml")


def test_assets_with_pictures_show_them_in_their_descriptions(tmp_path_factory: pytest.TempPathFactory) -> None:
    graph = build_definitions(Settings(data_dir=tmp_path_factory.mktemp("graph")))
    described = {spec.key.to_user_string(): spec.description or "" for spec in graph.resolve_all_asset_specs()}
    for name in ("isolation_forest_scores", "isolation_forest_model", "device_alerts", "model_monitoring"):
        assert f"](/pictures/{name}/" in described[name]

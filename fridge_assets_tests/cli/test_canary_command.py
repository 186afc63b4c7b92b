"""`models canary`: what is to be done next is looked up when it is said (SPEC 3)."""

from datetime import UTC, datetime

from fridge_assets.canary.report import compare
from fridge_assets.canary.store import commit_comparisons
from fridge_assets.contracts import CANARY_SCORES
from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import Request
from fridge_assets_tests.canary.given import given, healthy, near
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.small_fleet import Place

FAMILY = "isolation_forest"


def stage(place: Place, version: str) -> None:
    request = Request("ann", datetime.now(UTC), "")
    place.models.deployments.decide(FAMILY, lambda state, _: decide.stage(state, version, request))


def test_a_version_is_asked_for_until_one_is_staged_and_then_its_comparison(trained: Place) -> None:
    code, said, error = typed(trained.root, "models", "canary")
    assert (code, error) == (0, "")
    assert "No version is staged: " in said
    assert "models stage FAMILY VERSION" in said
    stage(trained, "1.1.0")
    for words in (("models", "canary"), ("models", "canary", FAMILY)):
        code, said, error = typed(trained.root, *words)
        assert (code, error) == (0, "")
        assert f"{FAMILY} 1.1.0 is staged and was not compared yet: " in said
        assert said.rstrip().endswith(f"models canary {FAMILY} --run --as-of latest")
        assert "models stage" not in said


def test_another_family_is_not_spoken_of(trained: Place) -> None:
    stage(trained, "1.1.0")
    _, said, _ = typed(trained.root, "models", "canary", "autoencoder")
    assert "No version is staged: " in said


def test_a_comparison_is_told_with_its_metrics_and_what_is_to_be_expected(trained: Place) -> None:
    report = compare(given(near(healthy(), seed=2)), trained.settings)
    commit_comparisons(trained.warehouse, report.to_row(), CANARY_SCORES.empty())
    code, said, error = typed(trained.root, "models", "canary", FAMILY)
    assert (code, error) == (0, "")
    for part in (f"{FAMILY} 1.1.0 beside 1.0.0", "top overlap", "the budget is 144", "entered the highest: "):
        assert part in said

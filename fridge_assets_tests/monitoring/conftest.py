"""The small fleet right after training, with the newest window scored by both hourly families."""

from pathlib import Path

import pytest

from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.registry.devices import effective_registry, with_cohort
from fridge_assets.scoring.score import commit_scores
from fridge_assets.scoring.serve import ScoreTarget, score_target
from fridge_assets_tests.scenarios.fixtures import trained_template
from fridge_assets_tests.scenarios.small_fleet import TRAINED_HOUR, Place, copy_of, cycle_time, hour

__all__ = ["trained_template"]

WINDOW = hour(TRAINED_HOUR)
NOW = cycle_time(TRAINED_HOUR)


@pytest.fixture(scope="session")
def scored_template(trained_template: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The scored fleet of this session; never change it, copy it."""
    place = copy_of(trained_template, tmp_path_factory.mktemp("scored") / "data")
    registry = with_cohort(effective_registry(place.root, place.warehouse))
    for family in HOURLY_FAMILIES:
        served = score_target(ScoreTarget(family), place.models, place.warehouse, registry, NOW, place.settings)
        commit_scores(place.warehouse, served.reports, "run-1", whole_window=True)
    return place


@pytest.fixture
def scored(scored_template: Place, tmp_path: Path) -> Place:
    """A folder with one scored window."""
    return copy_of(scored_template, tmp_path / "data")

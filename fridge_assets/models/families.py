"""The model families there are; assets and commands are made by a loop over them (SPEC 2.1)."""

from fridge_assets.models.base import ScoreModel
from fridge_assets.models.isolation_forest import FleetForest
from fridge_assets.models.statistical_baseline import StatisticalBaseline

FAMILIES: dict[str, type[ScoreModel]] = {model.family: model for model in (FleetForest, StatisticalBaseline)}
"""Family name → class."""


def families() -> dict[str, type[ScoreModel]]:
    """Family name → class, in the order in which they are shown."""
    return dict(FAMILIES)

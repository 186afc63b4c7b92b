"""The model families there are; assets and commands are made by a loop over them (SPEC 2.1)."""

from fridge_assets.models.autoencoder import CohortAutoencoder
from fridge_assets.models.base import ScoreModel
from fridge_assets.models.dbscan_cohort import DbscanCohort
from fridge_assets.models.isolation_forest import FleetForest
from fridge_assets.models.statistical_baseline import StatisticalBaseline

FAMILIES: dict[str, type[ScoreModel]] = {
    model.family: model for model in (FleetForest, StatisticalBaseline, CohortAutoencoder, DbscanCohort)
}
"""Family name → class."""

HOURLY_FAMILIES = (FleetForest.family, StatisticalBaseline.family)
"""Families that score every hour; the others score once a day."""

RUNS_PER_DAY = {family: 24 if family in HOURLY_FAMILIES else 1 for family in FAMILIES}
"""Family name → how often it scores."""


def families() -> dict[str, type[ScoreModel]]:
    """Family name → class, in the order in which they are shown."""
    return dict(FAMILIES)

"""The model families there are; assets and commands are made by a loop over them (SPEC 2.1)."""

from fridge_assets.core.names import unknown
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

FAMILY_SQL = "regexp_replace(model_id, '_v[0-9]+$', '')"
"""SQL of a score row's family: ``model_id`` without its major version."""

HOURLY_SQL = f"{FAMILY_SQL} IN ({', '.join(repr(family) for family in HOURLY_FAMILIES)})"
"""SQL of whether a score row is of a family that scores every hour."""

SPEAKING_SQL = f"NOT list_contains($paused::VARCHAR[], {FAMILY_SQL})"
"""SQL of whether a score row is of a family that is not paused; ``$paused`` is a list of families."""

RUNS_PER_DAY = {family: 24 if family in HOURLY_FAMILIES else 1 for family in FAMILIES}
"""Family name → how often it scores."""


def require_family(family: str) -> None:
    """Refuse a family that does not exist, naming those that do."""
    if family not in FAMILIES:
        raise unknown("model family", family, FAMILIES)


def families() -> dict[str, type[ScoreModel]]:
    """Family name → class, in the order in which they are shown."""
    return dict(FAMILIES)

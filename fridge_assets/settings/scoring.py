"""Settings of the scoring."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class ScoringSettings(Group):
    """Model input and scores (SPEC 1.5, 2)."""

    min_completeness: float = Field(0.5, ge=0, le=1, description="rows with a lower own_completeness are left out")
    min_reading_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="rows with fewer readings, of those that the device's interval lets expect, are left out",
    )
    imputation_memory: timedelta = Field(
        timedelta(hours=24), description="how old a device's own value may be to stand in for a null"
    )
    min_coverage: float = Field(0.99, ge=0, le=1, description="share of active devices a run should score")
    top_contributors: int = Field(5, ge=1, le=5, description="features named per flagged row")
    unknown_state_score: float = Field(
        0.70,
        ge=0,
        le=1,
        description="most that a model says of an operating state, or of a cohort, that it has not seen in training",
    )
    step_timeout: timedelta = Field(
        timedelta(minutes=10), description="a model that scores for longer hangs, and its process is killed"
    )

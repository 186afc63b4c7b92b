"""Settings of the quality of the alerts."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class QualitySettings(Group):
    """What the labels say of the alerts (SPEC 6)."""

    span: timedelta = Field(timedelta(days=30), description="alerts told within this span are judged")
    min_labels: int = Field(20, ge=1, description="on fewer labels nothing is advised")
    max_false_positives: float = Field(
        0.25, gt=0, lt=1, description="share of false positives from which another threshold is advised"
    )
    threshold_step: float = Field(0.01, gt=0, lt=1, description="advised thresholds are multiples of this")

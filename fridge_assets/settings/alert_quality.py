"""Settings of the quality of the alerts, and of how many people can keep up with."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from fridge_assets.settings._group import Group


class QualitySettings(Group):
    """What the labels say of the alerts (SPEC 6)."""

    span: timedelta = Field(timedelta(days=30), description="alerts told within this span are judged")
    min_labels: int = Field(20, ge=1, description="on fewer labels nothing is advised")
    max_false_positives: float = Field(
        0.25, gt=0, lt=1, description="share of false positives from which another threshold is advised"
    )
    threshold_step: float = Field(0.01, gt=0, lt=1, description="advised thresholds are multiples of this")


class AlarmHealthSettings(Group):
    """How many notifications people can keep up with; limits of ANSI/ISA-18.2-2016, clause 16, and EEMUA 191."""

    span: timedelta = Field(timedelta(days=30), gt=timedelta(0), description="notifications of this span are counted")
    per_hour: float = Field(6.0, gt=0, description="so many an hour are likely to be acceptable to one operator")
    peak_span: timedelta = Field(timedelta(minutes=10), gt=timedelta(0), description="peaks and floods are within this")
    peak: int = Field(10, ge=1, description="more than so many for one operator within that span are a flood")
    flood_ends: int = Field(5, ge=1, description="which goes on until there are fewer than this")
    flood_share: float = Field(0.01, ge=0, lt=1, description="share of the time that may be flood")
    chatter_openings: int = Field(3, ge=2, description="so many openings of one device are chattering")
    chatter_span: timedelta = Field(timedelta(hours=1), gt=timedelta(0), description="within this span")
    standing_after: timedelta = Field(
        timedelta(hours=24), gt=timedelta(0), description="an incident that is told and open for longer is standing"
    )
    worst_devices: int = Field(10, ge=1, description="devices whose share of the notifications is looked at")
    worst_share: float = Field(0.05, gt=0, le=1, description="share that they may have together")

    @model_validator(mode="after")
    def _floods_end(self) -> Self:
        if self.flood_ends > self.peak:
            raise ValueError(
                f"flood_ends {self.flood_ends} is above peak {self.peak}: a flood would end before it has begun"
            )
        return self

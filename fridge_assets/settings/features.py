"""Settings of the features."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class FeatureSettings(Group):
    """The 15-minute windows (SPEC 1.4)."""

    window: timedelta = Field(timedelta(minutes=15), description="length of a feature window")
    max_age: timedelta = Field(
        timedelta(minutes=45),
        description="features older than this are not scored (window + 30 min SLA, SPEC 4)",
    )
    interval_span: timedelta = Field(
        timedelta(days=1), description="a device's interval is measured over the windows of this span"
    )
    shortest_interval: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(0), description="devices count as sending no more often than this"
    )
    longest_interval: timedelta = Field(
        timedelta(hours=1), gt=timedelta(0), description="nor less often than this, where limits depend on it"
    )
    readings_per_batch: int = Field(
        4_000_000, ge=1, description="readings turned into features and committed at once; more need more memory"
    )

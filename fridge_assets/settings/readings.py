"""Settings of the readings."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class ReadingSettings(Group):
    """Landing files to clean readings (SPEC 1.2, 1.3)."""

    allowed_lateness: timedelta = Field(timedelta(minutes=2), description="a window closes this long after its end")
    clock_drift: timedelta = Field(
        timedelta(hours=24),
        description="a device clock further than this from ingestion time is not believed",
    )
    sensor_gap_memory: timedelta = Field(
        timedelta(hours=24), description="a sensor heard from within this span and now null is a gap"
    )
    batch_bytes: int = Field(
        300_000_000, gt=0, description="landing files are ingested in batches of about this many bytes"
    )
    settle: timedelta = Field(
        timedelta(seconds=2),
        description="a file younger than this is looked at twice, in case it is still growing",
    )

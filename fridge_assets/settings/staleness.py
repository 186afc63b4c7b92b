"""Settings of the staleness tiers and of the rules that stand in for the models."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class StalenessSettings(Group):
    """Age of the newest good scores and what it means (SPEC 4)."""

    stale: timedelta = timedelta(hours=1)
    very_stale: timedelta = timedelta(hours=2)
    expired: timedelta = timedelta(hours=4)
    patience: timedelta = Field(
        timedelta(minutes=10),
        description="what is late for less is not told: between two hourly runs scores are stale for a minute",
    )
    first_scoring: timedelta = Field(
        timedelta(minutes=10),
        description="how long the rules wait for the first scores of a fleet whose models have just been released",
    )
    daily_stale: timedelta = Field(timedelta(hours=25), description="a daily model should have scored again by then")
    daily_expired: timedelta = Field(
        timedelta(hours=26), description="a daily model's latest scores count in hourly runs while younger than this"
    )
    stream_late: timedelta = Field(timedelta(minutes=2), description="the stream's pulse is reported every half minute")
    stream_gone: timedelta = Field(timedelta(minutes=5), description="without one for this long operations are told")

    @property
    def patient_stale(self) -> timedelta:
        """Age from which people are told that scores are delayed."""
        return self.stale + self.patience


class FallbackSettings(Group):
    """Fixed limits that stand in for the models while their scores are too old (SPEC 4.1)."""

    max_evaporator_temperature: float = Field(0.0, description="mean evaporator temperature above this, °C")
    max_vibration: float = Field(20.0, description="greatest compressor vibration above this, mm/s RMS")
    min_low_pressure: float = Field(100.0, description="mean low-side pressure below this, kPa")
    max_current: float = Field(35.0, description="greatest compressor current above this, A")

"""Settings of the features."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class OperatingSettings(Group):
    """How a machine's operation is recognised in its readings (SPEC 1.4)."""

    running_current: float = Field(
        0.25, gt=0, lt=1, description="share of the greatest current since yesterday from which a compressor runs"
    )
    idle_current: float = Field(0.2, ge=0, description="A; a compressor that draws less does not run")
    running_vibration: float = Field(0.5, gt=0, description="mm/s; the same by vibration, where no current is measured")
    running_discharge: float = Field(
        15.0, gt=0, description="K of discharge above ambient temperature; the same where neither is measured"
    )
    running_pressure_ratio: float = Field(
        4.0, gt=1, description="high over low side; the same where only pressures are measured"
    )
    equalised_pressure_ratio: float = Field(
        1.25, gt=1, description="below this the compressor stands; between the two ratios nobody can say"
    )
    reading_holds: timedelta = Field(
        timedelta(minutes=5), description="a reading stands for the time until the next one, but no longer than this"
    )
    min_coverage: float = Field(
        0.6, gt=0, le=1, description="share of a window that readings must stand for; with less, times are null"
    )
    standstill_after: timedelta = Field(
        timedelta(hours=3), description="a compressor that has not run for this long is at a standstill"
    )
    pull_down_rate: float = Field(0.3, gt=0, description="°C/min; a coil that cools faster is pulled down")
    pull_down_run: float = Field(
        0.8,
        gt=0,
        le=1,
        description="share of a window in which the compressor must run for the coil's rate to count",
    )
    frost_below: float = Field(-2.0, description="°C; frost forms on a coil that has been this cold since yesterday")
    melting: float = Field(-0.5, description="°C; the frost of a coil that is warmer, its compressor standing, melts")
    defrost_rise: float = Field(
        15.0, gt=0, description="K above its coldest since yesterday; a colder coil is in defrost from there on"
    )
    defrost_shortest: timedelta = Field(
        timedelta(minutes=3), description="a coil that is warm for less time is not in defrost"
    )
    defrost_longest: timedelta = Field(
        timedelta(hours=1),
        description="without a sensor of it, a compressor that stands for longer is not in a defrost",
    )


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
    operating: OperatingSettings = OperatingSettings()

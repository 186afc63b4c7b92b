"""Settings of the stream, of its learned thresholds and of Kafka."""

from datetime import timedelta

from pydantic import Field, field_validator

from fridge_assets.settings._group import Group

ONE_MINUTE = timedelta(minutes=1)
"""Interval of a device of which no other is known."""

WITHIN_INTERVALS = 1.5
"""A fall between two readings is within the span also where a device sends no oftener than that."""


class StreamingSettings(Group):
    """Acute failures, seen in the readings themselves (SPEC 5)."""

    allowed_lateness: timedelta = Field(
        timedelta(minutes=10),
        description="a reading that arrives after a younger one of its device counts up to this distance between them",
    )
    max_gap: timedelta = Field(
        timedelta(seconds=150),
        description="no rule looks across a longer silence of a sensor: one lost reading is bridged, two are not; a "
        "device that does not send every minute may be silent for as many of its own intervals",
    )
    max_interval: timedelta = Field(
        timedelta(minutes=6),
        description="a device that sends less often, with some room for lost readings, is not judged by the rules of "
        "pressure and cooling: they need several readings within minutes",
    )
    pressure_span: timedelta = Field(
        timedelta(minutes=5),
        description="the fall of pressure happens within this span, or between two readings of a device that sends as "
        "rarely; it is not looked for so soon after a defrost",
    )
    consecutive_readings: int = Field(
        3,
        ge=1,
        description="a pressure that has fallen and an evaporator that warms show it in this many readings in a row; "
        "what is held for as many readings belongs to the band of the device",
    )
    rise_span: timedelta = Field(timedelta(minutes=3), description="the evaporator warms for at least this long")
    defrost_recovery: timedelta = Field(
        timedelta(minutes=15), description="a defrost and this long after it do not count as cooling loss"
    )
    vibration_span: timedelta = Field(
        timedelta(hours=24), description="span of a device's usual vibration, and of its bands of pressure and cooling"
    )
    running_vibration: float = Field(
        0.5,
        ge=0,
        description="mm/s; a compressor that vibrates less is at rest, and its usual vibration is that of the readings "
        "in which it runs: over rest and run a machine that runs a third of its time would be at three times its mean "
        "whenever it runs",
    )
    vibration_bucket: timedelta = Field(
        timedelta(minutes=15), description="the usual vibration and the bands move on in steps of this length"
    )
    min_vibration_buckets: int = Field(
        4,
        ge=1,
        description="without readings in as many buckets, an hour, a device has no band, and without readings of a "
        "running compressor in as many no usual vibration",
    )
    pressure_band_margin: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="a lost pressure is lower than the band of the device by this share of it: a healthy display case "
        "was 22 % below everything that it had held in the day before, for three minutes",
    )
    temperature_band_margin: float = Field(
        1.0, ge=0, description="°C by which the evaporator is above its band when the cooling is lost"
    )
    cold_start: timedelta = Field(
        timedelta(hours=20),
        description="with less history within the span of the band a device is new, and its cold-start limits hold, "
        "too: a defrost a day is in no shorter history, and a day has gaps",
    )
    cold_start_pressure_drop: float = Field(
        0.45,
        gt=0,
        lt=1,
        description="fraction by which the pressure of a new device falls at least; compressors that start were seen "
        "to pull it down by 33 to 40 %",
    )
    cold_start_temperature_rise: float = Field(
        20.0, ge=0, description="°C by which the evaporator of a new device is above its band so far"
    )
    no_band_pressure_drop: float = Field(
        0.75,
        gt=0,
        lt=1,
        description="the same fraction for a device in its first hour, which has no band; a freezer that starts after "
        "a defrost pulls its pressure down by up to 71 %",
    )
    no_band_temperature_rise: float = Field(
        30.0,
        ge=0,
        description="°C by which the evaporator of a device in its first hour warms: no defrost brings it that far "
        "without a pause while its ice melts",
    )
    threads: int = Field(2, ge=1, description="DuckDB threads of the stream")
    memory_limit: str = Field("4GB", description="DuckDB memory of the stream; 100,000 devices need about 3 GB")
    poll: timedelta = Field(timedelta(milliseconds=100), description="pause between two looks for new readings")
    batch_bytes: int = Field(
        32_000_000, gt=0, description="landing files are taken in batches of about this many bytes"
    )
    max_file_bytes: int = Field(
        250_000_000, gt=0, description="a larger landing file is history, not a stream, and left to the batch path"
    )
    warm_up: timedelta = Field(
        timedelta(hours=1), description="without a checkpoint the readings that arrived this long before are replayed"
    )
    checkpoint_every: timedelta = Field(timedelta(minutes=2), description="the state is written to disk this often")
    reload_every: timedelta = Field(
        timedelta(seconds=15), description="the registry and its thresholds are looked at this often"
    )
    heartbeat_every: timedelta = Field(timedelta(seconds=5), description="pulse and lag are told this often")
    max_silence: timedelta = Field(timedelta(seconds=60), description="a stream without a pulse for this long is dead")
    told_within: timedelta = Field(
        timedelta(hours=24),
        description="what is found later than this, in delivered history, is stored and told to nobody",
    )
    storm_alerts: int = Field(
        20, ge=1, description="acute alerts within the span that are told one by one; more are a storm, told once"
    )
    storm_span: timedelta = Field(timedelta(minutes=5), description="a storm is over after this long without its rate")
    dead_letters_per_batch: int = Field(
        1000, ge=1, description="unusable readings of one batch that are kept with their reason; all are counted"
    )
    host: str = Field("127.0.0.1", description="where /healthz and /metrics answer")
    port: int = Field(9464, ge=0, le=65535, description="and on which port; 0 takes any that is free")

    @property
    def lookback(self) -> timedelta:
        """How far before a reading the rules look, on a device that sends every minute or more often."""
        return self.defrost_recovery + self.screened

    @property
    def screened(self) -> timedelta:
        """How far before a reading lies what makes it meet a rule: a fall of pressure, the last part of a rise."""
        return self._screened(self.pressure_span, self.max_gap)

    @property
    def coarse_lookback(self) -> timedelta:
        """``lookback`` of a device that sends every ``max_interval``."""
        return self.defrost_recovery + self.coarse_screened

    @property
    def coarse_screened(self) -> timedelta:
        """``screened`` of a device that sends every ``max_interval``."""
        within = max(self.pressure_span, WITHIN_INTERVALS * self.max_interval)
        return self._screened(within, self.max_gap * (self.max_interval / ONE_MINUTE))

    def _screened(self, pressure_span: timedelta, gap: timedelta) -> timedelta:
        return max(pressure_span + (self.consecutive_readings - 1) * gap, self.rise_span + gap) + gap


class LearnedThresholdSettings(Group):
    """How far a threshold that the baseline has learned may be from a rule's default (SPEC 5)."""

    current: tuple[float, float] = Field(
        (30.0, 40.0),
        description="lowest and highest overload current, A: never above the default, which is for the largest "
        "compressors, and not below three quarters of it, so that a peak of a small one is no emergency yet",
    )
    vibration_ratio: tuple[float, float] = Field(
        (3.0, 4.0),
        description="lowest and highest ratio of a vibration spike: never more sensitive than the default, because "
        "single readings scatter more than the means it is learned from; a rise of more than fourfold always counts",
    )
    pressure_drop: tuple[float, float] = Field(
        (0.30, 0.45),
        description="lowest and highest fraction of an acute pressure loss: never more sensitive than the default, for "
        "the same reason; a loss of half the pressure always counts",
    )
    single_reading_deviations: float = Field(
        6.0,
        ge=0,
        description="a threshold is at least this many of a device's usual deviations within a window from its mean",
    )

    @field_validator("current", "vibration_ratio", "pressure_drop")
    @classmethod
    def _positive_and_ordered(cls, limits: tuple[float, float]) -> tuple[float, float]:
        if not 0 < limits[0] <= limits[1]:
            raise ValueError(
                f"the lowest threshold {limits[0]:g} must be positive and not above the highest {limits[1]:g}"
            )
        return limits


class KafkaSettings(Group):
    """Kafka or Event Hubs as the source of the stream, with the ``kafka`` extra."""

    bootstrap_servers: str = Field("", description="host:port, comma-separated; empty: the landing folder is read")
    topic: str = Field("sensor_readings", description="topic of readings, keyed by device_id")
    group: str = Field("fridge-assets-stream", description="consumer group; its members share the partitions")
    client: dict[str, str] = Field(
        {}, description="further settings of the client as JSON, such as security.protocol and sasl.password"
    )
    batch_readings: int = Field(50_000, ge=1, le=1_000_000, description="most readings taken at once")
    answer_within: timedelta = Field(
        timedelta(seconds=30), description="how long Kafka may take to answer, at the start and for each partition"
    )

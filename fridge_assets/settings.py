"""Every tunable of the product, with its unit and its section of the specification.

Override any of them with an environment variable: ``FRIDGE_`` plus the path in capitals, groups joined by
two underscores, for example ``FRIDGE_SCORING__MIN_COMPLETENESS=0.6``.
"""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from fridge_assets.errors import FridgeError
from fridge_assets.moments import check_zone
from fridge_assets.variables import PREFIX, refuse_unknown, secret_names


class Group(BaseModel):
    """A group of settings; immutable, and unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WarehouseSettings(Group):
    """DuckDB and the Parquet files beside it."""

    threads: int = Field(2, ge=1, description="DuckDB threads per connection")
    memory_limit: str = Field("2GB", description="DuckDB memory per connection; beyond it DuckDB spills to disk")
    lock_wait: timedelta = Field(
        timedelta(seconds=20), description="how long to wait for another process to release the DuckDB file"
    )


class DiskSettings(Group):
    """Space on the disk of the data folder."""

    reserve: int = Field(
        100 * 2**20, ge=0, description="bytes that must be free for a run, an ingestion or a simulation to begin"
    )
    little: int = Field(5 * 2**30, ge=0, description="`doctor` warns when fewer bytes than this are free")


class OperationsSettings(Group):
    """The database of alerts and other small mutable state."""

    lock_wait: timedelta = Field(
        timedelta(seconds=20), description="how long to wait for another process to finish writing (SQLite)"
    )


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


class FeatureSettings(Group):
    """The 15-minute windows (SPEC 1.4)."""

    window: timedelta = Field(timedelta(minutes=15), description="length of a feature window")
    max_age: timedelta = Field(
        timedelta(minutes=45),
        description="features older than this are not scored (window + 30 min SLA, SPEC 4)",
    )
    readings_per_batch: int = Field(
        4_000_000, ge=1, description="readings turned into features and committed at once; more need more memory"
    )


class ScoringSettings(Group):
    """Model input and scores (SPEC 1.5, 2)."""

    min_completeness: float = Field(0.5, ge=0, le=1, description="rows with a lower sensor completeness are left out")
    imputation_memory: timedelta = Field(
        timedelta(hours=24), description="how old a device's own value may be to stand in for a null"
    )
    min_coverage: float = Field(0.99, ge=0, le=1, description="share of active devices a run should score")
    top_contributors: int = Field(5, ge=1, le=5, description="features named per flagged row")
    step_timeout: timedelta = Field(
        timedelta(minutes=10), description="a model that scores for longer hangs, and its process is killed"
    )


class CalibrationSettings(Group):
    """What a score means: tail probability to [0, 1] (SPEC 2.2)."""

    anchors: tuple[tuple[float, float], ...] = Field(
        ((1.0, 0.0), (1e-2, 0.60), (3e-4, 0.70), (2e-5, 0.85), (1e-6, 0.95)),
        description="(tail probability, score) pairs; scores are linear in log probability between them",
    )
    threshold: float = Field(0.60, gt=0, lt=1, description="a score above this is flagged")
    tail_share: float = Field(
        0.01, gt=0, lt=0.5, description="share of the sample the generalised Pareto tail is fitted to"
    )
    body_points: int = Field(1000, ge=10, description="quantiles kept below the tail")
    folds: int = Field(3, ge=2, description="time blocks of the cross-fitting that calibrates on unseen windows")


class TrainingSettings(Group):
    """Which windows models learn from (SPEC 2.1)."""

    history: timedelta = Field(timedelta(days=28), description="training looks this far back from the newest window")
    max_rows: int = Field(200_000, ge=1000, description="windows sampled evenly over time and cohorts")
    max_day_rows: int = Field(
        40_000,
        ge=1000,
        description="days sampled instead, for models of day-level behaviour; each averages many windows",
    )
    min_rows: int = Field(32, ge=1, description="fewer usable windows than this and training is refused")
    min_completeness: float = Field(0.7, ge=0, le=1)
    min_readings: int = Field(10, ge=1, description="readings in a window")
    max_flagged_readings: int = Field(5, ge=0, description="readings with a quality flag in a window")
    after_maintenance: timedelta = Field(
        timedelta(hours=48), description="windows this soon after maintenance are left out"
    )
    max_self_cleaning: float = Field(0.10, ge=0, le=0.10, description="at most this share is dropped as contaminated")
    seed: int = 20240615


class ForestSettings(Group):
    """Isolation forest (SPEC 2.1)."""

    trees: int = Field(1500, ge=1, description="so many that another seed names nearly the same strangest devices")
    samples_per_tree: int = Field(1024, ge=2)
    shortlist_trees: int = Field(200, ge=1, description="trees that score every row")
    shortlist_share: float = Field(
        0.05, gt=0, le=1, description="share of rows, the strangest by these, that all trees score"
    )


class BaselineSettings(Group):
    """Statistical baseline (SPEC 2.1)."""

    full_trust: timedelta = Field(
        timedelta(days=1),
        description="with less history of its own a device's statistics are shrunk to its cohort's",
    )
    strongest: int = Field(3, ge=1, description="largest robust z-scores that make up the raw score")
    max_z: float = Field(50.0, gt=1, description="a single z-score counts at most this much")
    prior_windows: int = Field(
        20,
        ge=1,
        description="windows at which a device's own scale counts as much as its cohort's typical one",
    )
    min_scale: float = Field(
        0.25,
        gt=0,
        description="smallest scale of a device, as a share of the fleet's typical within-device scale",
    )
    max_scale: float = Field(
        2.0, gt=1, description="largest own spread of a device, as a multiple of its cohort's typical one"
    )
    min_cohort_devices: int = Field(5, ge=2, description="a cohort with fewer devices uses the fleet's statistics")


class AutoencoderSettings(Group):
    """Autoencoder (SPEC 2.1)."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to train; auto takes a graphics processor when torch finds one; scoring needs none"
    )
    min_cohort_devices: int = Field(50, ge=2, description="a cohort with fewer devices uses the fleet's network")
    hidden: int = Field(24, ge=2, description="units of the layers beside the bottleneck")
    bottleneck: int = Field(8, ge=1, description="units of the bottleneck")
    max_network_rows: int = Field(12_000, ge=1000, description="rows that one network learns from")
    max_epochs: int = Field(20, ge=1, description="most passes over the rows")
    patience: int = Field(2, ge=1, description="passes without progress on held-out windows that end the training")
    batch: int = Field(512, ge=1, description="most rows per step")
    learning_rate: float = Field(1e-2, gt=0, description="step size (Adam)")
    blurred_share: float = Field(0.5, ge=0, le=1, description="rows in which one sensor is replaced while training")
    clip: float = Field(5.0, gt=0, description="the network sees values up to this many typical deviations")
    max_error: float = Field(50.0, gt=1, description="a single standardised error counts at most this much")
    strongest: int = Field(3, ge=1, description="largest standardised errors that make up the raw score")


class DbscanSettings(Group):
    """Density clusters of day-level behaviour (SPEC 2.1)."""

    day: timedelta = Field(timedelta(hours=24), description="span up to the window's end that a day's means cover")
    min_windows: int = Field(4, ge=1, description="windows in that span without which a device has no day yet")
    spacing: timedelta = Field(
        timedelta(hours=1), description="training takes about one day of a device per span of this length"
    )
    min_cohort_devices: int = Field(50, ge=2, description="a cohort with fewer devices uses the fleet's clusters")
    min_points: int = Field(5, ge=2, description="days within eps that make one of them a core point")
    eps_quantile: float = Field(
        0.90, gt=0, le=1, description="share of the days that have min_points others within eps, which decides eps"
    )
    explained: float = Field(
        0.995,
        gt=0,
        le=1,
        description="share of the variance that the principal components keep; a fault hides in what they leave out",
    )
    max_points: int = Field(4000, ge=100, description="days that one clustering is made of, and so most core points")
    clip: float = Field(20.0, gt=1, description="a feature counts up to this many typical deviations")


class AlertSettings(Group):
    """From scores to alerts (SPEC 6)."""

    critical_score: float = Field(0.95, description="a score above this is CRITICAL")
    high_score: float = Field(0.85, description="a score above this is HIGH if enough families agree")
    medium_score: float = Field(0.70, description="a score above this is MEDIUM")
    high_families: int = Field(2, description="flagging families that HIGH needs")
    medium_families: int = Field(2, description="flagging families that make MEDIUM whatever their scores")
    high_conditions: int = Field(2, ge=1, description="conditions of the fallback that make HIGH of MEDIUM")
    dedup: timedelta = Field(timedelta(hours=4), description="fixed from the first alert, not sliding")
    resolve_after_windows: int = Field(2, ge=1, description="windows in a row without a flag that resolve an alert")
    single_messages: int = Field(
        10, ge=0, description="new alerts of one severity that are told one by one; of more a list is made"
    )
    listed_alerts: int = Field(20, ge=1, description="alerts, or sites, that such a list names")
    site_devices: int = Field(
        5, ge=2, description="so many devices of a site that alert together are told as one site-wide message"
    )
    site_share: float = Field(0.30, gt=0, le=1, description="if they are at least this share of its active devices")
    site_span: timedelta = Field(timedelta(minutes=30), description="and alert within this span")
    alert_budget: int = Field(
        144, ge=1, description="alerts of MEDIUM or higher that one operator can look into in a day (one in 10 minutes)"
    )
    operators: int = Field(1, ge=1, description="people who look into alerts, all shifts of a day together")
    longest_silence: timedelta = Field(
        timedelta(days=30), gt=timedelta(0), description="nobody hears of a device or site for no longer than this"
    )
    sla_critical: timedelta = Field(timedelta(minutes=30), description="a CRITICAL alert is taken within this")
    sla_high: timedelta = Field(timedelta(hours=2), description="a HIGH alert is taken within this")
    sla_medium: timedelta = Field(timedelta(hours=4), description="a MEDIUM alert is taken within this")
    sla_low: timedelta = Field(timedelta(hours=24), description="a LOW alert is taken within this")

    @property
    def daily_budget(self) -> int:
        """Alerts of MEDIUM or higher that all operators together can look into in a day."""
        return self.alert_budget * self.operators


class WorkOrderSettings(Group):
    """Handing work to the maintenance system (SPEC 6)."""

    webhook_url: str = Field(
        "", description="where work orders are posted as JSON; empty: one file each in work_orders/ of the data folder"
    )
    webhook_token: SecretStr = Field(SecretStr(""), description="sent as bearer token; empty for none")
    timeout: timedelta = Field(timedelta(seconds=10), gt=timedelta(0), description="how long the webhook may take")
    budget: timedelta = Field(timedelta(seconds=20), description="one delivery starts no further order after this long")
    first_retry: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(0), description="wait after the first failure in a row of an order"
    )
    retry_factor: float = Field(2.0, ge=1, description="every further failure in a row waits this many times longer")
    max_retry: timedelta = Field(timedelta(minutes=10), description="but never longer than this")
    long_wait: timedelta = Field(
        timedelta(minutes=15), description="`doctor` warns of orders that have waited longer than this"
    )


class QualitySettings(Group):
    """What the labels say of the alerts (SPEC 6)."""

    span: timedelta = Field(timedelta(days=30), description="alerts told within this span are judged")
    min_labels: int = Field(20, ge=1, description="on fewer labels nothing is advised")
    max_false_positives: float = Field(
        0.25, gt=0, lt=1, description="share of false positives from which another threshold is advised"
    )
    threshold_step: float = Field(0.01, gt=0, lt=1, description="advised thresholds are multiples of this")


class CanarySettings(Group):
    """A staged version beside production (SPEC 3.1)."""

    max_score_difference: float = Field(0.05, gt=0, description="mean absolute score difference must be below this")
    max_flagged_points: float = Field(
        0.02, gt=0, le=1, description="flagged shares may differ by this much (0.02 is 2 percentage points)"
    )
    max_flagged_factor: float = Field(2.0, gt=1, description="and by this factor, up or down")
    min_top_overlap: float = Field(0.80, ge=0, le=1, description="share of the highest devices that both must name")
    top_devices: int = Field(100, ge=1, description="how many devices are the highest")
    top_share: float = Field(0.10, gt=0, le=1, description="but no larger share of the fleet than this")
    max_kl: float = Field(0.1, gt=0, description="KL divergence of the score distributions must be below this (nat)")
    bins: int = Field(20, ge=2, description="bins of the KL divergence, equally full of production's scores")
    smoothing: float = Field(0.5, gt=0, description="rows added to every bin, so that none is empty")
    min_rows: int = Field(200, ge=1, description="on fewer compared devices nothing is concluded")
    max_missing: float = Field(
        0.01, ge=0, lt=1, description="share of production's devices that a candidate may leave unscored"
    )
    noise_factor: float = Field(
        2.0, ge=1, description="a shift beyond its limit counts only if it is this many times production's own noise"
    )
    chance: float = Field(
        1e-3, gt=0, lt=1, description="and, where devices are counted, if chance alone gives it more rarely than this"
    )
    windows_needed: int = Field(3, ge=1, description="newest compared windows that must all pass before a release")
    watched_runs: int = Field(
        3, ge=0, description="windows in which a new release is held against the one before it (SPEC 3)"
    )


class MonitoringSettings(Group):
    """Watching the models: limits of SPEC 8, and of SPEC 4 for scores that are withheld."""

    min_rows: int = Field(200, ge=1, description="on fewer rows a metric says 'not enough data'")
    min_runs: int = Field(3, ge=1, description="and with fewer earlier runs to compare with")
    trailing_runs: int = Field(24, ge=1, description="scored windows before this one that its scores are held against")
    max_kl: float = Field(
        0.5, gt=0, description="KL divergence from the trailing runs above this is an anomalous distribution (nat)"
    )
    bins: int = Field(20, ge=2, description="bins of the KL divergence, equally full of the trailing scores")
    smoothing: float = Field(0.5, gt=0, description="rows added to every bin, so that none is empty")
    max_rows: int = Field(200_000, ge=1000, description="scores of several windows are sampled to about this many")
    level_span: timedelta = Field(timedelta(days=7), description="mean and p95 are held against those of this span")
    max_mean_shift: float = Field(0.05, gt=0, description="the mean score may be this far from that of the span")
    max_p95_shift: float = Field(0.10, gt=0, description="and the 95th percentile this far")
    max_flagged_points: float = Field(
        0.03, gt=0, le=1, description="the flagged share may be this far from the calibrated one (0.03 is 3 points)"
    )
    max_flagged_factor: float = Field(3.0, gt=1, description="and by this factor, up or down")
    chance: float = Field(
        1e-3, gt=0, lt=1, description="and is only worth a warning if chance alone gives it more rarely than this"
    )
    min_agreement: float = Field(0.85, ge=0, le=1, description="share of devices that two families must judge alike")
    min_unanimous: float = Field(0.75, ge=0, le=1, description="share of devices that all families must judge alike")
    max_psi: float = Field(0.2, gt=0, description="population stability index of a feature above this is drift")
    drift_bins: int = Field(10, ge=2, description="bins of the PSI, equally full of the training rows")
    drift_day: timedelta = Field(timedelta(hours=24), description="windows that are held against the training rows")
    drift_span: timedelta = Field(
        timedelta(hours=20), description="less data than this, now or in training, differ by the time of day alone"
    )
    drift_rows: int = Field(20_000, ge=1000, description="rows that each of them is sampled to")


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


class StreamingSettings(Group):
    """Acute failures, seen in the readings themselves (SPEC 5)."""

    allowed_lateness: timedelta = Field(
        timedelta(minutes=10),
        description="a reading that arrives after a younger one of its device counts up to this distance between them",
    )
    max_gap: timedelta = Field(
        timedelta(seconds=150),
        description="no rule looks across a longer silence of a sensor: one lost reading is bridged, two are not",
    )
    pressure_span: timedelta = Field(
        timedelta(minutes=5),
        description="the fall of pressure happens within this span; it is not looked for so soon after a defrost",
    )
    rise_span: timedelta = Field(timedelta(minutes=3), description="the evaporator warms for at least this long")
    defrost_recovery: timedelta = Field(
        timedelta(minutes=15), description="a defrost and this long after it do not count as cooling loss"
    )
    vibration_span: timedelta = Field(timedelta(hours=24), description="span of a device's usual vibration")
    vibration_bucket: timedelta = Field(
        timedelta(minutes=15), description="the usual vibration moves on in steps of this length"
    )
    min_vibration_buckets: int = Field(
        4, ge=1, description="without readings in as many buckets, an hour, a device has no usual vibration"
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
        """How far before a reading the rules look."""
        return self.defrost_recovery + self.screened

    @property
    def screened(self) -> timedelta:
        """How far before a reading lies what makes it meet a rule: a fall of pressure, the last part of a rise."""
        return max(self.pressure_span, self.rise_span + self.max_gap) + self.max_gap


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


class FleetSettings(Group):
    """Device and site status (SPEC 1.8)."""

    offline_after: timedelta = Field(timedelta(hours=1), description="no reading for this long and a device is offline")
    trend_span: timedelta = Field(timedelta(hours=24), description="span of anomaly_trend and of the daily means")
    trend_slope: float = Field(0.10, gt=0, description="change of the score over the span that counts as a trend")
    reconciled_alerts: int = Field(
        5000, ge=1, description="open alerts, the newest first, that the daily check holds against their events"
    )
    mismatch_error: float = Field(
        0.01, gt=0, le=1, description="share of rows that disagree with the alerts from which the check is an error"
    )


class SlackChannels(Group):
    """The Slack channel of each audience; invite the app to every one of them."""

    operations: str = Field("#fridge-operations", description="HIGH alerts and site-wide messages")
    on_call: str = Field("#fridge-on-call", description="CRITICAL alerts and breached deadlines")
    site_digest: str = Field("#fridge-sites", description="MEDIUM alerts")
    data_platform: str = Field("#fridge-data-platform", description="late, missing or refused data")
    ml: str = Field("#fridge-ml", description="failing, paused and drifting models")
    everyone: str = Field("#fridge-everyone", description="fallback and recovery")


_EVERY_CHANNEL = tuple(SlackChannels.model_fields)
_RESERVED_DESTINATIONS = ("slack", "log")


def _split(given: object) -> object:
    """What was given as one text, separated by commas, as a list."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


class Destination(Group):
    """Something beside Slack's bot that messages are sent to, under a name of your choice."""

    channels: Annotated[tuple[str, ...], NoDecode] = Field(
        _EVERY_CHANNEL, description="audiences whose messages it gets, comma-separated"
    )

    @field_validator("channels", mode="before")
    @classmethod
    def _split_channels(cls, given: object) -> object:
        return _split(given)

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in channels if name not in _EVERY_CHANNEL]
        if unknown or not channels:
            raise ValueError(f"the channels are {', '.join(_EVERY_CHANNEL)}; not {', '.join(unknown) or 'none'}")
        return channels


class WebhookDestination(Destination):
    """An incoming webhook of a chat."""

    kind: Literal["slack_webhook", "teams", "mattermost"]
    url: SecretStr = Field(description="address of the webhook; whoever knows it can post, so it is never shown")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        return SecretStr(check_address(url.get_secret_value().strip()))


class EmailDestination(Destination):
    """E-mail by SMTP."""

    kind: Literal["email"]
    host: str = Field(min_length=1, description="the mail server")
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="encrypted after a greeting, from the start, or not at all"
    )
    user: str = Field("", description="empty: nobody logs in")
    password: SecretStr = SecretStr("")
    sender: str = Field(min_length=3, description="address that messages come from")
    recipients: Annotated[tuple[str, ...], NoDecode] = Field(
        min_length=1, description="addresses that they go to, comma-separated"
    )

    @field_validator("recipients", mode="before")
    @classmethod
    def _split_recipients(cls, given: object) -> object:
        return _split(given)

    @field_validator("sender", "recipients")
    @classmethod
    def _are_addresses(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (given,) if isinstance(given, str) else given:
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"{address!r} is no e-mail address like fridges@example.com")
        return given


class EventDestination(Destination):
    """A service that calls people: events with the same deduplication key are one incident there."""

    kind: Literal["pagerduty", "opsgenie"]
    key: SecretStr = Field(description="PagerDuty's integration key (Events API v2), or Opsgenie's API key")
    url: str = Field("", description="address that takes events; empty for the service's own")
    channels: Annotated[tuple[str, ...], NoDecode] = Field(
        ("on_call",), description="audiences whose messages it gets, comma-separated"
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return check_address(url.strip()) if url.strip() else ""

    @field_validator("key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value().strip()
        if not (text and text.isascii() and text.isprintable()):
            raise ValueError("it is empty, or has characters that no key has; copy it again")
        return SecretStr(text)


AnyDestination = Annotated[WebhookDestination | EmailDestination | EventDestination, Field(discriminator="kind")]


class NotificationSettings(Group):
    """Telling people (SPEC 7); docs/notifications.md shows how each way is set up."""

    token: SecretStr = Field(SecretStr(""), description="Slack bot token (xoxb-…); empty: no messages to Slack by it")
    api_url: str = Field("https://slack.com/api/", description="where Slack's Web API answers")
    timeout: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(0), description="how long a destination may take to connect or to answer"
    )
    ui_url: str = Field("http://127.0.0.1:3000", description="the Dagster UI that messages about runs link to")
    alerts_url: str = Field(
        "", description="page that shows alerts; an alert's own is this, a slash and its id. Empty: no link, a command"
    )
    channels: SlackChannels = SlackChannels()
    destinations: dict[str, AnyDestination] = Field({}, description="where else messages go, by names of your choice")
    pause_between: timedelta = Field(
        timedelta(seconds=1), ge=timedelta(0), description="Slack takes about one message a second per channel"
    )
    budget: timedelta = Field(
        timedelta(seconds=20), description="one delivery starts no further message after this long"
    )
    first_retry: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="wait after the first failure in a row of a channel's way to a destination",
    )
    retry_factor: float = Field(2.0, ge=1, description="every further failure in a row waits this many times longer")
    max_retry: timedelta = Field(
        timedelta(minutes=5), description="but never longer than this, unless the destination asks to"
    )
    lease: timedelta = Field(
        timedelta(seconds=60),
        description="a deliverer that is this late, beyond the time a destination may take, is dead and another takes "
        "over",
    )
    summarise_after: timedelta = Field(
        timedelta(hours=24),
        description="what happened longer ago than this is told in one summary per channel and destination",
    )
    summary_titles: int = Field(5, ge=0, description="newest messages that a summary names")
    late_after: timedelta = Field(
        timedelta(minutes=15), description="a message that has waited longer than this says of when it is"
    )
    long_wait: timedelta = Field(
        timedelta(minutes=15), description="`doctor` warns of messages that have waited longer than this"
    )

    @field_validator("alerts_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return check_address(url.strip()) if url.strip() else ""

    @field_validator("destinations")
    @classmethod
    def _named_plainly(cls, given: dict[str, AnyDestination]) -> dict[str, AnyDestination]:
        for name in given:
            if not _NAME.fullmatch(name) or name in _RESERVED_DESTINATIONS:
                raise ValueError(
                    f"{name!r} names no destination: letters, digits and single underscores, and neither "
                    f"{' nor '.join(_RESERVED_DESTINATIONS)}"
                )
        return given


_KINDS = ("slack_webhook", "teams", "mattermost", "email", "pagerduty", "opsgenie")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


def check_address(url: str) -> str:
    """``url`` as it is, once it is known that something can be posted to it.

    Raises:
        ValueError: it is no http or https address; the message does not show it, since it may be a secret.
    """
    try:
        parts = urlsplit(url)
        # Asking for a port that is no number is refused.
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or any(sign.isspace() for sign in url):
        raise ValueError("it is no address that begins with https:// or http://")
    return url


class UiSettings(Group):
    """The Dagster UI, which asks nobody for a password: who may reach it."""

    host: str = Field("127.0.0.1", description="where it listens; a proxy that asks for a password is on this machine")
    allowed_hosts: str = Field(
        "",
        description="hosts under which browsers may see it beside those of this machine, separated by commas, with "
        "their port unless it is that of http or https: fridge.example.org",
    )

    @property
    def further_hosts(self) -> frozenset[str]:
        """The allowed hosts one by one, as browsers write them."""
        return frozenset(host.strip().lower() for host in self.allowed_hosts.split(",") if host.strip())

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_and_not_addresses(cls, hosts: str) -> str:
        if "/" in hosts or "*" in hosts:
            raise ValueError("hosts stand there without http:// and without a path, each for itself")
        return hosts


class RetentionSettings(Group):
    """How long what a running fleet writes is kept; fridge_assets/retention/policies.py says why."""

    landing: timedelta = Field(timedelta(days=30), gt=timedelta(0), description="landing files once ingested")
    ledger: timedelta = Field(
        timedelta(days=90),
        gt=timedelta(0),
        description="what is known of a landing file that is gone; delivered again later, it would be ingested again",
    )
    clean_readings: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="clean readings")
    quarantined: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="quarantined readings")
    features: timedelta = Field(
        timedelta(days=90), gt=timedelta(0), description="features; never less than training looks back, plus a day"
    )
    scores: timedelta = Field(
        timedelta(days=90), gt=timedelta(0), description="scores; never less than training looks back, plus a day"
    )
    canary: timedelta = Field(timedelta(days=180), gt=timedelta(0), description="canary scores and reports")
    monitoring: timedelta = Field(
        timedelta(days=400), gt=timedelta(0), description="how the models behaved; a year can be held against the last"
    )
    withheld: timedelta = Field(timedelta(days=30), gt=timedelta(0), description="scores that were withheld")
    fallback: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="what the rules said")
    alerts: timedelta = Field(
        timedelta(days=400), gt=timedelta(0), description="alerts since they were closed; open ones always"
    )
    messages: timedelta = Field(
        timedelta(days=90), gt=timedelta(0), description="messages since they were stored; pending ones always"
    )
    models: timedelta = Field(
        timedelta(days=180), gt=timedelta(0), description="files of model versions since anyone last decided about them"
    )
    releases: int = Field(3, ge=3, description="newest releases of a family whose files are always kept (SPEC 3)")
    runs: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="Dagster runs, their events and logs")
    dead_letters: timedelta = Field(
        timedelta(days=30), gt=timedelta(0), description="readings that the stream could not use, with the reason"
    )
    leftovers: timedelta = Field(
        timedelta(days=1), ge=timedelta(hours=2), description="files that killed programs left behind"
    )


class HealthSettings(Group):
    """Whether the automation is alive."""

    max_silence: timedelta = Field(
        timedelta(seconds=45), gt=timedelta(0), description="without a pulse for this long the automation is dead"
    )


class DisplaySettings(Group):
    """How people are shown what is stored."""

    timezone: str = Field(
        "", description="IANA name of the zone, such as Europe/Berlin, that moments are shown in; empty: the machine's"
    )

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        return check_zone(name, "FRIDGE_DISPLAY__TIMEZONE")


class Settings(BaseSettings):
    """All settings, and where everything is kept."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # it may be a secret
    )

    data_dir: Path = Field(Path("data"), description="the folder that holds everything")
    operations_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in the data folder")
    mlflow_uri: str = Field("", description="MLflow tracking and registry URI; empty means SQLite in the data folder")

    warehouse: WarehouseSettings = WarehouseSettings()
    disk: DiskSettings = DiskSettings()
    operations: OperationsSettings = OperationsSettings()
    readings: ReadingSettings = ReadingSettings()
    features: FeatureSettings = FeatureSettings()
    scoring: ScoringSettings = ScoringSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    training: TrainingSettings = TrainingSettings()
    forest: ForestSettings = ForestSettings()
    baseline: BaselineSettings = BaselineSettings()
    autoencoder: AutoencoderSettings = AutoencoderSettings()
    dbscan: DbscanSettings = DbscanSettings()
    alerts: AlertSettings = AlertSettings()
    work_orders: WorkOrderSettings = WorkOrderSettings()
    quality: QualitySettings = QualitySettings()
    canary: CanarySettings = CanarySettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    staleness: StalenessSettings = StalenessSettings()
    fallback: FallbackSettings = FallbackSettings()
    streaming: StreamingSettings = StreamingSettings()
    learned_thresholds: LearnedThresholdSettings = LearnedThresholdSettings()
    kafka: KafkaSettings = KafkaSettings()
    fleet: FleetSettings = FleetSettings()
    notifications: NotificationSettings = NotificationSettings()
    ui: UiSettings = UiSettings()
    display: DisplaySettings = DisplaySettings()
    retention: RetentionSettings = RetentionSettings()
    health: HealthSettings = HealthSettings()

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_sets_nothing(cls, given: Any) -> Any:
        refuse_unknown(cls, os.environ)
        return given

    @model_validator(mode="after")
    def _keep_what_is_still_needed(self) -> Self:
        kept, day = self.retention, timedelta(days=1)
        learned = (self.training.history + day, "training looks back FRIDGE_TRAINING__HISTORY, and a day for its days")
        landed = (kept.landing, "a landing file that is forgotten while it is there would be ingested again")
        for name, span, (needed, why) in (
            ("FEATURES", kept.features, learned),
            ("SCORES", kept.scores, learned),
            ("LEDGER", kept.ledger, landed),
        ):
            if span < needed:
                raise FridgeError(
                    f"FRIDGE_RETENTION__{name} is {span / day:g} days and must be {needed / day:g} or more: {why}",
                    f"Set it to P{-(-needed // day)}D or longer, or leave it out.",
                )
        return self

    @property
    def root(self) -> Path:
        """The data folder as an absolute path."""
        return self.data_dir.expanduser().resolve()

    @property
    def landing_dir(self) -> Path:
        """Raw readings, append-only files."""
        return self.root / "landing"

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file."""
        return self.root / "warehouse.duckdb"

    @property
    def warehouse_dir(self) -> Path:
        """Parquet files that belong to the warehouse."""
        return self.root / "warehouse"

    @property
    def published_dir(self) -> Path:
        """Snapshots for other programs, replaced by atomic rename."""
        return self.root / "published"

    @property
    def streaming_dir(self) -> Path:
        """Checkpoint and dead letters of the stream."""
        return self.root / "streaming"

    @property
    def work_orders_dir(self) -> Path:
        """Work orders as files, where no webhook takes them."""
        return self.root / "work_orders"

    @property
    def replays_dir(self) -> Path:
        """What replays work in, each in a folder that it removes at its end."""
        return self.root / "replays"

    @property
    def models_dir(self) -> Path:
        """Model artifacts and training snapshots."""
        return self.root / "models"

    @property
    def dagster_home(self) -> Path:
        """The Dagster instance of this data folder."""
        return self.root / "dagster"

    @property
    def operations_database(self) -> str:
        """SQLAlchemy URL of the operations store."""
        return self.operations_url or f"sqlite:///{self.operations_file}"

    @property
    def operations_file(self) -> Path:
        """The operations store where no URL names another."""
        return self.root / "operations.db"

    @property
    def mlflow_database(self) -> str:
        """MLflow tracking and registry URI."""
        return self.mlflow_uri or f"sqlite:///{self.mlflow_file}"

    @property
    def mlflow_file(self) -> Path:
        """MLflow's database where no URI names another."""
        return self.root / "mlflow.db"


def read_settings() -> Settings:
    """The settings of this process's environment.

    Raises:
        FridgeError: a FRIDGE_ variable sets nothing, or has a value that does not fit; a secret is not shown.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # Between the name of a destination and what is in it pydantic says which kind it is, which no variable does.
        path = [str(part) for part in first["loc"] if part not in _KINDS]
        given = first["input"]
        wrong = first["msg"].removeprefix("Value error, ")
        shown = isinstance(given, str | int | float) and path[-1] not in secret_names(Settings)
        raise FridgeError(
            f"{PREFIX}{'__'.join(path).upper()} {f'is {given!r}' if shown else 'cannot be used'}: {wrong}",
            "Correct or unset that variable.",
        ) from error
    except SettingsError as error:
        raise FridgeError(
            f"a variable that begins with FRIDGE_ holds no JSON where JSON is needed: {error}",
            "Correct it, or set what is in it by variables of their own: the group, two underscores, the name.",
        ) from error

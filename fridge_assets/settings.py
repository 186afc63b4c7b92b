"""Every tunable of the product, with its unit and its section of the specification.

Override any of them with an environment variable: ``FRIDGE_`` plus the path in capitals, groups joined by
two underscores, for example ``FRIDGE_SCORING__MIN_COMPLETENESS=0.6``.
"""

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Group(BaseModel):
    """A group of settings; immutable, and unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WarehouseSettings(Group):
    """DuckDB and the Parquet files beside it."""

    threads: int = Field(2, ge=1, description="DuckDB threads per connection")
    memory_limit: str = Field("3GB", description="DuckDB memory per connection; beyond it DuckDB spills to disk")
    lock_wait: timedelta = Field(
        timedelta(seconds=20), description="how long to wait for another process to release the DuckDB file"
    )


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
        8_000_000, ge=1, description="readings turned into features and committed at once while catching up"
    )


class ScoringSettings(Group):
    """Model input and scores (SPEC 1.5, 2)."""

    min_completeness: float = Field(0.5, ge=0, le=1, description="rows with a lower sensor completeness are left out")
    imputation_memory: timedelta = Field(
        timedelta(hours=24), description="how old a device's own value may be to stand in for a null"
    )
    min_coverage: float = Field(0.99, ge=0, le=1, description="share of active devices a run should score")
    top_contributors: int = Field(5, ge=1, le=5, description="features named per flagged row")


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
    min_rows: int = Field(32, ge=1, description="fewer usable windows than this and training is refused")
    min_completeness: float = Field(0.7, ge=0, le=1)
    min_readings: int = Field(10, ge=1, description="readings in a window")
    max_flagged_readings: int = Field(5, ge=0, description="readings with a quality flag in a window")
    max_self_cleaning: float = Field(0.10, ge=0, le=0.10, description="at most this share is dropped as contaminated")
    seed: int = 20240615


class ForestSettings(Group):
    """Isolation forest (SPEC 2.1)."""

    trees: int = Field(300, ge=1)
    samples_per_tree: int = Field(1024, ge=2)


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


class AlertSettings(Group):
    """From scores to alerts (SPEC 6)."""

    critical_score: float = 0.95
    high_score: float = 0.85
    medium_score: float = 0.70
    high_families: int = 2
    medium_families: int = 2
    dedup: timedelta = Field(timedelta(hours=4), description="fixed from the first alert, not sliding")
    resolve_after_windows: int = Field(2, ge=1, description="windows in a row without a flag that resolve an alert")
    sla_critical: timedelta = timedelta(minutes=30)
    sla_high: timedelta = timedelta(hours=2)
    sla_medium: timedelta = timedelta(hours=4)
    sla_low: timedelta = timedelta(hours=24)


class StalenessSettings(Group):
    """Age of the newest good scores and what it means (SPEC 4)."""

    stale: timedelta = timedelta(hours=1)
    very_stale: timedelta = timedelta(hours=2)
    expired: timedelta = timedelta(hours=4)


class FleetSettings(Group):
    """Device and site status (SPEC 1.8)."""

    offline_after: timedelta = Field(timedelta(hours=1), description="no reading for this long and a device is offline")
    trend_span: timedelta = Field(timedelta(hours=24), description="span of anomaly_trend and of the daily means")
    trend_slope: float = Field(0.10, gt=0, description="change of the score over the span that counts as a trend")


class Settings(BaseSettings):
    """All settings, and where everything is kept."""

    model_config = SettingsConfigDict(env_prefix="FRIDGE_", env_nested_delimiter="__", frozen=True, extra="forbid")

    data_dir: Path = Field(Path("data"), description="the folder that holds everything")
    operations_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in the data folder")
    mlflow_uri: str = Field("", description="MLflow tracking and registry URI; empty means SQLite in the data folder")

    warehouse: WarehouseSettings = WarehouseSettings()
    operations: OperationsSettings = OperationsSettings()
    readings: ReadingSettings = ReadingSettings()
    features: FeatureSettings = FeatureSettings()
    scoring: ScoringSettings = ScoringSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    training: TrainingSettings = TrainingSettings()
    forest: ForestSettings = ForestSettings()
    baseline: BaselineSettings = BaselineSettings()
    alerts: AlertSettings = AlertSettings()
    staleness: StalenessSettings = StalenessSettings()
    fleet: FleetSettings = FleetSettings()

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
        return self.operations_url or f"sqlite:///{self.root / 'operations.db'}"

    @property
    def mlflow_database(self) -> str:
        """MLflow tracking and registry URI."""
        return self.mlflow_uri or f"sqlite:///{self.root / 'mlflow.db'}"

"""Every tunable of the product, with its unit and its section of the specification.

Override any of them with an environment variable: ``FRIDGE_`` plus the path in capitals, groups joined by
two underscores, for example ``FRIDGE_SCORING__MIN_COMPLETENESS=0.6``.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings.alert_quality import AlarmHealthSettings, QualitySettings
from fridge_assets.settings.canary import CanarySettings
from fridge_assets.settings.display import DisplaySettings
from fridge_assets.settings.features import FeatureSettings
from fridge_assets.settings.incidents import IncidentSettings
from fridge_assets.settings.models import (
    AutoencoderSettings,
    BaselineSettings,
    CalibrationSettings,
    DbscanSettings,
    ForestSettings,
    TrainingSettings,
)
from fridge_assets.settings.monitoring import MonitoringSettings
from fridge_assets.settings.mqtt import MqttSettings
from fridge_assets.settings.notifications import NotificationSettings
from fridge_assets.settings.readings import ReadingSettings
from fridge_assets.settings.running import UiSettings
from fridge_assets.settings.scoring import ScoringSettings
from fridge_assets.settings.staleness import FallbackSettings, StalenessSettings
from fridge_assets.settings.status import FleetSettings
from fridge_assets.settings.stores import DiskSettings, OperationsSettings, WarehouseSettings
from fridge_assets.settings.streaming import KafkaSettings, LearnedThresholdSettings, StreamingSettings
from fridge_assets.settings.upkeep import HealthSettings, RetentionSettings
from fridge_assets.settings.variables import PREFIX, refuse_unknown, secret_names
from fridge_assets.settings.work_orders import WorkOrderSettings

_KINDS = ("slack_webhook", "teams", "mattermost", "email", "pagerduty", "opsgenie")


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
    alerts: IncidentSettings = IncidentSettings()
    work_orders: WorkOrderSettings = WorkOrderSettings()
    quality: QualitySettings = QualitySettings()
    alarm_health: AlarmHealthSettings = AlarmHealthSettings()
    canary: CanarySettings = CanarySettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    staleness: StalenessSettings = StalenessSettings()
    fallback: FallbackSettings = FallbackSettings()
    streaming: StreamingSettings = StreamingSettings()
    learned_thresholds: LearnedThresholdSettings = LearnedThresholdSettings()
    kafka: KafkaSettings = KafkaSettings()
    mqtt: MqttSettings = MqttSettings()
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
    def sources_dir(self) -> Path:
        """How the readings of each source are read, a file per source."""
        return self.root / "sources"

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

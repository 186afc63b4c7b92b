"""Data folders to sweep, and the programs' own traces in them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fridge_assets.deployment.store import Deployments
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import ModelRegistry, RegisteredVersion
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.upkeep.retention.report import Swept
from fridge_assets.upkeep.retention.sweep import sweep

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def days(number: float) -> datetime:
    """The moment that many days before ``NOW``."""
    return NOW - timedelta(days=number)


def aged(path: Path, at: datetime) -> Path:
    """``path``, created where it is missing, as if last written at that moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(b"x" * 100)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


class NoVersions(ModelRegistry):
    """A registry of no version, without the seconds that MLflow's first opening takes."""

    def versions(self, family: str | None = None) -> list[RegisteredVersion]:  # noqa: ARG002
        return []


@dataclass
class Runs:
    """A history of runs: id → when it ended."""

    ended: dict[str, datetime] = field(default_factory=dict)

    def ended_before(self, moment: datetime) -> Sequence[str]:
        return [run for run, at in self.ended.items() if at < moment]

    def delete(self, run_id: str) -> int:
        del self.ended[run_id]
        return 10


@dataclass
class Folder:
    """A data folder whose newest reading is of ``NOW``."""

    settings: Settings
    runs: Runs = field(default_factory=Runs)

    def __post_init__(self) -> None:
        self.warehouse = Warehouse.from_settings(self.settings)
        self.operations = Operations(self.settings.operations_database)
        registry = NoVersions(self.settings.mlflow_database, self.settings.models_dir)
        self.models = ModelLifecycle(registry, Deployments(self.operations))
        self.heard_from(NOW)

    def heard_from(self, at: datetime) -> None:
        with self.warehouse.transaction() as connection:
            connection.execute("DELETE FROM device_last_seen")
            connection.execute("INSERT INTO device_last_seen (device_id, last_reading_at) VALUES ('d1', ?)", [at])

    def sweep(self, now: datetime = NOW, *, wall_time: datetime | None = None, dry: bool = False) -> dict[str, Swept]:
        """Subject → what was removed of it."""
        report = sweep(
            self.settings,
            self.warehouse,
            self.operations,
            self.models,
            self.runs,
            now,
            wall_time=wall_time or now,
            dry=dry,
        )
        return {swept.subject: swept for swept in report}

    def count(self, table: str) -> int:
        with self.warehouse.read() as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])

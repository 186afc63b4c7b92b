"""A small fleet, simulated and trained once per test session, and data folders that start as copies of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob

import fridge_assets.definitions
from fridge_assets.automation.cycles import hourly_cycle, train_models
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import ModelRegistry
from fridge_assets.running.instance import open_instance
from fridge_assets.running.outcomes import CycleOutcome
from fridge_assets.settings import (
    BatterySettings,
    CanarySettings,
    ForestSettings,
    ReadingSettings,
    Settings,
    WarehouseSettings,
)
from fridge_assets.simulation import FaultShare, Fleet, simulate_registry, write_fleet
from fridge_assets.simulation.fault_plan import FaultTiming
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.environment import put_back

START = datetime(2026, 3, 2, tzinfo=UTC)
DEVICES = 24
TRAINED_HOUR = 6
"""Hours from the start that the models learn from; later hours are delivered by the tests."""

FAULTY_DEVICES = 2
"""Devices whose vibration rises fivefold before the first scored window, and stays there."""

LAST_HOUR = 13

_NOT_DELIVERED = "later"


def hour(number: float) -> datetime:
    """The moment ``number`` hours after the fleet's start."""
    return START + timedelta(hours=number)


def cycle_time(number: int) -> datetime:
    """When the hourly cycle of the window that ends at ``hour(number)`` runs."""
    return hour(number) + timedelta(minutes=3)


def settings_of(folder: Path, lock_wait: timedelta = timedelta(seconds=20)) -> Settings:
    """Settings of the data folder ``folder``: a forest that is quick to fit, landing files settled at once, and
    no machines that the canary simulates."""
    return Settings(
        data_dir=folder,
        forest=ForestSettings(trees=60),
        readings=ReadingSettings(settle=timedelta(0)),
        warehouse=WarehouseSettings(lock_wait=lock_wait),
        canary=CanarySettings(battery=BatterySettings(simulated_devices=0)),
    )


@dataclass(frozen=True)
class Place:
    """A data folder and its stores."""

    settings: Settings

    @property
    def root(self) -> Path:
        return self.settings.root

    @cached_property
    def warehouse(self) -> Warehouse:
        return Warehouse.from_settings(self.settings)

    @cached_property
    def operations(self) -> Operations:
        return Operations(self.settings.operations_database, self.settings.operations.lock_wait)

    @cached_property
    def landing(self) -> Landing:
        return Landing(self.settings.landing_dir, self.operations)

    @cached_property
    def models(self) -> ModelLifecycle:
        registry = ModelRegistry(self.settings.mlflow_database, self.settings.models_dir)
        return ModelLifecycle(registry, Deployments(self.operations))

    @cached_property
    def published(self) -> Published:
        return Published(self.settings.published_dir)

    def deliver(self, *hours: int) -> None:
        """Let the readings of these hours (that end at ``hour(n)``) arrive in landing."""
        files = sorted((self.root / _NOT_DELIVERED).iterdir())
        for number in hours:
            file = files[number - TRAINED_HOUR - 1]
            shutil.copy2(file, self.settings.landing_dir / file.name)

    def run_hourly(self, number: int) -> CycleOutcome:
        """The hourly cycle of the window that ends at ``hour(number)``, in this process."""
        with graph_of(self.settings) as instance:
            return hourly_cycle(instance, cycle_time(number), in_process=True)

    def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Rows of the warehouse."""
        with self.warehouse.read() as connection:
            return connection.execute(sql, list(parameters)).fetchall()

    def artifact(self, family: str, name: str) -> Path:
        """A file of the released version of ``family``."""
        run_id = self.models.require_serving(family).run_id
        return self.settings.models_dir / "artifacts" / run_id / "artifacts" / "version" / name


@contextmanager
def graph_of(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The graph over one data folder in this process, as if it had been started for that folder."""
    with pytest.MonkeyPatch.context() as patch:
        put_back(patch)
        graph = fridge_assets.definitions.build_definitions(settings)
        patch.setattr(fridge_assets.definitions, "defs", graph)
        forget_loaded_jobs()
        with open_instance(settings) as instance:
            yield instance
    forget_loaded_jobs()


def forget_loaded_jobs() -> None:
    """Dagster keeps the graph of a process; another data folder in the same process needs its own."""
    ReconstructableJob.get_definition.cache_clear()
    ReconstructableJob.get_repository_definition.cache_clear()


def make_simulated(folder: Path) -> Place:
    """Simulate the fleet into ``folder`` and deliver the first hours."""
    place = Place(settings_of(folder))
    faults = [FaultShare("vibration_spike", FAULTY_DEVICES / DEVICES)]
    timing = FaultTiming(earliest_onset=6.1 / LAST_HOUR, full_from=6.4 / LAST_HOUR, full_to=6.6 / LAST_HOUR)
    fleet = Fleet(simulate_registry(DEVICES, 3), 3, hour(0), hour(LAST_HOUR), faults, timing)
    write_fleet(fleet, place.settings.landing_dir, folder / "device_registry.csv", folder / "ground_truth.parquet")
    later = folder / _NOT_DELIVERED
    later.mkdir()
    for file in sorted(place.settings.landing_dir.iterdir())[TRAINED_HOUR:]:
        file.rename(later / file.name)
    return place


def make_trained(folder: Path) -> Place:
    """:func:`make_simulated`, and models that were trained on the first hours."""
    place = make_simulated(folder)
    with graph_of(place.settings) as instance:
        outcome = train_models(instance, None, cycle_time(TRAINED_HOUR), in_process=True)
    assert outcome.success, outcome.failures
    return place


def _copy(source: str, to: str) -> None:
    """SQLite removes the log of a store, and its index, when the last reader of a template ends."""
    with suppress(*([FileNotFoundError] if source.endswith(("-wal", "-shm")) else [])):
        shutil.copy2(source, to)


def copy_of(place: Place, folder: Path, lock_wait: timedelta = timedelta(seconds=20)) -> Place:
    """A data folder that starts as ``place`` is now; file times stay, so that nothing looks new."""
    shutil.copytree(place.root, folder, copy_function=_copy)
    return Place(settings_of(folder, lock_wait))

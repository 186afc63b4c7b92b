"""A data folder of its own for every test that asks for one."""

import atexit
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from fridge_assets.settings import ReadingSettings, Settings, WarehouseSettings
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

_ended: list[int] = []
"""Exit status of the session, once it has one."""


def pytest_sessionfinish(exitstatus: int) -> None:
    _ended.append(int(exitstatus))


@atexit.register
def _leave_quietly() -> None:
    # DuckDB's binding prints pages about references that Dagster still holds when the interpreter is torn down.
    # Registered before any other handler, so that this one comes last.
    if _ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_ended[-1])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty data folder; landing files count as settled at once, locks are waited for briefly."""
    return settings_of(tmp_path / "data")


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse.from_settings(settings)


@pytest.fixture
def operations(settings: Settings) -> Operations:
    return Operations(settings.operations_database)


@pytest.fixture
def landing(settings: Settings, operations: Operations) -> Landing:
    return landing_of(settings, operations)


def settings_of(folder: Path, **groups: object) -> Settings:
    """Settings of the data folder ``folder``, for tests that need several of them."""
    return Settings.model_validate(
        {
            "data_dir": folder,
            "readings": ReadingSettings(settle=timedelta(0)),
            "warehouse": WarehouseSettings(lock_wait=timedelta(seconds=1)),
        }
        | groups
    )


def landing_of(settings: Settings, operations: Operations | None = None) -> Landing:
    """The landing folder of ``settings``, created."""
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    return Landing(settings.landing_dir, operations or Operations(settings.operations_database))

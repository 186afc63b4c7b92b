"""Fixtures of the folders that work on the small fleet; each of their conftest modules imports them."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fridge_assets_tests.scenarios.small_fleet import TRAINED_HOUR, Place, copy_of, make_trained, settings_of

FIRST_HOUR = TRAINED_HOUR + 1
"""The first hour after training; its cycle is run once per session."""


@pytest.fixture(scope="session")
def trained_template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The trained fleet of this session; never change it, copy it."""
    return _made_once(_shared_folder(tmp_path_factory) / "trained", make_trained)


@pytest.fixture(scope="session")
def cycled_template(trained_template: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The trained fleet after its first hourly cycle; never change it, copy it."""

    def make(folder: Path) -> None:
        place = copy_of(trained_template, folder)
        place.deliver(FIRST_HOUR)
        place.run_hourly(FIRST_HOUR)

    return _made_once(_shared_folder(tmp_path_factory) / "cycled", make)


@pytest.fixture
def trained(trained_template: Place, tmp_path: Path) -> Place:
    """A folder with trained models and no scores yet."""
    return copy_of(trained_template, tmp_path / "data")


@pytest.fixture
def cycled(cycled_template: Place, tmp_path: Path) -> Place:
    """A folder after its first hourly cycle."""
    return copy_of(cycled_template, tmp_path / "data")


@pytest.fixture
def another_copy(tmp_path: Path) -> Callable[[Place], Place]:
    """Makes a further folder that starts as the given one."""
    return lambda place: copy_of(place, tmp_path / f"copy-{len(list(tmp_path.iterdir()))}")


def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's folder, the same for all processes that pytest-xdist divides the tests among."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def _made_once(folder: Path, make: Callable[[Path], object]) -> Place:
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_suffix(".done")
        if not done.exists():
            make(folder)
            done.touch()
    return Place(settings_of(folder))

"""Fixtures of the folders that work on the small fleet; each of their conftest modules imports them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fridge_assets_tests.once import made_once
from fridge_assets_tests.scenarios.small_fleet import TRAINED_HOUR, Place, copy_of, make_trained, settings_of

FIRST_HOUR = TRAINED_HOUR + 1
"""The first hour after training; its cycle is run once per session."""


@pytest.fixture(scope="session")
def trained_template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The trained fleet of this session; never change it, copy it."""
    return Place(settings_of(made_once("trained", make_trained, tmp_path_factory)))


@pytest.fixture(scope="session")
def cycled_template(trained_template: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The trained fleet after its first hourly cycle; never change it, copy it."""

    def make(folder: Path) -> None:
        place = copy_of(trained_template, folder)
        place.deliver(FIRST_HOUR)
        place.run_hourly(FIRST_HOUR)

    return Place(settings_of(made_once("cycled", make, tmp_path_factory)))


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

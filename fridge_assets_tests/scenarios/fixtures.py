"""Fixtures of the folders that work on the small fleet; each of their conftest modules imports them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from fridge_assets.automation.launch import CycleOutcome
from fridge_assets_tests.scenarios.small_fleet import TRAINED_HOUR, Place, copy_of, make_trained

FIRST_HOUR = TRAINED_HOUR + 1
"""The first hour after training; its cycle is run once per session."""


@cache
def trained_once(base: Path) -> Place:
    """The trained fleet of this session; never change it, copy it."""
    return make_trained(base / "trained")


@cache
def cycled_once(base: Path) -> tuple[Place, CycleOutcome]:
    """The trained fleet after its first hourly cycle; never change it, copy it."""
    place = copy_of(trained_once(base), base / "cycled")
    place.deliver(FIRST_HOUR)
    return place, place.run_hourly(FIRST_HOUR)


@pytest.fixture(scope="session")
def trained_template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return trained_once(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def cycled_template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return cycled_once(tmp_path_factory.getbasetemp())[0]


@pytest.fixture(scope="session")
def first_cycle(tmp_path_factory: pytest.TempPathFactory) -> CycleOutcome:
    """How the first hourly cycle went."""
    return cycled_once(tmp_path_factory.getbasetemp())[1]


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

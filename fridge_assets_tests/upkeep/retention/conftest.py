"""A data folder to sweep, and the small fleet."""

import pytest

from fridge_assets.settings import Settings
from fridge_assets_tests.scenarios.fixtures import cycled, cycled_template, trained_template
from fridge_assets_tests.upkeep.retention.given import Folder

__all__ = ["cycled", "cycled_template", "trained_template"]


@pytest.fixture
def folder(settings: Settings) -> Folder:
    return Folder(settings)

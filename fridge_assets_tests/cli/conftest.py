"""The data folder that commands are typed for, and the small fleet."""

from pathlib import Path

import pytest

from fridge_assets.settings import Settings
from fridge_assets_tests.scenarios.fixtures import (
    another_copy,
    cycled,
    cycled_template,
    trained,
    trained_template,
)

__all__ = ["another_copy", "cycled", "cycled_template", "trained", "trained_template"]


@pytest.fixture
def folder(settings: Settings) -> Path:
    """The data folder of ``settings`` and ``operations``."""
    return settings.root

"""The small fleet, shared by every folder that works on it."""

from fridge_assets_tests.scenarios.fixtures import (
    another_copy,
    cycled,
    cycled_template,
    trained,
    trained_template,
)

__all__ = ["another_copy", "cycled", "cycled_template", "trained", "trained_template"]

"""The small fleet, shared by every folder that works on it."""

from fridge_assets_tests.scenarios.fixtures import cycled, cycled_template, trained_template

__all__ = ["cycled", "cycled_template", "trained_template"]

"""The small fleet, for what the features publish after its cycles."""

from fridge_assets_tests.scenarios.fixtures import cycled, cycled_template, trained_template

__all__ = ["cycled", "cycled_template", "trained_template"]

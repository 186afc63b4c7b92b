"""The small fleet, for what the features publish after its cycles."""

from fridge_assets_tests.scenarios.fixtures import another_copy, cycled, cycled_template

__all__ = ["another_copy", "cycled", "cycled_template"]

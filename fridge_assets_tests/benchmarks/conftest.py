"""The small fleet, which the plain versions of the hourly cycle are run on."""

from fridge_assets_tests.scenarios.fixtures import trained, trained_template

__all__ = ["trained", "trained_template"]

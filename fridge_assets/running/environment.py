"""What a process must be told to find a data folder."""

import os

from fridge_assets.settings import Settings


def process_environment(settings: Settings) -> dict[str, str]:
    """The environment in which Dagster's processes find this data folder."""
    return {**os.environ, "DAGSTER_HOME": str(settings.dagster_home), "FRIDGE_DATA_DIR": str(settings.root)}

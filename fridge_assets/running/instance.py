"""The Dagster instance of a data folder."""

import os
import shutil
from importlib.resources import as_file, files

import dagster as dg

from fridge_assets.running.environment import process_environment
from fridge_assets.settings import Settings
from fridge_assets.stores.files import atomic_write

CONFIG_FILE = "dagster.yaml"


def prepare_dagster_home(settings: Settings) -> None:
    """Make sure the data folder has a Dagster home with production settings; a file that is there stays as it is."""
    config = settings.dagster_home / CONFIG_FILE
    if not config.exists():
        with as_file(files("fridge_assets") / CONFIG_FILE) as template, atomic_write(config) as temporary:
            shutil.copyfile(template, temporary)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance that records every run of this data folder, whoever starts it; use it in a ``with`` block.

    Sets the environment of this process, which the processes that it starts inherit.
    """
    prepare_dagster_home(settings)
    os.environ.update(process_environment(settings))
    return dg.DagsterInstance.from_config(str(settings.dagster_home))

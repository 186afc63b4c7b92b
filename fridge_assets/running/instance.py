"""The Dagster instance of a data folder."""

import os
import shutil
from importlib.resources import as_file, files

import dagster as dg
from alembic.config import Config
from alembic.script import ScriptDirectory

from fridge_assets.running.environment import process_environment
from fridge_assets.settings import Settings
from fridge_assets.stores.files import atomic_write

CONFIG_FILE = "dagster.yaml"

_migrations: dict[str, ScriptDirectory] = {}
"""Folder → its migrations, once they were read."""
_read_migrations = ScriptDirectory.from_config


def _migrations_read_once(config: Config) -> ScriptDirectory:
    """Dagster asks for the newest of its hundred migrations, always the same, three times whenever an instance is
    opened and again for the file of every run: reading them takes a tenth of a second."""
    folder = str(config.get_main_option("script_location"))
    if folder not in _migrations:
        _migrations[folder] = _read_migrations(config)
    return _migrations[folder]


setattr(ScriptDirectory, ScriptDirectory.from_config.__name__, _migrations_read_once)


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

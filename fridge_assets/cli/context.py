"""What every command needs: the settings of the data folder it works on, and its stores."""

import getpass
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fridge_assets.errors import FridgeError
from fridge_assets.settings import Settings, read_settings

if TYPE_CHECKING:
    import dagster as dg

    from fridge_assets.models.lifecycle import ModelLifecycle
    from fridge_assets.stores.landing import Landing
    from fridge_assets.stores.operations import Operations
    from fridge_assets.stores.warehouse import Warehouse


def user_name() -> str:
    """Who sits here, as the system knows.

    Raises:
        FridgeError: the system knows no name, as in some containers.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise FridgeError("this user has no name", "Set the variable USER, or say who acts with --by.") from error


class Workplace:
    """One data folder and the stores in it; each store is opened when a command first needs it.

    Args:
        data_dir: the folder; None for FRIDGE_DATA_DIR or its default.

    Raises:
        FridgeError: a FRIDGE_ variable sets nothing, or has a value that does not fit.
    """

    def __init__(self, data_dir: Path | None) -> None:
        if data_dir is not None:
            os.environ["FRIDGE_DATA_DIR"] = str(data_dir)
        self.settings = read_settings()

    def command(self, words: str) -> str:
        """How to type the command ``words`` for this data folder, as this program was typed."""
        typed = Path(sys.argv[0])
        program = typed.name if shutil.which(typed.name) == str(typed) else _short(typed)
        if self.settings.root == Settings.model_fields["data_dir"].default.resolve():
            return f"{program} {words}"
        return f"{program} --data-dir {_short(self.settings.root)} {words}"

    @cached_property
    def warehouse(self) -> "Warehouse":
        """The DuckDB warehouse."""
        from fridge_assets.stores.warehouse import Warehouse  # noqa: PLC0415 (imports Dagster, which takes seconds)

        return Warehouse.from_settings(self.settings)

    @cached_property
    def operations(self) -> "Operations":
        """The operations store."""
        from fridge_assets.stores.operations import Operations  # noqa: PLC0415

        return Operations(self.settings.operations_database, self.settings.operations.lock_wait)

    @cached_property
    def landing(self) -> "Landing":
        """The landing folder."""
        from fridge_assets.stores.landing import Landing  # noqa: PLC0415

        return Landing(self.settings.landing_dir, self.operations)

    @cached_property
    def models(self) -> "ModelLifecycle":
        """The model versions and where they stand."""
        from fridge_assets.deployment.store import Deployments  # noqa: PLC0415
        from fridge_assets.models.lifecycle import ModelLifecycle  # noqa: PLC0415
        from fridge_assets.models.registry import ModelRegistry  # noqa: PLC0415

        registry = ModelRegistry(self.settings.mlflow_database, self.settings.models_dir)
        return ModelLifecycle(registry, Deployments(self.operations))

    @contextmanager
    def instance(self) -> Iterator["dg.DagsterInstance"]:
        """The Dagster instance that records the runs of this data folder."""
        from fridge_assets.automation.instance import open_instance  # noqa: PLC0415

        with open_instance(self.settings) as instance:
            yield instance


def _short(path: Path) -> str:
    """``path`` as people type it: relative where it lies below the current folder."""
    here = Path.cwd()
    absolute = path.absolute()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)

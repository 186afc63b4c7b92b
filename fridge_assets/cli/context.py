"""What every command needs: the settings of the data folder it works on, and its stores.

Whether a command may create what is missing is decided here. A command says which of the three it is where it takes
its :class:`Workplace`: :func:`reading`, :func:`changing` or :func:`starting`.
"""

import getpass
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fridge_assets.cli.console import show_times_in
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import nearest
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
        raise FridgeError(
            "this user has no name", "Set the variable USER, or --by where the command has it."
        ) from error


class Access(Enum):
    """What a command may do to a data folder."""

    READ = "creates nothing: neither the folder nor a store in it"
    CHANGE = "works on a data folder that is there; a store that it needs there is created"
    START = "creates the data folder where there is none"


def reading(context: typer.Context) -> "Workplace":
    """The data folder for a command that only looks."""
    return _opened(context, Access.READ)


def changing(context: typer.Context, *, on_readings: bool = False) -> "Workplace":
    """The data folder for a command that changes what is there.

    Args:
        context: of the command.
        on_readings: whether it is of no use without readings.

    Raises:
        FridgeError: there is no such data folder, or no reading in it.
    """
    place = _opened(context, Access.CHANGE)
    place.require_folder()
    if on_readings:
        place.require_readings()
    return place


def starting(context: typer.Context) -> "Workplace":
    """The data folder for a command that a fleet may begin with."""
    return _opened(context, Access.START)


def _opened(context: typer.Context, access: Access) -> "Workplace":
    place: Workplace = context.obj
    place.access = access
    return place


class Workplace:
    """One data folder and the stores in it; each store is opened when a command first needs it.

    Args:
        data_dir: the folder; None for FRIDGE_DATA_DIR or its default.

    Raises:
        FridgeError: a FRIDGE_ variable sets nothing, or has a value that does not fit.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self.access = Access.READ
        if data_dir is not None:
            os.environ["FRIDGE_DATA_DIR"] = str(data_dir)
        self.settings = read_settings()
        show_times_in(self.settings.display.timezone)

    def command(self, words: str) -> str:
        """How to type the command ``words`` for this data folder, as this program was typed."""
        typed = Path(sys.argv[0])
        program = shlex.quote(typed.name if shutil.which(typed.name) == str(typed) else _short(typed))
        if self.settings.root == Settings.model_fields["data_dir"].default.resolve():
            return f"{program} {words}"
        return f"{program} --data-dir {shlex.quote(_short(self.settings.root))} {words}"

    def require_folder(self) -> None:
        """Refuse a folder that holds no fleet: its name may be mistyped.

        Raises:
            FridgeError: it is not there, or nothing of a fleet is in it; names a folder beside it that is meant maybe.
        """
        settings = self.settings
        if _holds_fleet(settings):
            return
        root = settings.root
        problem = f"there is no data folder {root}" if not root.is_dir() else f"{root} holds no fleet"
        meant = _meant(settings)
        raise FridgeError(
            problem,
            (f"Did you mean --data-dir {shlex.quote(_short(meant))}? " if meant else "Check --data-dir and ")
            + ("Otherwise begin" if meant else "FRIDGE_DATA_DIR, or begin")
            + f" with {self.command('simulate')} or {self.command('ingest FILE')}.",
        )

    def require_readings(self) -> None:
        """Refuse a folder without any reading, before anything is started that would find out slowly.

        Raises:
            FridgeError: nothing has landed and nothing was ingested.
        """
        settings = self.settings
        from fridge_assets.stores.landing import landed_paths  # noqa: PLC0415

        stored = settings.warehouse_dir.glob("clean_sensor_readings/**/*.parquet")
        if not landed_paths(settings.landing_dir) and not any(stored):
            raise FridgeError(
                f"there are no readings in {settings.root}",
                f"Bring some with {self.command('ingest FILE')}, or try {self.command('simulate')}.",
            )

    def _find(self, file: Path, what: str) -> None:
        """See to it that a store may be opened: ``file`` is there, or may be created."""
        if self.access is Access.START or file.exists():
            return
        self.require_folder()
        if self.access is Access.READ:
            raise FridgeError(
                f"{self.settings.root} has no {what} yet",
                f"Nothing has run there: begin with {self.command('train')}.",
            )

    @cached_property
    def warehouse(self) -> "Warehouse":
        """The DuckDB warehouse."""
        if self.settings.operations_url or self.settings.operations_file.exists():
            # The stream raises alerts before any run has made a warehouse, which is read as an empty one then.
            if self.access is not Access.START:
                self.require_folder()
        else:
            self._find(self.settings.warehouse_file, "warehouse")
        from fridge_assets.stores.warehouse import Warehouse  # noqa: PLC0415 (brings DuckDB and Arrow, which not every command needs)

        return Warehouse.from_settings(self.settings)

    @cached_property
    def operations(self) -> "Operations":
        """The operations store."""
        from fridge_assets.stores.operations import Operations  # noqa: PLC0415

        if not self.settings.operations_url:  # a store elsewhere says itself whether it is there
            self._find(self.settings.operations_file, "operations store")
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

        if self.access is not Access.START:
            self.require_folder()
        registry = ModelRegistry(self.settings.mlflow_database, self.settings.models_dir)
        return ModelLifecycle(registry, Deployments(self.operations))

    @contextmanager
    def instance(self) -> Iterator["dg.DagsterInstance"]:
        """The Dagster instance that records the runs of this data folder; one without runs where nothing has run."""
        if self.access is Access.READ and not self.settings.dagster_home.exists():
            self.require_folder()
            import dagster as dg  # noqa: PLC0415

            with dg.DagsterInstance.ephemeral() as empty:
                yield empty
            return
        from fridge_assets.running.instance import open_instance  # noqa: PLC0415

        if self.access is not Access.START:
            self.require_folder()
        with open_instance(self.settings) as instance:
            yield instance


def _holds_fleet(settings: Settings) -> bool:
    """Whether anything of a fleet is in the folder: a registry, readings, a source or a store."""
    parts = (settings.landing_dir, settings.sources_dir, settings.operations_file, settings.warehouse_file)
    return any(part.exists() for part in parts) or any(settings.root.glob("device_registry.*"))


def _meant(settings: Settings) -> Path | None:
    """The folder with a fleet beside ``settings.root`` whose name is nearest."""
    root = settings.root
    with suppress(OSError):
        others = {
            folder.name: folder
            for folder in root.parent.iterdir()
            if folder.is_dir() and _holds_fleet(settings.model_copy(update={"data_dir": folder}))
        }
        found = nearest(root.name, others)
        return None if found is None else others[found]
    return None


def _short(path: Path) -> str:
    """``path`` as people type it: relative where it lies below the current folder."""
    here = Path.cwd()
    absolute = path.absolute()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)

"""A data folder of its own for every test that asks for one, whose empty stores are copied instead of made."""

import atexit
import gc
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from fridge_assets.core.collector import keep_what_was_imported
from fridge_assets.running.stopping import SIGNALS, _received
from fridge_assets.settings import ReadingSettings, Settings, WarehouseSettings
from fridge_assets.stores.files import writable_folder
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse, _put
from fridge_assets_tests.environment import put_back

_ended: list[int] = []
"""Exit status of the session, once it has one."""


# A shell ignores Ctrl-C in the background, and Dagster takes SIGTERM as it finds SIGINT: the helpers that it ends with
# SIGTERM would stay, and each run would wait a minute for them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_LONGEST = ("scenarios", "automation", "running")


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: the tests of daemons and commands mostly wait for them."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that no core is left with one of them at the end.

    The first file trains the small fleet; those follow that do without it, so that no process waits for it.
    """
    with_fleet = {item.path: None for item in items if "trained_template" in getattr(item, "fixturenames", ())}
    first = next(iter(with_fleet), None)
    items.sort(key=lambda item: (item.path.parent.name not in _LONGEST, item.path != first, item.path in with_fleet))


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end: looking through them again finds no garbage."""
    gc.collect()
    keep_what_was_imported()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    _ended.append(int(session.exitstatus))


@atexit.register
def _leave_quietly() -> None:
    # DuckDB's binding prints pages about references that Dagster still holds when the interpreter is torn down.
    # Handlers that were registered before this one are skipped, those of the tests come first.
    if _ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_ended[-1])


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves the data folder that it opened to the next one."""
    put_back(monkeypatch)


@pytest.fixture
def signals() -> Iterator[None]:
    """For a test that has signals heard in this process: afterwards they are heard as before, and none has come."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)
    _received.clear()


@pytest.fixture(scope="session")
def empty_stores(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A data folder whose warehouse and operations store have their tables and nothing in them."""
    settings = settings_of(tmp_path_factory.mktemp("empty") / "data")
    Warehouse.from_settings(settings)._make()
    Operations(settings.operations_database).migrate()
    return settings


@pytest.fixture(autouse=True)
def copied_stores(empty_stores: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """New stores are copies of empty ones: making their tables takes longer than most tests.

    Those of other processes are made, and those of the tests in ``stores``, which override this.
    """
    migrated = Path(str(sa.make_url(empty_stores.operations_database).database))

    def make(warehouse: Warehouse) -> None:
        file = Path(warehouse.database)
        with TemporaryDirectory(dir=writable_folder(file.parent), prefix=".new-") as folder, suppress(FileExistsError):
            _put(Path(shutil.copy(empty_stores.warehouse_file, folder)), file)

    upgrade = Operations._upgrade

    def copy_or_upgrade(operations: Operations) -> None:
        if operations._engine.name != "sqlite" or operations._version() is not None:
            upgrade(operations)
            return
        with closing(sqlite3.connect(migrated)) as source, closing(operations._engine.raw_connection()) as target:
            assert isinstance(target.driver_connection, sqlite3.Connection)
            source.backup(target.driver_connection)

    monkeypatch.setattr(Warehouse, "_make", make)
    monkeypatch.setattr(Operations, "_upgrade", copy_or_upgrade)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty data folder; landing files count as settled at once, locks are waited for briefly."""
    return settings_of(tmp_path / "data")


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse.from_settings(settings)


@pytest.fixture
def operations(settings: Settings) -> Operations:
    return Operations(settings.operations_database)


@pytest.fixture
def landing(settings: Settings, operations: Operations) -> Landing:
    return landing_of(settings, operations)


def settings_of(folder: Path, **groups: object) -> Settings:
    """Settings of the data folder ``folder``, for tests that need several of them."""
    return Settings.model_validate(
        {
            "data_dir": folder,
            "readings": ReadingSettings(settle=timedelta(0)),
            "warehouse": WarehouseSettings(lock_wait=timedelta(seconds=1)),
        }
        | groups
    )


def landing_of(settings: Settings, operations: Operations | None = None) -> Landing:
    """The landing folder of ``settings``, created."""
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    return Landing(settings.landing_dir, operations or Operations(settings.operations_database))

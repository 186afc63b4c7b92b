"""A maintenance system for every test that asks for one, a clock, and a store that is migrated already."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.given import WallClock
from fridge_assets_tests.work_orders.webhook_server import WebhookServer


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with WebhookServer() as server:
        yield server


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database; migrating takes longer than most tests here."""
    file = tmp_path_factory.mktemp("operations") / "operations.db"
    Operations(f"sqlite:///{file}").migrate()
    return file


@pytest.fixture
def operations(settings: Settings, migrated_store: Path) -> Operations:
    settings.root.mkdir(parents=True)
    shutil.copy(migrated_store, settings.root / "operations.db")
    return Operations(settings.operations_database)

"""A maintenance system for every test that asks for one, and a clock."""

from collections.abc import Iterator

import pytest

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

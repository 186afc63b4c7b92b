"""A Slack server for every test that asks for one, with no proxy in between."""

from collections.abc import Iterator

import pytest

from fridge_assets_tests.notifications.given import WallClock
from fridge_assets_tests.notifications.slack_server import SlackServer


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackServer]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with SlackServer() as server:
        yield server


@pytest.fixture
def clock() -> WallClock:
    return WallClock()

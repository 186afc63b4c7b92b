"""One run of alerting: nobody waits while alerts are made, and nothing that somebody did meanwhile is lost (SPEC 6)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fridge_assets.alerting import run
from fridge_assets.alerting.run import raise_alerts
from fridge_assets.alerting.store import events_of_alerts
from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import Settings
from fridge_assets.staleness.fallback import judge_by_rules
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.engine import Onset
from fridge_assets.streaming.onsets import alert_of
from fridge_assets.streaming.rules import OVERLOAD
from fridge_assets_tests.notifications.given import stored
from fridge_assets_tests.staleness.given import MINUTE, NOON, WINDOW, registry_of, store_features
from fridge_assets_tests.staleness.test_fallback import HOUR, LEAKING, Shop

NOW = NOON + 3 * MINUTE


@pytest.fixture
def shop(warehouse: Warehouse, settings: Settings) -> Shop:
    """A shop whose operations store is waited for a moment only."""
    return Shop(warehouse, Operations(settings.operations_database, timedelta(seconds=0.2)), settings)


def person_sets(shop: Shop, status: str) -> None:
    with shop.operations.transaction() as connection:
        connection.execute(sa.update(device_alerts).values(status=status, revision=device_alerts.c.revision + 1))


def the_stream_raises(shop: Shop, device: str, at: datetime) -> None:
    onset = Onset(device, OVERLOAD.name, at, 47.0, 40.0, 40.0)
    with shop.operations.transaction() as connection:
        connection.execute(device_alerts.insert(), [alert_of(onset, "s1", at, None, at, shop.settings)])


def meanwhile(patch: pytest.MonkeyPatch, happens: Callable[[int], object]) -> list[int]:
    """Let something happen every time that alerts are generated; the returned list grows with each of them."""
    generate, times = run.generate_alerts, list[int]()

    def generate_while_it_happens(*arguments: Any) -> Any:
        times.append(len(times))
        happens(times[-1])
        return generate(*arguments)

    patch.setattr(run, "generate_alerts", generate_while_it_happens)
    return times


def test_others_can_write_while_alerts_are_generated(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def somebody_writes(_: int) -> None:
        with shop.operations.transaction() as connection:
            connection.execute(sa.text("UPDATE watched_states SET detail = 'x'"))

    times = meanwhile(monkeypatch, somebody_writes)
    shop.by_models(NOON, {"d1": 0.8})
    assert len(shop.alerts()) == 1
    assert len(times) == 1, "what was written was no alert"


def test_what_somebody_did_to_an_alert_meanwhile_stays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.by_models(NOON, {"d1": 0.8})
    shop.by_models(NOON + HOUR, {"d1": 0.1})
    times = meanwhile(monkeypatch, lambda time: None if time else person_sets(shop, "FALSE_POSITIVE"))
    shop.by_models(NOON + 2 * HOUR, {"d1": 0.1})  # the second quiet window would close it
    assert list(shop.alerts(active=False)["status"]) == ["FALSE_POSITIVE"]
    assert len(times) == 2


def test_a_storm_of_the_stream_does_not_keep_alerts_from_being_made(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = meanwhile(monkeypatch, lambda time: the_stream_raises(shop, f"d{time}", NOON + time * MINUTE))
    shop.by_models(NOON, {"d1": 0.8})
    assert len(times) == 1
    assert list(shop.alerts()["source"]) == ["models", "streaming"]


def test_what_the_models_say_of_an_acute_alert_is_stored_with_its_story_and_tells_nobody(shop: Shop) -> None:
    for device in ("d1", "d2"):
        the_stream_raises(shop, device, NOON - 20 * MINUTE)
    shop.by_models(NOON, {"d1": 0.1, "d2": 0.99}, contributor="current_compressor_mean")
    alerts = shop.alerts(active=False)
    assert list(zip(alerts["device_id"], alerts["source"], alerts["alert_type"], alerts["status"], strict=True)) == [
        ("d1", "streaming", "ANOMALY_RESOLVED", "RESOLVED"),
        ("d2", "streaming", "ANOMALY_SUSTAINED", "OPEN"),
        ("d2", "models", "ANOMALY_SUSTAINED", "RESOLVED"),
    ]
    assert stored(shop.operations) == {}
    with shop.operations.read() as connection:
        events = events_of_alerts(connection, alerts["alert_id"])
    assert len(events) == 3
    shop.alert(NOW + MINUTE, "d1", "d2")
    with shop.operations.read() as connection:
        assert len(events_of_alerts(connection, alerts["alert_id"])) == 3


def test_alerts_that_somebody_keeps_changing_are_left_to_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.by_models(NOON, {"d1": 0.8})
    before = len(stored(shop.operations))
    with monkeypatch.context() as patch:
        times = meanwhile(patch, lambda time: person_sets(shop, ("ACKNOWLEDGED", "OPEN")[time % 2]))
        with pytest.raises(FridgeError, match=r"changed by somebody else 5 times.*13:00 UTC\. Nothing was stored"):
            shop.by_models(NOON + HOUR, {"d1": 0.1, "d2": 0.99})
    assert len(times) == 5
    assert list(shop.alerts()["device_id"]) == ["d1"]
    assert len(stored(shop.operations)) == before
    assert shop.alert(NOON + HOUR + 4 * MINUTE, "d1", "d2").news
    assert list(shop.alerts()["device_id"]) == ["d1", "d2"]


def test_only_other_scores_or_verdicts_are_news(shop: Shop) -> None:
    assert shop.by_models(NOON, {"d1": 0.1}).news
    assert not shop.alert(NOW + MINUTE, "d1").news
    later = shop.alert(NOW + HOUR, "d1")
    assert (later.tier, later.news) == ("stale", False)
    assert shop.by_models(NOON + HOUR, {"d1": 0.1}).news
    start = NOON + 4 * HOUR
    assert shop.by_rules(start, {"d1": LEAKING}).news
    assert not shop.by_rules(start, {"d1": LEAKING}).news
    assert shop.by_rules(start + WINDOW, {"d1": LEAKING}).news
    assert not shop.alert(start + 3 * HOUR, "d1").news, "nobody has judged lately"


def test_an_alert_keeps_how_old_the_scores_were_that_it_was_made_of(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.8})
    assert list(shop.alerts()["note"]) == ["Made of scores of 2026-06-01 12:03 UTC, fresh at the time"]
    shop.by_rules(NOON + 3 * HOUR, {"d2": LEAKING})
    by_rules = "Made by the rules instead of scores of 2026-06-01 12:03 UTC, very stale at the time"
    assert list(shop.alerts()["note"])[1:] == [by_rules]


def test_where_no_model_speaks_an_alert_says_so(shop: Shop) -> None:
    shop.by_rules(NOON, {"d1": LEAKING})
    assert list(shop.alerts()["note"]) == ["Made by the rules instead of scores of no model, expired at the time"]


def test_messages_of_a_replay_wait_from_the_actual_time(shop: Shop) -> None:
    store_features(shop.warehouse, {"d1": LEAKING})
    judge_by_rules(shop.warehouse, registry_of("d1"), NOW, shop.settings)
    wall_time = NOON + 900 * HOUR
    raise_alerts(shop.warehouse, shop.operations, registry_of("d1"), NOW, shop.settings, wall_time=wall_time)
    (message,) = stored(shop.operations).values()
    assert (message.occurred_at, message.created_at) == (NOW, wall_time)

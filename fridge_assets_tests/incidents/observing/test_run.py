"""One run of alerting: nobody waits while words are made, and nothing that somebody did meanwhile is lost (SPEC 6)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fridge_assets.incidents.observing import run
from fridge_assets.incidents.observing.run import raise_alerts
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.together import Fleet
from fridge_assets.settings import Settings
from fridge_assets.staleness.fallback import judge_by_rules
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.engine import Changes, Onset
from fridge_assets.streaming.observed import observed_in
from fridge_assets.streaming.rules import OVERLOAD
from fridge_assets_tests.notifications.given import stored
from fridge_assets_tests.staleness.given import MINUTE, NOON, WINDOW, registry_of, store_features
from fridge_assets_tests.staleness.test_fallback import HOUR, LEAKING, WORN, Shop

NOW = NOON + 3 * MINUTE


@pytest.fixture
def shop(warehouse: Warehouse, settings: Settings) -> Shop:
    """A shop whose operations store is waited for a moment only."""
    return Shop(warehouse, Operations(settings.operations_database, timedelta(seconds=0.2)), settings)


def the_stream_sees(shop: Shop, device: str, at: datetime) -> None:
    onset = Onset(device, OVERLOAD.name, at, 47.0, 40.0, 40.0)
    observed = observed_in(Changes(new=[onset]), {device: "s1"}, shop.settings)
    with shop.operations.transaction() as connection:
        observe(connection, observed, Fleet({}), at, shop.settings.alerts)


def meanwhile(patch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen while a run makes its words."""
    observed = run.observed_in

    def observe_while_it_happens(*arguments: Any) -> Any:
        happens()
        return observed(*arguments)

    patch.setattr(run, "observed_in", observe_while_it_happens)


def test_others_can_write_while_words_are_made(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def somebody_writes() -> None:
        with shop.operations.transaction() as connection:
            connection.execute(sa.text("UPDATE watched_states SET detail = 'x'"))

    meanwhile(monkeypatch, somebody_writes)
    shop.by_models(NOON, {"d1": 0.9})
    assert len(shop.alerts()) == 1


def test_what_the_stream_sees_meanwhile_is_the_incident_that_the_models_evidence_joins(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: the_stream_sees(shop, "d1", NOON - MINUTE))
    shop.by_models(NOON, {"d1": 0.9}, contributor="current_compressor_mean")
    alerts = shop.alerts()
    assert sorted(alerts["source"]) == ["models", "streaming"]
    assert len(set(alerts["incident_id"])) == 1
    assert shop.events()[-1][0] == "join"


def test_what_the_models_say_of_acute_trouble_is_stored_with_its_story_and_tells_nobody(shop: Shop) -> None:
    for device in ("d1", "d2"):
        the_stream_sees(shop, device, NOON - 20 * MINUTE)
    told = set(stored(shop.operations))
    shop.by_models(NOON, {"d1": 0.1, "d2": 0.99}, contributor="current_compressor_mean")
    alerts = shop.alerts(active=False)
    assert list(zip(alerts["device_id"], alerts["source"], alerts["alert_type"], alerts["status"], strict=True)) == [
        ("d1", "streaming", "ANOMALY_RESOLVED", "RESOLVED"),
        ("d2", "streaming", "ANOMALY_SUSTAINED", "OPEN"),
        ("d2", "models", "ANOMALY_SUSTAINED", "OPEN"),
    ]
    assert alerts["note"].iloc[0].endswith("The models found it transient")
    assert set(stored(shop.operations)) == told
    events = [shop.events(device) for device in ("d1", "d2")]
    shop.alert(NOW + MINUTE, "d1", "d2")
    assert [shop.events(device) for device in ("d1", "d2")] == events


def test_a_run_that_was_missed_does_not_keep_a_quiet_device_open(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.by_models(NOON, {"d1": 0.9})
    with monkeypatch.context() as patch:
        patch.setattr(Shop, "alert", lambda *_: None)
        shop.by_models(NOON + HOUR, {"d1": 0.1})
    shop.by_models(NOON + 2 * HOUR, {"d1": 0.1})
    assert shop.alerts().empty, "two windows in a row were quiet, whoever has looked at them"


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
    store_features(shop.warehouse, {"d1": LEAKING | WORN})
    judge_by_rules(shop.warehouse, registry_of("d1"), NOW, shop.settings)
    wall_time = NOON + 900 * HOUR
    raise_alerts(shop.warehouse, shop.operations, registry_of("d1"), NOW, shop.settings, wall_time=wall_time)
    (message,) = stored(shop.operations).values()
    assert (message.occurred_at, message.created_at) == (NOW, wall_time)

"""The rules that stand in for the models: every limit, who is judged, and which alerts come of it (SPEC 4.1, 6)."""

import math
from datetime import datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.incidents.known import newest_incidents
from fridge_assets.incidents.observing.run import AlertReport, raise_alerts
from fridge_assets.incidents.state import Incident
from fridge_assets.settings import FallbackSettings, IncidentSettings, Settings
from fridge_assets.staleness.fallback import (
    FallbackBlind,
    conditions_met,
    devices_judged_by_rules,
    judge_by_rules,
    newest_judged_window,
)
from fridge_assets.stores.frames import registered
from fridge_assets.stores.operations import Operations, incident_events
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.incidents.observing.stored import stored_alerts
from fridge_assets_tests.notifications.given import stored
from fridge_assets_tests.staleness.given import (
    MINUTE,
    NOON,
    WINDOW,
    Values,
    features_of,
    registry_of,
    store_features,
    store_run,
)

EVAPORATOR, VIBRATION, PRESSURE, CURRENT = (
    "temp_evaporator_mean",
    "vibration_compressor_max",
    "pressure_low_mean",
    "current_compressor_max",
)
NOW = NOON + 3 * MINUTE
HOUR = timedelta(hours=1)
LEAKING: Values = {PRESSURE: 90.0}
WORN: Values = {VIBRATION: 22.0}


def conditions(**unusual: float | None) -> list[str]:
    found: list[str] = conditions_met(features_of({"d1": unusual}), FallbackSettings()).iloc[0]
    return found


# --- conditions


@pytest.mark.parametrize(
    ("feature", "at_limit", "beyond"),
    [
        (EVAPORATOR, 0.0, 0.001),
        (VIBRATION, 20.0, math.nextafter(20.0, math.inf)),
        (PRESSURE, 100.0, math.nextafter(100.0, 0.0)),
        (CURRENT, 35.0, math.nextafter(35.0, math.inf)),
    ],
)
def test_a_condition_holds_beyond_its_limit_and_not_at_it(feature: str, at_limit: float, beyond: float) -> None:
    assert conditions(**{feature: at_limit}) == []
    assert conditions(**{feature: beyond}) == [feature]


def test_a_usual_device_meets_no_condition_and_a_null_is_beyond_nothing() -> None:
    assert conditions() == []
    assert conditions(**dict.fromkeys((EVAPORATOR, VIBRATION, PRESSURE, CURRENT))) == []
    assert conditions(**{EVAPORATOR: None, CURRENT: 36.0}) == [CURRENT]


def test_conditions_are_named_furthest_first() -> None:
    assert conditions(**{EVAPORATOR: 1.0, CURRENT: 70.0, VIBRATION: 30.0}) == [CURRENT, VIBRATION, EVAPORATOR]
    assert conditions(**{EVAPORATOR: 12.0, PRESSURE: 50.0, CURRENT: 36.0}) == [EVAPORATOR, PRESSURE, CURRENT]
    assert conditions(**{PRESSURE: 0.0, CURRENT: 49.0}) == [PRESSURE, CURRENT]


def test_the_limits_come_from_the_settings() -> None:
    rows = features_of({"d1": {CURRENT: 20.0, EVAPORATOR: -15.0}})
    limits = FallbackSettings(max_current=19.0, max_evaporator_temperature=-18.0)
    assert set(conditions_met(rows, limits).iloc[0]) == {CURRENT, EVAPORATOR}


# --- who is judged


def judged(warehouse: Warehouse, settings: Settings, *devices: str, now: datetime = NOW) -> pd.DataFrame:
    return judge_by_rules(warehouse, registry_of(*devices), now, settings).rows


def test_active_devices_of_the_newest_window_are_judged_and_only_flagged(
    warehouse: Warehouse, settings: Settings
) -> None:
    store_features(warehouse, {"d1": LEAKING}, NOON - WINDOW)
    store_features(warehouse, {"d1": WORN, "d2": {}, "retired": LEAKING})
    rows = judged(warehouse, settings, "d1", "d2", "silent")
    assert list(rows["device_id"]) == ["d1", "d2"]
    assert list(rows["anomaly_flag"]) == [True, False]
    assert list(rows["conditions"]) == [[VIBRATION], []]
    assert (rows["anomaly_score"] == 0.0).all()
    assert (rows["window_end"] == NOON).all()


def test_a_device_that_measured_nothing_with_a_limit_is_not_judged(warehouse: Warehouse, settings: Settings) -> None:
    nothing: Values = dict.fromkeys((EVAPORATOR, VIBRATION, PRESSURE, CURRENT))
    store_features(warehouse, {"d1": {}, "blind": nothing, "half blind": {**nothing, CURRENT: 14.0}})
    assert list(judged(warehouse, settings, "d1", "blind", "half blind")["device_id"]) == ["d1", "half blind"]


def test_judging_a_window_again_replaces_what_was_said_of_it(warehouse: Warehouse, settings: Settings) -> None:
    store_features(warehouse, {"d1": LEAKING})
    judged(warehouse, settings, "d1")
    store_features(warehouse, {"d1": {}})  # readings that came late
    judged(warehouse, settings, "d1")
    with warehouse.read() as connection:
        assert connection.execute("SELECT anomaly_flag FROM rules_based_fallback").fetchall() == [(False,)]


def test_features_older_than_45_minutes_blind_the_rules_and_leave_what_they_said(
    warehouse: Warehouse, settings: Settings
) -> None:
    with pytest.raises(FallbackBlind, match="there are no features yet"):
        judged(warehouse, settings, "d1")
    store_features(warehouse, {"d1": LEAKING})
    judged(warehouse, settings, "d1", now=NOON + 45 * MINUTE)
    with pytest.raises(FallbackBlind, match=r"newest features are of 2026-06-01 12:00 UTC.*older than 45 min"):
        judged(warehouse, settings, "d1", now=NOON + 45 * MINUTE + MINUTE / 60)
    with warehouse.read() as connection:
        assert connection.execute("SELECT device_id FROM rules_based_fallback").fetchall() == [("d1",)]


def test_verdicts_are_acted_on_while_they_are_young(warehouse: Warehouse, settings: Settings) -> None:
    store_features(warehouse, {"d1": LEAKING, "d2": {}})
    judged(warehouse, settings, "d1", "d2")
    with warehouse.read() as connection:
        for now, window, devices in (
            (NOON - MINUTE, None, []),
            (NOON + 45 * MINUTE, NOON, ["d1", "d2"]),
            (NOON + 46 * MINUTE, None, []),
        ):
            assert newest_judged_window(connection, now, settings.features) == window
            assert sorted(devices_judged_by_rules(connection, now, settings.features)) == devices


# --- alerts


class Shop:
    """Devices whose models fell silent, or speak, window by window."""

    def __init__(self, warehouse: Warehouse, operations: Operations, settings: Settings) -> None:
        self.warehouse, self.operations, self.settings = warehouse, operations, settings

    def by_rules(self, window_end: datetime, devices: dict[str, Values]) -> AlertReport:
        """The rules judge a window, and alerts are made of it."""
        now = window_end + 3 * MINUTE
        store_features(self.warehouse, devices, window_end)
        judge_by_rules(self.warehouse, registry_of(*devices), now, self.settings)
        return self.alert(now, *devices)

    def by_models(self, window_end: datetime, scores: dict[str, float], contributor: str = PRESSURE) -> AlertReport:
        """A model scores a window, and alerts are made of it."""
        now = window_end + 3 * MINUTE
        rows = MODEL_SCORES.sample(len(scores)).assign(
            device_id=list(scores),
            window_start=pd.Timestamp(window_end - WINDOW),
            window_end=pd.Timestamp(window_end),
            model_id="isolation_forest_v1",
            anomaly_score=list(scores.values()),
            threshold_used=0.6,
            scored_at=pd.Timestamp(now),
        )
        rows["anomaly_flag"] = rows["anomaly_score"] > 0.6
        rows["score_id"] = [f"{device} {window_end}" for device in scores]
        rows["top_contributors"] = [[contributor] if flag else [] for flag in rows["anomaly_flag"]]
        rows["contributor_scores"] = [[1.0] if flag else [] for flag in rows["anomaly_flag"]]
        columns = ", ".join(MODEL_SCORES.column_names)
        with self.warehouse.transaction() as connection, registered(connection, rows=MODEL_SCORES.to_arrow(rows)):
            connection.execute(f"INSERT INTO model_scores ({columns}) SELECT {columns} FROM rows")
        store_run(self.warehouse, "isolation_forest", window_end, now)
        return self.alert(now, *scores)

    def alert(self, now: datetime, *devices: str) -> AlertReport:
        return raise_alerts(self.warehouse, self.operations, registry_of(*devices), now, self.settings)

    def incident(self, device: str = "d1") -> Incident:
        """The newest incident of a device."""
        with self.operations.read() as connection:
            found, newest = newest_incidents(connection, [device])
        return found[newest[device]]

    def events(self, device: str = "d1") -> list[tuple[str, str]]:
        """Action and note of the events of its newest incident, in their order."""
        columns = incident_events.c
        own = columns.incident_id == self.incident(device).incident_id
        query = sa.select(columns.action, columns.note).where(own).order_by(columns.revision)
        with self.operations.read() as connection:
            return [(action, note) for action, note in connection.execute(query)]

    def alerts(self, active: bool = True) -> pd.DataFrame:
        """Alerts of open incidents, or all of them; the suppressed ones are among them."""
        return stored_alerts(self.operations, active=active)


@pytest.fixture
def shop(warehouse: Warehouse, operations: Operations, settings: Settings) -> Shop:
    return Shop(warehouse, operations, settings)


def test_one_condition_is_medium_two_are_high_and_none_is_no_alert(shop: Shop) -> None:
    report = shop.by_rules(NOON, {"d1": LEAKING, "d2": LEAKING | WORN, "d3": {}})
    assert (report.source, report.tier, report.window_end) == ("rules_fallback", "expired", NOON)
    alerts = shop.alerts()
    assert list(zip(alerts["device_id"], alerts["severity"], strict=True)) == [("d1", "MEDIUM"), ("d2", "HIGH")]
    assert set(alerts["source"]) == {"rules_fallback"}
    assert (alerts["anomaly_score"] == 0.0).all()
    assert list(map(list, alerts["top_contributors"])) == [[PRESSURE], [PRESSURE, VIBRATION]]
    assert list(alerts["suppressed_because"].fillna("")) == ["unconfirmed", ""], "one waits for another window"
    assert {m.channel for m in stored(shop.operations).values()} == {"operations"}


def test_how_many_conditions_make_it_high_is_a_setting(
    warehouse: Warehouse, operations: Operations, settings: Settings
) -> None:
    strict = settings.model_copy(update={"alerts": IncidentSettings(high_conditions=3)})
    shop = Shop(warehouse, operations, strict)
    shop.by_rules(NOON, {"d1": LEAKING | WORN, "d2": LEAKING | WORN | {CURRENT: 40.0}})
    assert list(shop.alerts()["severity"]) == ["MEDIUM", "HIGH"]


def test_an_alert_of_the_rules_says_which_sensor_how_far_since_when_and_that_no_model_was_asked(shop: Shop) -> None:
    for hours in range(1, 25):
        store_features(shop.warehouse, {"d1": {}}, NOON - hours * HOUR)
    shop.by_rules(NOON, {"d1": {PRESSURE: 90.0, VIBRATION: 22.0}})
    alert = shop.alerts().iloc[0]
    assert alert["title"] == "Low-side pressure below its limit"
    assert alert["description"] == (
        "Low-side pressure averaged 90 kPa between 11:45 and 12:00 UTC, below the limit of 100 kPa. "
        "Also compressor vibration peak 22 mm/s (limit 20 mm/s). First seen 12:00 UTC. "
        "The models' scores are too old to be asked."
    )


def test_the_same_condition_in_the_next_windows_is_told_once_it_is_confirmed_and_not_again(shop: Shop) -> None:
    shop.by_rules(NOON, {"d1": LEAKING})
    for window in (0, 1, 2):
        shop.by_rules(NOON + window * WINDOW, {"d1": LEAKING})
    assert list(shop.alerts()["suppressed_because"].fillna("")) == ["unconfirmed", "", "repeat"]
    assert len(stored(shop.operations)) == 1
    assert [action for action, _ in shop.events()] == ["open", "join", "join"]


def test_what_the_rules_see_of_a_device_that_the_models_have_told_of_joins_its_incident(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.9})
    report = shop.by_rules(NOON + 2 * HOUR, {"d1": LEAKING})
    assert report.source == "rules_fallback"
    assert list(shop.alerts()["source"]) == ["models", "rules_fallback"]
    assert len(set(shop.alerts()["incident_id"])) == 1
    assert list(shop.alerts()["suppressed_because"].fillna("")) == ["", "repeat"]
    assert len(stored(shop.operations)) == 1


def test_the_rules_close_their_own_incidents_after_two_quiet_windows_and_never_those_of_the_models(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.9, "d2": 0.1}, contributor="superheat_mean")
    start = NOON + 2 * HOUR
    shop.by_rules(start, {"d1": {}, "d2": LEAKING})
    assert set(shop.alerts()["device_id"]) == {"d1", "d2"}
    shop.by_rules(start + WINDOW, {"d1": {}, "d2": {}})
    assert set(shop.alerts()["device_id"]) == {"d1", "d2"}, "one quiet window is not enough"
    shop.by_rules(start + 2 * WINDOW, {"d1": {}, "d2": {}})
    assert list(shop.alerts()["device_id"]) == ["d1"]
    assert list(shop.alerts()["source"]) == ["models"]


def test_once_they_speak_again_the_models_close_at_once_what_the_rules_raised_and_they_do_not_see(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.1, "d2": 0.1})
    shop.by_rules(NOON + 2 * HOUR, {"d1": LEAKING, "d2": LEAKING})
    assert shop.by_models(NOON + 3 * HOUR, {"d1": 0.1}).source == "models"
    assert list(shop.alerts()["device_id"]) == ["d2"], "which no model has looked at"
    over = shop.alerts(active=False).iloc[0]
    assert (over["device_id"], over["status"], over["alert_type"]) == ("d1", "RESOLVED", "ANOMALY_RESOLVED")
    assert shop.events()[-1] == ("recover", "Not flagged for 1 window in a row")


def test_what_the_models_see_of_a_device_that_the_rules_have_told_of_is_the_same_trouble(shop: Shop) -> None:
    for window in (0, 1):
        shop.by_rules(NOON + window * WINDOW, {"d1": LEAKING})
    before = shop.incident()
    shop.by_models(NOON + HOUR, {"d1": 0.9}, contributor="superheat_mean")
    after = shop.incident()
    assert (after.incident_id, after.deadline) == (before.incident_id, before.deadline), "the work goes on"
    assert after.first_detected_at == before.first_detected_at
    assert [sign.sensor for sign in after.named] == ["pressure_low_side", "superheat"]


def test_the_rules_speak_from_two_hours_on_and_not_a_moment_before(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.1})
    scored_at = NOON + 3 * MINUTE
    store_features(shop.warehouse, {"d1": LEAKING}, NOON + 2 * HOUR)
    judge_by_rules(shop.warehouse, registry_of("d1"), NOON + 2 * HOUR + MINUTE, shop.settings)
    before = shop.alert(scored_at + 2 * HOUR - MINUTE / 60, "d1")
    assert (before.source, before.tier) == ("models", "stale")
    at_mark = shop.alert(scored_at + 2 * HOUR, "d1")
    assert (at_mark.source, at_mark.tier, len(shop.alerts())) == ("rules_fallback", "very_stale", 1)


def test_where_nobody_has_judged_lately_there_is_nothing_to_alert_on(shop: Shop) -> None:
    shop.by_rules(NOON, {"d1": LEAKING})
    report = shop.alert(NOON + 46 * MINUTE, "d1")
    assert (report.source, report.window_end, len(report.alerts)) == ("rules_fallback", None, 0)
    assert len(shop.alerts()) == 1, "what is known stays"

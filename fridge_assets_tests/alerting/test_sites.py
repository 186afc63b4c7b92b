"""A site that alerts as a whole is told of as one, on both paths (SPEC 6)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.alerting.run import raise_alerts
from fridge_assets.alerting.sites import Incident, judge_site, site_sizes, tell_sites
from fridge_assets.notifications.outbox import enqueue, messages_about
from fridge_assets.registry.devices import complete_registry, with_cohort
from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.staleness.fallback import judge_by_rules
from fridge_assets.stores.operations import Operations, device_alerts, outbox_subjects, site_incidents
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.engine import Onset
from fridge_assets.streaming.onsets import alert_of
from fridge_assets.streaming.rules import OVERLOAD, VIBRATION
from fridge_assets.streaming.storm import SUBJECT, announce
from fridge_assets_tests.notifications.given import stored
from fridge_assets_tests.staleness.given import MINUTE, NOON, Values, store_features

SETTINGS = IncidentSettings()
HOUR = timedelta(hours=1)
LEAKING: Values = {"pressure_low_mean": 90.0}


def alerts_of(*severities: str) -> pd.DataFrame:
    return pd.DataFrame({"device_id": [f"d{n}" for n in range(len(severities))], "severity": severities})


def judged(alerts: pd.DataFrame, size: int, running: Incident | None = None) -> Incident | None:
    return judge_site("s1", alerts, size, running, NOON, SETTINGS)


# --- the rule


@pytest.mark.parametrize(("count", "size", "is_one"), [(5, 16, True), (5, 17, False), (4, 4, False), (6, 20, True)])
def test_an_incident_takes_five_devices_and_thirty_percent_of_the_site(count: int, size: int, is_one: bool) -> None:
    assert (judged(alerts_of(*["HIGH"] * count), size) is not None) == is_one


def test_several_alerts_of_one_device_are_one_device() -> None:
    alerts = alerts_of(*["HIGH"] * 6)
    assert judged(alerts.assign(device_id="d1"), 5) is None


def test_an_incident_is_as_severe_as_its_worst_alert_and_never_becomes_less_severe() -> None:
    begun = judged(alerts_of("MEDIUM", "HIGH", "MEDIUM", "MEDIUM", "MEDIUM"), 10)
    assert begun == Incident("s1", NOON, NOON, "HIGH", 5)
    later = judged(alerts_of("MEDIUM"), 10, Incident("s1", NOON - HOUR, NOON - HOUR, "HIGH", 5))
    assert later == Incident("s1", NOON - HOUR, NOON, "HIGH", 5)


def test_only_active_devices_make_the_size_of_a_site() -> None:
    registry = pd.DataFrame({"site_id": ["a", "a", "b", "c"], "status": ["active", "active", "active", "retired"]})
    assert site_sizes(registry) == {"a": 2, "b": 1}


# --- the stream


class Stream:
    """Acute alerts at moments, and what is said of them."""

    def __init__(self, operations: Operations, settings: Settings, size: int = 10) -> None:
        self.operations = operations
        self.settings = settings
        self.sizes = {"s1": size, "s2": size}

    def raises(self, devices: Sequence[str], at: datetime, site: str = "s1", **changes: Any) -> list[str]:
        """Store one alert per device, tell of them, and give their ids."""
        rows = [
            alert_of(Onset(device, OVERLOAD.name, at, 47.0, 40.0, 40.0), site, at, None, at, self.settings) | changes
            for device in devices
        ]
        with self.operations.transaction() as connection:
            connection.execute(device_alerts.insert(), rows)
            announce(connection, rows, self.sizes, at, self.settings)
        return [str(row["alert_id"]) for row in rows]

    def said(self) -> list[str]:
        """Titles of all messages in their order."""
        return [m.title for m in sorted(stored(self.operations).values(), key=lambda m: m.number)]

    def about(self, alert_id: str) -> list[str]:
        """Keys of the messages that stand for an alert, up to their second slash."""
        with self.operations.read() as connection:
            return ["/".join(m.key.split("/")[:2]) for m in messages_about(connection, alert_id)]

    def incidents(self) -> list[tuple[Any, ...]]:
        with self.operations.read() as connection:
            return [tuple(row) for row in connection.execute(sa.select(site_incidents).order_by("started_at"))]


@pytest.fixture
def stream(operations: Operations, settings: Settings) -> Stream:
    return Stream(operations, settings)


FIVE = ["d1", "d2", "d3", "d4", "d5"]


def test_five_devices_at_once_are_one_message_that_names_all_alerts(stream: Stream) -> None:
    ids = stream.raises(FIVE, NOON)
    (message,) = stored(stream.operations).values()
    assert message.title == "CRITICAL: 5 of 10 devices in s1 alert within 30 min"
    assert message.channel == "on_call"
    assert message.lines == (
        "Most often: Compressor overload (5 of 5 alerts). First seen 2026-06-01 12:00 UTC.",
        "Look for a common cause: power, ambient, network. For 30 min from its beginning no device of the site is told "
        "by itself.",
    )
    assert [stream.about(alert_id) for alert_id in ids] == [["site/s1"]] * 5


def test_what_was_told_one_by_one_before_counts_and_belongs_to_the_incident(stream: Stream) -> None:
    first = stream.raises(FIVE[:4], NOON)
    assert len(stream.said()) == 4
    (fifth,) = stream.raises(["d5"], NOON + 10 * MINUTE)
    assert stream.said()[4:] == ["CRITICAL: 5 of 10 devices in s1 alert within 30 min"]
    assert stream.about(first[0]) == [f"alert/{first[0]}", "site/s1"]
    assert stream.about(fifth) == ["site/s1"]
    said = next(m for m in stored(stream.operations).values() if m.key.startswith("site/"))
    assert "First seen between 2026-06-01 12:00 and 2026-06-01 12:10 UTC." in said.lines[0]


def test_while_an_incident_runs_its_site_is_silent_and_other_sites_are_not(stream: Stream) -> None:
    stream.raises(FIVE, NOON)
    (sixth,) = stream.raises(["d6"], NOON + 29 * MINUTE)
    assert len(stream.said()) == 1
    assert stream.about(sixth) == ["site/s1"], "people were told of it by the message about the site"
    stream.raises(["x1"], NOON + 29 * MINUTE, site="s2")
    assert stream.said()[1:] == ["CRITICAL: x1 in s2: Compressor overload"]
    assert stream.incidents() == [("s1", NOON, NOON + 29 * MINUTE, "CRITICAL", 6)]


def test_an_incident_is_over_a_span_after_it_began_whatever_was_told_meanwhile(stream: Stream) -> None:
    stream.raises(FIVE, NOON)
    stream.raises(["d6"], NOON + 20 * MINUTE)
    assert len(stream.said()) == 1
    stream.raises(["d7"], NOON + 49 * MINUTE)
    assert stream.said()[1:] == ["CRITICAL: d7 in s1: Compressor overload"]


def test_where_it_goes_on_people_are_told_of_the_site_again(stream: Stream) -> None:
    stream.raises(FIVE, NOON)
    stream.raises(["d6", "d7", "d8", "d9"], NOON + 25 * MINUTE)
    assert len(stream.said()) == 1
    stream.raises(["d10"], NOON + 31 * MINUTE)
    assert stream.said()[1:] == ["CRITICAL: 5 of 10 devices in s1 alert within 30 min"]


def test_devices_that_alert_further_apart_than_the_span_are_told_one_by_one(stream: Stream) -> None:
    for n, device in enumerate(FIVE):
        stream.raises([device], NOON + n * 8 * MINUTE)
    assert all(" in s1: " in title for title in stream.said())
    assert stream.incidents() == []


@pytest.mark.parametrize(
    "changes",
    [{"suppressed": True, "suppressed_because": "repeat"}, {"status": "RESOLVED"}, {"status": "FALSE_POSITIVE"}],
)
def test_what_nobody_works_on_does_not_count(stream: Stream, changes: dict[str, Any]) -> None:
    stream.raises(FIVE[:4], NOON)
    with stream.operations.transaction() as connection:
        connection.execute(sa.update(device_alerts).where(device_alerts.c.device_id == "d1").values(changes))
    stream.raises(["d5"], NOON + MINUTE)
    assert stream.incidents() == []


@pytest.mark.parametrize("size", [4, 0])
def test_a_site_with_few_active_devices_never_has_an_incident(
    operations: Operations, settings: Settings, size: int
) -> None:
    stream = Stream(operations, settings, size)
    stream.raises(FIVE, NOON)
    assert len(stream.said()) == 5


def test_a_site_that_is_told_of_as_one_makes_no_storm(stream: Stream) -> None:
    stream.sizes["s1"] = 100
    many = [f"d{n}" for n in range(stream.settings.streaming.storm_alerts + 10)]
    stream.raises(many, NOON)
    stream.raises(["x1"], NOON + MINUTE, site="s2")
    assert len(stream.said()) == 2
    assert stream.said()[1] == "CRITICAL: x1 in s2: Compressor overload"


def test_the_message_of_a_storm_stands_for_every_alert_that_it_hides(stream: Stream) -> None:
    stream.sizes = {}
    many = stream.raises([f"d{n}" for n in range(stream.settings.streaming.storm_alerts + 1)], NOON)
    (later,) = stream.raises(["x1"], NOON + MINUTE, site="s2")
    assert [title.split(":")[0] for title in stream.said()] == ["Storm of acute alerts"]
    assert stream.about(many[0]) == stream.about(later) == [SUBJECT]


def test_the_same_alerts_again_say_nothing_new(stream: Stream) -> None:
    rows = [
        alert_of(Onset(d, VIBRATION.name, NOON, 9.0, 3.0, 3.0), "s1", NOON, None, NOON, stream.settings) for d in FIVE
    ]
    for _ in range(2):
        with stream.operations.transaction() as connection:
            news = tell_sites(connection, pd.DataFrame(rows), {"s1": 10}, "", NOON, SETTINGS)
            enqueue(connection, news.messages, NOON)
    assert len(stream.said()) == 1
    assert len(stream.incidents()) == 1
    with stream.operations.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(outbox_subjects)) == 5


# --- the hourly runs


def run_of_rules(
    warehouse: Warehouse, operations: Operations, settings: Settings, devices: dict[str, Values], at: datetime
) -> None:
    store_features(warehouse, devices, at)
    names = [f"d{n}" for n in range(12)]
    registry = with_cohort(complete_registry(pd.DataFrame({"device_id": names, "site_id": "s1"}), "r.csv"))
    judge_by_rules(warehouse, registry, at + 3 * MINUTE, settings)
    raise_alerts(warehouse, operations, registry, at + 4 * MINUTE, settings, run_id="run-1")


def test_a_run_tells_of_a_site_as_one_and_of_it_again_when_it_becomes_more_severe(
    warehouse: Warehouse, operations: Operations, settings: Settings
) -> None:
    run_of_rules(warehouse, operations, settings, dict.fromkeys(FIVE, LEAKING), NOON)
    begun = stored(operations)
    assert [(m.channel, m.title, m.run_id) for m in begun.values()] == [
        ("site_digest", "MEDIUM: 5 of 12 devices in s1 alert within 30 min", "run-1")
    ]
    run_of_rules(warehouse, operations, settings, dict.fromkeys(FIVE, LEAKING), NOON)
    assert stored(operations) == begun, "the same window again"
    worse = LEAKING | {"current_compressor_max": 60.0}
    run_of_rules(
        warehouse, operations, settings, dict.fromkeys([*FIVE, "d6"], LEAKING) | {"d7": worse}, NOON + 15 * MINUTE
    )
    (more,) = [m for key, m in stored(operations).items() if key not in begun]
    assert more.channel == "operations"
    assert more.title == "HIGH: 7 of 12 devices in s1 have alerted: it has become more severe"
    assert "(1 of 2 alerts)" in more.lines[0]


def test_a_few_devices_of_a_site_come_in_the_digest_as_ever(
    warehouse: Warehouse, operations: Operations, settings: Settings
) -> None:
    run_of_rules(warehouse, operations, settings, dict.fromkeys(FIVE[:4], LEAKING), NOON)
    (message,) = stored(operations).values()
    assert message.title == "4 new MEDIUM alerts in 1 site"
    with operations.read() as connection:
        ids = connection.scalars(sa.select(device_alerts.c.alert_id)).all()
        assert all(len(messages_about(connection, alert_id)) == 1 for alert_id in ids)

"""From onsets to stored alerts: what is told, what is a repeat, what late readings take back (SPEC 5, 6)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fridge_assets.alerting.silences import Silence, add_silence, end_silence
from fridge_assets.settings import IncidentSettings, Settings, StreamingSettings
from fridge_assets.stores.operations import Operations, alert_events, device_alerts, outbox, stream_onsets
from fridge_assets.streaming.engine import Onset, OnsetKey
from fridge_assets.streaming.onsets import alert_id_of, told
from fridge_assets.streaming.store import store_changes
from fridge_assets.streaming.storm import announce, settle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITES = {"d1": "s1"}


def overload(at: datetime, device: str = "d1") -> Onset:
    return Onset(device, "compressor_overload", at, 46.0, 40.0, 40.0)


def store(
    operations: Operations,
    settings: Settings,
    new: Sequence[Onset] = (),
    gone: Sequence[datetime] = (),
    now: datetime = NOW,
) -> list[dict[str, Any]]:
    with operations.transaction() as connection:
        withdrawn = [OnsetKey("d1", "compressor_overload", at) for at in gone]
        news = store_changes(connection, new, withdrawn, SITES, now, settings)
        announce(connection, news, {}, now, settings)
    return news


def silenced(operations: Operations, start: datetime, end: datetime, site: str | None = None) -> str:
    """Ann works on d1, or on a site, meanwhile; the id of the silence."""
    made = Silence("maintenance", None if site else "d1", site, start, end, "ann", "new compressor", start)
    with operations.transaction() as connection:
        add_silence(connection, made, IncidentSettings())
    return made.silence_id


def alerts(operations: Operations) -> list[Mapping[str, Any]]:
    with operations.read() as connection:
        query = sa.select(device_alerts).order_by(device_alerts.c.dedup_until, device_alerts.c.alert_id)
        return list(connection.execute(query).mappings())


def alert_at(operations: Operations, at: datetime) -> Mapping[str, Any]:
    wanted = alert_id_of("d1", "compressor_overload", at)
    return next(row for row in alerts(operations) if row["alert_id"] == wanted)


def titles(operations: Operations) -> list[str]:
    with operations.read() as connection:
        return list(connection.scalars(sa.select(outbox.c.title).order_by(outbox.c.number)))


def test_an_onset_becomes_a_critical_alert_that_is_told(operations: Operations, settings: Settings) -> None:
    at = NOW - timedelta(minutes=1)
    store(operations, settings, [overload(at)])
    (alert,) = alerts(operations)
    assert (alert["severity"], alert["source"], alert["status"], alert["suppressed"]) == (
        "CRITICAL", "streaming", "OPEN", False,
    )  # fmt: skip
    assert alert["site_id"] == "s1"
    assert alert["window_end"] == NOW
    assert alert["sla_deadline"] == NOW + timedelta(minutes=30)
    assert alert["description"] == "Compressor current was 46 A at 11:59:00 UTC, the limit is 40 A."
    assert titles(operations) == ["CRITICAL: d1 in s1: Compressor overload"]
    with operations.read() as connection:
        (event,) = connection.execute(sa.select(alert_events)).all()
    assert (event.actor, event.from_status, event.to_status) == ("streaming", None, "OPEN")


def test_storing_the_same_onset_again_changes_nothing(operations: Operations, settings: Settings) -> None:
    store(operations, settings, [overload(NOW)])
    before = alerts(operations)
    store(operations, settings, [overload(NOW)])
    assert alerts(operations) == before
    assert len(titles(operations)) == 1


def test_a_repeat_within_four_hours_is_kept_for_audit(operations: Operations, settings: Settings) -> None:
    second, third = NOW + timedelta(hours=3, minutes=59), NOW + timedelta(hours=4)
    store(operations, settings, [overload(NOW)])
    store(operations, settings, [overload(second), overload(third)])
    assert [(a["suppressed"], a["status"]) for a in (alert_at(operations, at) for at in (NOW, second, third))] == [
        (False, "OPEN"),
        (True, "RESOLVED"),
        (False, "OPEN"),
    ]
    assert len(titles(operations)) == 2


def test_an_onset_that_moves_keeps_its_work_and_is_not_told_again(operations: Operations, settings: Settings) -> None:
    store(operations, settings, [overload(NOW)])
    with operations.transaction() as connection:
        connection.execute(sa.update(device_alerts).values(status="ACKNOWLEDGED", escalation_level="L2"))
    earlier = NOW - timedelta(minutes=2)
    store(operations, settings, [overload(earlier)], gone=[NOW])
    assert (alert_at(operations, NOW)["status"], alert_at(operations, NOW)["suppressed"]) == ("RESOLVED", True)
    heir = alert_at(operations, earlier)
    assert (heir["status"], heir["escalation_level"], heir["suppressed"]) == ("ACKNOWLEDGED", "L2", False)
    assert len(titles(operations)) == 1


def test_an_earlier_onset_makes_the_one_after_it_a_repeat(operations: Operations, settings: Settings) -> None:
    earlier = NOW - timedelta(minutes=5)
    store(operations, settings, [overload(NOW)])
    store(operations, settings, [overload(earlier)])
    assert not alert_at(operations, earlier)["suppressed"]
    assert alert_at(operations, NOW)["suppressed"]
    assert len(titles(operations)) == 1, "people know already"


def test_a_failure_hours_later_is_told_although_another_onset_moves(operations: Operations, settings: Settings) -> None:
    store(operations, settings, [overload(NOW)])
    with operations.transaction() as connection:
        connection.execute(sa.update(device_alerts).values(status="ACKNOWLEDGED"))
    earlier, later = NOW - timedelta(minutes=2), NOW + timedelta(hours=5)
    store(operations, settings, [overload(earlier), overload(later)], gone=[NOW], now=later)
    assert alert_at(operations, earlier)["status"] == "ACKNOWLEDGED"
    assert alert_at(operations, later)["status"] == "OPEN"
    assert len(titles(operations)) == 2


def test_many_failures_that_return_at_once_are_a_storm(operations: Operations, settings: Settings) -> None:
    calm = settings.model_copy(update={"streaming": StreamingSettings(storm_alerts=3)})
    for number in range(6):
        store(operations, calm, [overload(NOW, f"a{number}")], now=NOW + number * timedelta(minutes=10))
    with operations.transaction() as connection:
        connection.execute(sa.update(device_alerts).values(status="RESOLVED", alert_type="ANOMALY_RESOLVED"))
    later = NOW + timedelta(hours=2)
    store(operations, calm, [overload(later, f"a{number}") for number in range(6)], now=later)
    assert titles(operations)[6:] == ["Storm of acute alerts: 6 in 5 min"]


def test_what_a_person_closed_stays_closed(operations: Operations, settings: Settings) -> None:
    store(operations, settings, [overload(NOW)])
    with operations.transaction() as connection:
        connection.execute(sa.update(device_alerts).values(status="FALSE_POSITIVE"))
    store(operations, settings, [overload(NOW + timedelta(hours=1))])
    assert alert_at(operations, NOW)["status"] == "FALSE_POSITIVE"
    store(operations, settings, gone=[NOW])
    assert alert_at(operations, NOW)["status"] == "FALSE_POSITIVE"


def test_a_failure_that_returns_after_the_models_took_it_for_over_is_told_again(
    operations: Operations, settings: Settings
) -> None:
    store(operations, settings, [overload(NOW)])
    with operations.transaction() as connection:
        closed = {"status": "RESOLVED", "alert_type": "ANOMALY_RESOLVED", "resolved_at": NOW}
        connection.execute(sa.update(device_alerts).values(closed))
    later = NOW + timedelta(hours=2)
    store(operations, settings, [overload(later)], now=later)
    assert (alert_at(operations, NOW)["status"], alert_at(operations, NOW)["resolved_at"]) == ("OPEN", None)
    assert alert_at(operations, NOW)["sla_deadline"] == later + timedelta(minutes=30)
    assert alert_at(operations, later)["suppressed"]
    assert len(titles(operations)) == 2


def test_the_anomaly_of_a_sensor_was_first_seen_on_either_path(operations: Operations, settings: Settings) -> None:
    store(operations, settings, [overload(NOW)])
    first = NOW - timedelta(hours=6)
    with operations.transaction() as connection:
        batch = {"alert_id": "b", "source": "models", "first_detected_at": first, "severity": "MEDIUM"}
        row = {**alerts(operations)[0], **batch, "top_contributors": ["current_compressor_mean"]}
        connection.execute(sa.insert(device_alerts), [row])
        connection.execute(sa.delete(alert_events))
        connection.execute(sa.delete(stream_onsets))
        connection.execute(sa.delete(device_alerts).where(device_alerts.c.alert_id != "b"))
    store(operations, settings, [overload(NOW)])
    alert = alert_at(operations, NOW)
    assert (alert["first_detected_at"], alert["alert_type"]) == (first, "ANOMALY_SUSTAINED")


def test_too_many_alerts_are_a_storm_that_is_told_once(operations: Operations, settings: Settings) -> None:
    calm = settings.model_copy(update={"streaming": StreamingSettings(storm_alerts=3)})
    store(operations, calm, [overload(NOW, f"a{n}") for n in range(3)])
    assert len(titles(operations)) == 3
    store(operations, calm, [overload(NOW, f"b{n}") for n in range(4)])
    store(operations, calm, [overload(NOW, f"c{n}") for n in range(4)])
    assert titles(operations)[3:] == ["Storm of acute alerts: 7 in 5 min"]
    assert len(alerts(operations)) == 11, "every alert is stored"

    later = NOW + timedelta(minutes=6)
    with operations.transaction() as connection:
        settle(connection, NOW + timedelta(minutes=1), calm)
        settle(connection, later, calm)
        settle(connection, later, calm)
    assert titles(operations)[4:] == ["The storm of acute alerts is over after 6 min"]
    store(operations, calm, [overload(later, "d1")], now=later)
    assert titles(operations)[-1] == "CRITICAL: d1 in s1: Compressor overload"


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2000), unique=True, max_size=30))
def test_told_onsets_are_never_closer_than_the_span(offsets: list[int]) -> None:
    moments = [NOW + timedelta(minutes=n) for n in offsets]
    settings = IncidentSettings()
    verdicts = told(moments, None, settings)
    spoken = sorted(at for at, is_told in verdicts.items() if is_told)
    assert all(b - a >= settings.dedup for a, b in pairwise(spoken))
    for at in moments:
        assert any(at - settings.dedup < s <= at for s in spoken)


@pytest.mark.parametrize("cut", range(1, 6))
def test_the_stored_outcome_does_not_depend_on_the_order_of_discovery(
    operations: Operations, settings: Settings, cut: int
) -> None:
    moments = [NOW + timedelta(minutes=n) for n in (0, 7, 100, 245, 250, 600)]
    later, sooner = moments[cut:], moments[:cut]
    for at in [*later, *reversed(sooner)]:
        store(operations, settings, [overload(at)])
    expected = told(moments, None, settings.alerts)
    with operations.read() as connection:
        stored = {row.onset: row.told for row in connection.execute(sa.select(stream_onsets))}
    assert stored == expected
    assert {at: not alert_at(operations, at)["suppressed"] for at in moments} == expected


# --- silences


@pytest.mark.parametrize("site", [None, "s1"])
def test_an_acute_alert_during_maintenance_is_kept_for_audit_and_told_to_nobody(
    operations: Operations, settings: Settings, site: str | None
) -> None:
    silenced(operations, NOW, NOW + timedelta(hours=1), site)
    within, after = NOW + timedelta(minutes=5), NOW + timedelta(hours=1)
    assert store(operations, settings, [overload(within)], now=after) == []
    held = alert_at(operations, within)
    assert (held["suppressed_because"], held["status"], held["next_escalation_at"]) == ("maintenance", "RESOLVED", None)
    assert titles(operations) == []
    with operations.read() as connection:
        assert connection.scalar(sa.select(alert_events.c.note)) == (
            "Held by maintenance of ann until 2026-03-01 13:00 UTC: new compressor"
        )
        assert connection.scalar(sa.select(stream_onsets.c.told)) is False
    store(operations, settings, [overload(after)], now=after)
    assert (alert_at(operations, after)["suppressed"], len(titles(operations))) == (False, 1), "no span has begun"


def test_what_is_held_opens_nothing_again(operations: Operations, settings: Settings) -> None:
    store(operations, settings, [overload(NOW)])
    with operations.transaction() as connection:
        connection.execute(sa.update(device_alerts).values(status="RESOLVED", alert_type="ANOMALY_RESOLVED"))
    later = NOW + timedelta(hours=2)
    silenced(operations, later, later + timedelta(hours=1))
    store(operations, settings, [overload(later)], now=later)
    assert alert_at(operations, NOW)["status"] == "RESOLVED"
    assert alert_at(operations, later)["suppressed_because"] == "maintenance"


def test_a_silence_of_later_changes_nothing_about_what_was_told_or_held(
    operations: Operations, settings: Settings
) -> None:
    first, second = NOW + timedelta(minutes=10), NOW + timedelta(minutes=20)
    store(operations, settings, [overload(first)])
    silence = silenced(operations, NOW, NOW + timedelta(hours=1))
    store(operations, settings, [overload(second)])
    with operations.transaction() as connection:
        end_silence(connection, silence, "ann", first)
    earlier = NOW - timedelta(minutes=1)
    store(operations, settings, [overload(earlier), overload(second)])
    assert [alert_at(operations, at)["suppressed_because"] for at in (earlier, first, second)] == [
        None, "repeat", "maintenance",
    ]  # fmt: skip


def test_a_held_onset_that_comes_back_after_it_was_withdrawn_is_held(
    operations: Operations, settings: Settings
) -> None:
    silenced(operations, NOW, NOW + timedelta(hours=1))
    store(operations, settings, [overload(NOW)])
    store(operations, settings, gone=[NOW])
    assert alert_at(operations, NOW)["suppressed_because"] == "withdrawn"
    store(operations, settings, [overload(NOW)])
    assert alert_at(operations, NOW)["suppressed_because"] == "maintenance"
    assert titles(operations) == []


# Every example has a data folder of its own, which takes a moment to make.
@hypothesis_settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(
    offsets=st.lists(st.integers(0, 900), unique=True, min_size=1, max_size=12),
    spans=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 300), st.booleans()), max_size=3),
    order=st.randoms(use_true_random=False),
)
def test_what_is_told_and_held_does_not_depend_on_batches(
    offsets: list[int], spans: list[tuple[int, int, bool]], order: Random
) -> None:
    moments = [NOW + timedelta(minutes=n) for n in offsets]
    held = {NOW + timedelta(minutes=n) for n in offsets if any(s <= n < s + length for s, length, _ in spans)}
    verdicts = told([at for at in moments if at not in held], None, IncidentSettings())
    expected = {at: "maintenance" if at in held else None if verdicts[at] else "repeat" for at in moments}
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        operations = Operations(settings.operations_database)
        for start, length, whole_site in spans:
            begin = NOW + timedelta(minutes=start)
            silenced(operations, begin, begin + timedelta(minutes=length), "s1" if whole_site else None)
        order.shuffle(moments)
        stray = NOW + timedelta(minutes=order.randint(0, 900), seconds=30)
        store(operations, settings, [overload(stray)])
        for batch in (moments[first : first + 3] for first in range(0, len(moments), 3)):
            store(operations, settings, [overload(at) for at in batch])
            store(operations, settings, [overload(batch[0])])  # a restarted stream reads the last batch again
        store(operations, settings, gone=[stray])
        assert {at: alert_at(operations, at)["suppressed_because"] for at in moments} == expected

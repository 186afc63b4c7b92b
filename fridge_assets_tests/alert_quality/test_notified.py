"""What counts as a notification, an opening and a standing incident in a real store."""

from datetime import timedelta

from fridge_assets.alert_quality.notified import read_alarm_health
from fridge_assets.incidents.observations import Act
from fridge_assets.incidents.store import watch
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.incidents.device import HIGH, LOW, at, run_time, seen
from fridge_assets_tests.incidents.given import see

SETTINGS = Settings()


def test_every_telling_counts_with_its_reason_and_low_is_left_out(operations: Operations) -> None:
    see(operations, run_time(1), seen(1), seen(1, LOW, device="d2"))
    watch(operations, at(4), SETTINGS.alerts)
    with operations.read() as connection:
        found = read_alarm_health(connection, at(4), SETTINGS)
        elsewhere = read_alarm_health(connection, at(4), SETTINGS, "s2")
        later = read_alarm_health(connection, at(4) + SETTINGS.alarm_health.span, SETTINGS)
    assert [(one.device_id, one.reason) for one in found.notifications] == [("d1", "opened"), ("d1", "deadline_passed")]
    assert elsewhere.notifications == ()
    assert later.notifications == ()


def test_a_site_that_is_told_of_as_one_is_one_notification(operations: Operations) -> None:
    devices = [f"d{number}" for number in range(6)]
    see(operations, run_time(1), *(seen(1, device=device) for device in devices), sizes={"s1": 6})
    with operations.read() as connection:
        found = read_alarm_health(connection, at(2), SETTINGS)
    assert [(one.device_id, one.site_id, one.reason) for one in found.notifications] == [("", "s1", "site")]


def test_an_incident_stands_that_was_told_more_than_a_day_ago_and_is_open(operations: Operations) -> None:
    see(operations, run_time(1), seen(1), seen(1, device="d2"))
    see(operations, run_time(2), Act("resolve", "ann"))
    with operations.read() as connection:
        early = read_alarm_health(connection, run_time(1) + timedelta(hours=24), SETTINGS)
        late = read_alarm_health(connection, run_time(1) + timedelta(hours=24, minutes=1), SETTINGS)
    assert early.standing == ()
    assert [one.device_id for one in late.standing] == ["d2"]


def test_a_device_that_opens_again_and_again_within_an_hour_chatters(operations: Operations) -> None:
    for number in range(3):
        begin = 1 + number / 4
        see(operations, run_time(begin), seen(begin, source="streaming", severity=HIGH))
        see(operations, run_time(begin) + timedelta(minutes=2), Act("resolve", "ann"))
    with operations.read() as connection:
        found = read_alarm_health(connection, at(2), SETTINGS)
    assert found.chattering == (("d1", 3),)


def test_rates_are_of_the_time_that_the_fleet_is_watched(operations: Operations) -> None:
    see(operations, at(1), seen(1))
    with operations.read() as connection:
        assert read_alarm_health(connection, at(3), SETTINGS).since == at(1)
        assert read_alarm_health(connection, at(1), SETTINGS).since == at(0)
        months = read_alarm_health(connection, at(2000), SETTINGS)
    assert months.until - months.since == SETTINGS.alarm_health.span

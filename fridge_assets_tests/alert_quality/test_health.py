"""Whether people can keep up with what they are told (ISA-18.2, EEMUA 191)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fridge_assets.alert_quality.health import (
    AlarmHealth,
    Notification,
    Standing,
    alarm_health,
    chattering_of,
    floods_of,
    peak_of,
)
from fridge_assets.alert_quality.health_advice import Measure, measures_of
from fridge_assets.alert_quality.health_plots import alarm_health_picture
from fridge_assets.settings import AlarmHealthSettings, Settings

SETTINGS = Settings()
LIMITS = AlarmHealthSettings()
SINCE = datetime(2026, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UNTIL = SINCE + timedelta(days=1)


def at(minute: float) -> datetime:
    return SINCE + minute * MINUTE


def told(*minutes: float, device: str = "d1", site: str = "s1", reason: str = "opened") -> list[Notification]:
    return [Notification(at(minute), device, site, reason) for minute in minutes]


def health(
    notifications: Sequence[Notification] = (),
    openings: Sequence[tuple[str, datetime]] = (),
    standing: Sequence[Standing] = (),
    operators: int = 1,
) -> AlarmHealth:
    return alarm_health(notifications, openings, standing, SINCE, UNTIL, operators, LIMITS)


def measure(found: AlarmHealth, begins: str) -> Measure:
    (one,) = [one for one in measures_of(found, SETTINGS) if one.name.startswith(begins)]
    return one


def test_a_steady_notification_a_minute_is_no_flood() -> None:
    assert health(told(*range(60))).floods == ()


@pytest.mark.parametrize(("count", "floods"), [(10, 0), (11, 1)])
def test_more_than_ten_at_once_are_a_flood(count: int, floods: int) -> None:
    assert len(health(told(*[5.0] * count)).floods) == floods


def test_a_flood_lasts_until_fewer_than_five_are_within_ten_minutes_and_names_its_site() -> None:
    found = health([*told(*[0] * 8, site="s2"), *told(*[0] * 3), *told(6, 7, 8, 9)])
    (flood,) = found.floods
    assert (flood.starts_at, flood.ends_at) == (at(0), at(10))
    assert (flood.notifications, flood.site_id) == (15, "s2")
    assert found.flood_share == pytest.approx(10 / (24 * 60))


def test_a_flood_that_goes_on_is_cut_off_at_the_end_of_the_span() -> None:
    (flood,) = health(told(*[24 * 60 - 2] * 11)).floods
    assert flood.ends_at == UNTIL


def test_operators_share_the_notifications() -> None:
    many = told(*[0] * 11)
    assert health(many, operators=2).floods == ()
    assert health(many, operators=2).peak == 5.5
    assert health(many).peak == 11


MINUTES = st.lists(st.integers(0, 90), max_size=60)


def naive_floods(minutes: Sequence[int], last: int) -> list[tuple[int, int]]:
    """Minute by minute: how many were told in the ten minutes until then, that one included."""
    found, begun = [], None
    for minute in range(last + 1):
        count = sum(minute - 10 < one <= minute for one in minutes)
        if begun is None and count > 10:
            begun = minute
        elif begun is not None and count < 5:
            found.append((begun, minute))
            begun = None
    return [*found, (begun, last)] if begun is not None and begun < last else found


@given(MINUTES, st.integers(80, 120))
def test_floods_are_those_of_looking_at_every_minute(minutes: list[int], last: int) -> None:
    kept = [minute for minute in minutes if minute <= last]
    notifications = sorted(told(*kept), key=lambda one: one.at)
    found = [(one.starts_at, one.ends_at) for one in floods_of(notifications, at(last), 1, LIMITS)]
    assert found == [(at(start), at(end)) for start, end in naive_floods(kept, last)]


@given(MINUTES)
def test_the_peak_is_the_most_in_any_ten_minutes(minutes: list[int]) -> None:
    most, _ = peak_of(sorted(at(minute) for minute in minutes), LIMITS)
    assert most == max((sum(end - 10 < one <= end for one in minutes) for end in range(91)), default=0)


@given(st.lists(st.tuples(st.sampled_from(["d1", "d2"]), st.integers(0, 300)), max_size=20))
def test_a_device_chatters_that_opens_three_times_within_an_hour(openings: list[tuple[str, int]]) -> None:
    naive = {}
    for device in ("d1", "d2"):
        own = [minute for name, minute in openings if name == device]
        crowded = [end for end in own if sum(end - 60 < one <= end for one in own) >= 3]
        if crowded:
            naive[device] = sum(any(end - 60 < one <= end for end in crowded) for one in own)
    assert dict(chattering_of([(device, at(minute)) for device, minute in openings], LIMITS)) == naive


def test_a_quiet_span_is_within_every_limit() -> None:
    found = measures_of(health(told(0, 60, 120, device="d1")), SETTINGS)
    assert all(one.within and not one.advice for one in found)


def test_the_advice_names_the_setting_of_the_most_frequent_reason() -> None:
    minutes = [number * 6 for number in range(240)]
    busy = health([*told(*minutes[:200], reason="reminder"), *told(*minutes[200:])])
    said = measure(busy, "notifications an hour")
    assert not said.within
    assert "200 of 240 are of the reason reminder: see FRIDGE_ALERTS__REMINDER" in said.advice


def test_the_advice_names_the_devices_that_chatter_stand_and_are_told_most() -> None:
    crowd = [note for number in range(30) for note in told(number, device=f"d{number:02d}")]
    found = health(
        [*crowd, *told(*range(100, 1000, 90), device="bad-one")],
        [("chatty", at(minute)) for minute in (0, 20, 40)],
        [Standing("i1", "forgotten", SINCE - timedelta(days=3))],
    )
    assert "chatty (3 openings)" in measure(found, "chattering").advice
    assert "forgotten (since 2026-05-29 00:00)" in measure(found, "standing").advice
    assert "bad-one (10)" in measure(found, "share of").advice


def test_the_advice_on_a_flood_names_its_site_and_the_settings_of_sites() -> None:
    said = measure(health(told(*[0] * 12, site="s7")), "most in")
    assert "of s7" in said.advice
    assert "FRIDGE_ALERTS__SITE_DEVICES" in said.advice


def test_ten_devices_are_no_worst_ones_where_there_are_no_others() -> None:
    assert measure(health(told(0, 100, 200)), "share of").within


def test_the_worst_of_a_few_devices_that_are_told_alike_are_no_worse_than_the_others() -> None:
    alike = [one for number in range(13) for one in told(60.0 * number, device=f"d{number}")]
    said = measure(health([*alike, *told(1000, device="d0")]), "share of")
    assert (said.value, said.limit, said.within) == ("79 %", "96 %", True)


@pytest.mark.parametrize("notifications", [[], told(*range(0, 1400, 7)), told(*[60] * 40)])
def test_the_picture_is_drawn_whatever_was_told(notifications: list[Notification]) -> None:
    found = replace(health(notifications), chattering=(("d1", 3),))
    assert alarm_health_picture(found, LIMITS).startswith(b"\x89PNG")

"""Moments and durations as people type and read them."""

from datetime import UTC, datetime, timedelta

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import check_zone, in_zone, parse_moment, parse_span, spoken

MOMENT = datetime(2026, 1, 31, 13, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-01-31T13:45:00Z", "2026-01-31 13:45", "2026-01-31T14:45:00+01:00", "20260131T134500Z"]
)
def test_a_moment_may_be_written_in_any_zone_and_without_one_it_is_utc(text: str) -> None:
    assert parse_moment(text, "--as-of") == MOMENT
    assert parse_moment(text, "--as-of").utcoffset() == timedelta(0)


def test_what_is_no_moment_is_refused_by_the_name_that_the_user_knows() -> None:
    with pytest.raises(FridgeError, match=r"^--since is 'noon', not a moment\. Give ISO 8601"):
        parse_moment("noon", "--since")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2h", timedelta(hours=2)),
        ("90m", timedelta(minutes=90)),
        ("3d", timedelta(days=3)),
        ("1d2h30m", timedelta(days=1, hours=2, minutes=30)),
    ],
)
def test_a_span_is_days_hours_and_minutes(text: str, span: timedelta) -> None:
    assert parse_span(text, "--for") == span


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "2s", "1.5h", "0m", "2hours", "1h1h", "99999999999d"])
def test_what_is_no_span_is_refused_by_the_name_that_the_user_knows(text: str) -> None:
    with pytest.raises(FridgeError, match=r"^--for is .*, not a span of time\. Give days, hours and minutes as 3d"):
        parse_span(text, "--for")


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=45, milliseconds=900), "45 s"),
        (timedelta(minutes=45), "45 min"),
        (timedelta(hours=-2), "−2 h"),
        (timedelta(hours=1, minutes=30), "1 h 30 min"),
        (timedelta(hours=2, seconds=5), "2 h"),
        (timedelta(days=588, hours=4, minutes=10, seconds=19, microseconds=296032), "588 d 4 h"),
    ],
)
def test_durations_are_spoken_in_two_units(duration: timedelta, words: str) -> None:
    assert spoken(duration) == words


def test_a_moment_is_shown_on_the_clocks_of_a_zone_summer_time_included() -> None:
    assert f"{in_zone(MOMENT, 'Europe/Berlin'):%H:%M %Z}" == "14:45 CET"
    assert f"{in_zone(MOMENT.replace(month=7), 'Europe/Berlin'):%H:%M %Z}" == "15:45 CEST"
    assert in_zone(MOMENT, "Asia/Kolkata") == MOMENT


def test_no_name_of_a_zone_stands_for_the_zone_of_the_machine() -> None:
    assert check_zone("", "FRIDGE_DISPLAY__TIMEZONE") == ""
    assert in_zone(MOMENT, "").utcoffset() == MOMENT.astimezone().utcoffset()


@pytest.mark.parametrize("name", ["Europe/Berlln", "CEST", "../etc/passwd", "/etc/localtime", "Europe", "a\0b"])
def test_what_is_no_zone_is_refused_by_the_name_that_the_user_knows(name: str) -> None:
    with pytest.raises(FridgeError, match=r"^FRIDGE_DISPLAY__TIMEZONE is '.*', not a time zone\. Give an IANA name"):
        check_zone(name, "FRIDGE_DISPLAY__TIMEZONE")

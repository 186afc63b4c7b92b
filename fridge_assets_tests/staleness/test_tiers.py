"""The 1, 2 and 4 hour marks, exactly at the marks."""

from datetime import UTC, datetime, timedelta

import pytest

from fridge_assets.settings import StalenessSettings
from fridge_assets.staleness.tiers import (
    FreshnessWindow,
    daily_tier_of,
    expiry_window,
    serving_window,
    stream_window,
    tier_of,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("age", "tier"),
    [
        (timedelta(0), "fresh"),
        (timedelta(hours=-1), "fresh"),
        (timedelta(hours=1) - TICK, "fresh"),
        (timedelta(hours=1), "stale"),
        (timedelta(hours=2) - TICK, "stale"),
        (timedelta(hours=2), "very_stale"),
        (timedelta(hours=4) - TICK, "very_stale"),
        (timedelta(hours=4), "expired"),
        (timedelta(days=400), "expired"),
    ],
)
def test_tier_changes_exactly_at_one_two_and_four_hours(age: timedelta, tier: str) -> None:
    assert tier_of(NOW - age, NOW, StalenessSettings()) == tier


@pytest.mark.parametrize(
    ("age", "tier"),
    [
        (timedelta(hours=25) - TICK, "fresh"),
        (timedelta(hours=25), "stale"),
        (timedelta(hours=26) - TICK, "stale"),
        (timedelta(hours=26), "expired"),
    ],
)
def test_daily_scores_are_late_after_25_hours_and_do_not_count_after_26(age: timedelta, tier: str) -> None:
    assert daily_tier_of(NOW - age, NOW, StalenessSettings()) == tier


def test_scores_that_do_not_exist_are_expired() -> None:
    assert tier_of(None, NOW, StalenessSettings()) == "expired"


def test_marks_come_from_the_settings() -> None:
    settings = StalenessSettings(
        stale=timedelta(minutes=1), very_stale=timedelta(minutes=2), expired=timedelta(minutes=3)
    )
    tiers = [tier_of(NOW - timedelta(minutes=m), NOW, settings) for m in range(4)]
    assert tiers == ["fresh", "stale", "very_stale", "expired"]


def test_freshness_policies_encode_the_same_marks() -> None:
    hours = [timedelta(hours=h) for h in (1, 2, 4)]
    assert serving_window(StalenessSettings()) == FreshnessWindow(hours[0], hours[1])
    assert expiry_window(StalenessSettings()) == FreshnessWindow(hours[1], hours[2])
    assert stream_window(StalenessSettings()) == FreshnessWindow(timedelta(minutes=2), timedelta(minutes=5))

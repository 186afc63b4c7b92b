"""The age of scores and what it means: the one owner of the 1, 2 and 4 hour marks (SPEC 4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from fridge_assets.settings import StalenessSettings

Tier = Literal["fresh", "stale", "very_stale", "expired"]


@dataclass(frozen=True)
class FreshnessWindow:
    """What a freshness policy of an asset encodes.

    Args:
        warn: age from which it warns.
        fail: age from which it fails.
    """

    warn: timedelta
    fail: timedelta


MODELS_SPEAK: tuple[Tier, ...] = ("fresh", "stale")
"""Tiers in which alerts come from the models; in the others the rules stand in for them."""


def tier_of(scored_at: datetime | None, now: datetime, settings: StalenessSettings) -> Tier:
    """Tier of scores made at ``scored_at``; scores that do not exist are expired."""
    if scored_at is None:
        return "expired"
    age = now - scored_at
    if age < settings.stale:
        return "fresh"
    if age < settings.very_stale:
        return "stale"
    return "very_stale" if age < settings.expired else "expired"


def daily_tier_of(scored_at: datetime, now: datetime, settings: StalenessSettings) -> Tier:
    """Tier of a daily model's scores: late once it should have scored again, expired once they no longer count."""
    age = now - scored_at
    if age < settings.daily_stale:
        return "fresh"
    return "stale" if age < settings.daily_expired else "expired"


def serving_window(settings: StalenessSettings) -> FreshnessWindow:
    """Freshness of what an hourly run keeps up to date: warns when stale, fails when very stale."""
    return FreshnessWindow(settings.stale, settings.very_stale)


def daily_window(settings: StalenessSettings) -> FreshnessWindow:
    """Freshness of what a daily run keeps up to date: fails when it no longer counts."""
    return FreshnessWindow(settings.daily_stale, settings.daily_expired)


def stream_window(settings: StalenessSettings) -> FreshnessWindow:
    """Freshness of what the streaming process reports: warns when its pulse is late, fails when it is surely gone."""
    return FreshnessWindow(settings.stream_late, settings.stream_gone)


def expiry_window(settings: StalenessSettings) -> FreshnessWindow:
    """Freshness of what shows scores to people: warns when very stale, fails when they are blanked."""
    return FreshnessWindow(settings.very_stale, settings.expired)

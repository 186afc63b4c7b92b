"""The measures of the alarms' health beside their limits, and what to do where one is passed (ISA-18.2, EEMUA 191)."""

from collections.abc import Iterator
from dataclasses import dataclass

from fridge_assets.alert_quality.health import AlarmHealth
from fridge_assets.core.moments import spoken
from fridge_assets.settings import Settings

_NAMED = 3
"""Devices, or incidents, that an advice names."""
_MOST = 0.5
"""Share of the notifications from which on one reason explains them."""
_UNEVEN = 1.25
"""Times the share of an even spread up to which nothing is uneven."""
_SETTINGS = {
    "reminder": "FRIDGE_ALERTS__REMINDER",
    "deadline_passed": "FRIDGE_ALERTS__OPERATORS",
    "reopened": "FRIDGE_ALERTS__RESOLVE_AFTER_WINDOWS",
    "new_sensor": "FRIDGE_ALERTS__MEDIUM_SCORE",
    "severity_rose": "FRIDGE_ALERTS__MEDIUM_SCORE",
    "opened": "FRIDGE_ALERTS__MEDIUM_SCORE",
    "site": "FRIDGE_ALERTS__SITE_SPAN",
}
"""Reason → the setting that decides how often it is given."""


@dataclass(frozen=True)
class Measure:
    """One measure of the alarms' health.

    Args:
        name: what is measured.
        value: as people read it.
        limit: up to where it is fine, as people read it.
        within: whether it is.
        advice: what to do, naming the device or the setting; empty where it is within its limit.
    """

    name: str
    value: str
    limit: str
    within: bool
    advice: str = ""


def measures_of(health: AlarmHealth, settings: Settings) -> list[Measure]:
    """Every measure beside its limit.

    Args:
        health: of a span.
        settings: groups ``alarm_health`` and ``alerts``.
    """
    return list(_measures(health, settings))


def _measures(health: AlarmHealth, settings: Settings) -> Iterator[Measure]:
    limits = settings.alarm_health
    shared = f"{health.operators} operator" + ("s" if health.operators > 1 else "")
    yield _measure(
        "notifications an hour and operator",
        f"{health.per_hour:.2f}",
        f"{limits.per_hour:g}",
        health.per_hour <= limits.per_hour,
        f"{_by_reason(health)}, or give the work of {shared} to more people (FRIDGE_ALERTS__OPERATORS)",
    )
    yield _measure(
        f"most in {spoken(limits.peak_span)} for one operator",
        f"{health.peak:g}" + (f" at {health.peak_at:%Y-%m-%d %H:%M} UTC" if health.peak_at else ""),
        f"{limits.peak}",
        health.peak <= limits.peak,
        _of_floods(health),
    )
    yield _measure(
        "floods",
        f"{len(health.floods)}, {100 * health.flood_share:.2g} % of the time",
        f"{100 * limits.flood_share:g} % of the time",
        health.flood_share <= limits.flood_share,
        _of_floods(health),
    )
    chattering = [f"{device} ({count} openings)" for device, count in health.chattering]
    yield _measure(
        "chattering devices",
        str(len(chattering)),
        "0",
        not chattering,
        f"look at {_listed(chattering)}; until then `fridge-assets silences add --device …`, and "
        "FRIDGE_ALERTS__RESOLVE_AFTER_WINDOWS for incidents that close too early",
    )
    standing = [f"{one.device_id} (since {one.since:%Y-%m-%d %H:%M})" for one in health.standing]
    yield _measure(
        f"standing for more than {spoken(limits.standing_after)}",
        str(len(standing)),
        "0",
        not standing,
        f"finish the work on {_listed(standing)}, or `fridge-assets incidents snooze` until it is done",
    )
    worst = [f"{device} ({count})" for device, count in health.worst]
    devices = len({one.device_id for one in health.notifications if one.device_id})
    # Of few devices the worst have more even where each is told about as often as the others.
    allowed = min(1.0, max(limits.worst_share, _UNEVEN * limits.worst_devices / max(1, devices)))
    yield _measure(
        f"share of the {limits.worst_devices} worst devices",
        f"{100 * health.worst_share:.0f} %",
        f"{100 * allowed:.0f} %",
        health.worst_share <= allowed,
        f"look at {_listed(worst)} first",
    )


def _measure(name: str, value: str, limit: str, within: bool, advice: str) -> Measure:
    return Measure(name, value, limit, within, "" if within else advice)


def _by_reason(health: AlarmHealth) -> str:
    """Which setting most of the notifications come from."""
    if not health.notifications:
        return ""
    (reason, count), *_ = sorted(health.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    said = f"{count} of {len(health.notifications)} are of the reason {reason.replace('_', ' ')}"
    mostly = "" if count >= _MOST * len(health.notifications) else ", the most frequent one"
    return f"{said}{mostly}: see {_SETTINGS[reason]}"


def _of_floods(health: AlarmHealth) -> str:
    """Where the largest flood came from; of a peak that was none, where that is."""
    if not health.floods:
        return "what came at once may be one site: see FRIDGE_ALERTS__SITE_DEVICES and FRIDGE_ALERTS__SITE_SHARE"
    largest = max(health.floods, key=lambda one: (one.notifications, one.starts_at))
    where = f", most of them of {largest.site_id}" if largest.site_id else ""
    return (
        f"{largest.notifications} came from {largest.starts_at:%Y-%m-%d %H:%M} to {largest.ends_at:%H:%M} UTC{where}: "
        "see FRIDGE_ALERTS__SITE_DEVICES and FRIDGE_ALERTS__SITE_SHARE, from which on a site is told of as one"
    )


def _listed(names: list[str]) -> str:
    left = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {left} more" if left > 0 else "")

"""What the readings of a source allow: which acute rules can fire, and which models can train, now or later."""

from collections.abc import Collection
from datetime import timedelta

from fridge_assets.core.moments import spoken
from fridge_assets.models.families import families
from fridge_assets.settings import Settings
from fridge_assets.streaming.rules import COOLING_LOSS, PRESSURE_LOSS, RULES


def allowed(
    sensors: Collection[str], devices: int, interval: timedelta | None, history: timedelta | None, settings: Settings
) -> list[str]:
    """Sentences about rules and models.

    Args:
        sensors: that have values.
        devices: how many there are.
        interval: from one reading of a device to the next; None where no device has two.
        history: from the first to the last reading of a device.
        settings: of rules, features and training.
    """
    return [*_rules(sensors, interval, settings), *_models(devices, interval, history or timedelta(0), settings)]


def _rules(sensors: Collection[str], interval: timedelta | None, settings: Settings) -> list[str]:
    can, never = [], []
    for rule in RULES.values():
        if rule.sensor not in sensors:
            never.append(f"{rule.name} (no {rule.sensor})")
        elif rule in (PRESSURE_LOSS, COOLING_LOSS) and interval and interval > settings.streaming.max_interval:
            needed = spoken(settings.streaming.max_interval)
            never.append(f"{rule.name} (a reading every {spoken(interval)}; it needs one every {needed})")
        else:
            can.append(rule.name)
    said = [f"acute rules that can fire: {', '.join(can) or 'none'}"]
    return said + ([f"acute rules that never will: {', '.join(never)}"] if never else [])


def _models(devices: int, interval: timedelta | None, history: timedelta, settings: Settings) -> list[str]:
    window, needed = settings.features.window, settings.training.min_rows
    if interval is not None and interval > window:
        return [f"no model can train: a reading every {spoken(interval)} leaves windows of {spoken(window)} empty"]
    said: dict[str, list[str]] = {}
    for name, family in families().items():
        each = -(-needed // devices)
        lacking = (_history_of_days(each, history, settings) if family.view == "day" else each * window) - history
        when = (
            f"can train after {spoken(lacking)} more of these readings" if lacking > timedelta(0) else "can train now"
        )
        said.setdefault(when, []).append(name)
    return [f"{', '.join(names)} {when}" for when, names in said.items()]


def _history_of_days(days: int, history: timedelta, settings: Settings) -> timedelta:
    """The history, at least ``history``, in which training finds so many days of a device.

    A day ends every ``dbscan.spacing``; of two days and more the first is left out, since it is cut short.
    """
    day, spacing = settings.dbscan.day, max(settings.dbscan.spacing, settings.features.window)
    short = days * spacing
    if history < 2 * day and short < 2 * day:
        return max(short, history)
    return max(short + day, 2 * day, history)

"""What the readings of a source allow: which acute rules can fire, and which models can train, now or later."""

from collections.abc import Collection
from datetime import timedelta

from fridge_assets.core.moments import spoken
from fridge_assets.models.families import families
from fridge_assets.settings import Settings
from fridge_assets.streaming.rules import COOLING_LOSS, PRESSURE_LOSS, RULES

_DAY = timedelta(days=1)


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
        span = _DAY if family.view == "day" else window
        there = devices * (history // span)
        lacking = -(-needed // devices) * span - history
        when = "can train now" if there >= needed else f"can train after {spoken(lacking)} more of these readings"
        said.setdefault(when, []).append(name)
    return [f"{', '.join(names)} {when}" for when, names in said.items()]

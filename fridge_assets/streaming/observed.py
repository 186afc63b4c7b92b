"""What the stream has seen, as evidence: onsets, and those that late readings take back (SPEC 5, 6.1)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from fridge_assets.contracts.device_registry import NO_SITE
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.identity import deterministic_id
from fridge_assets.incidents.grouping import GroupRule
from fridge_assets.incidents.observations import Measured, Observed, Seen, Span, Withdrawn
from fridge_assets.incidents.observing.wording import number
from fridge_assets.incidents.terms import Severity, Sign
from fridge_assets.incidents.together import spans_by
from fridge_assets.settings import Settings, StreamingSettings
from fridge_assets.streaming.engine import Changes, Onset, OnsetKey
from fridge_assets.streaming.rules import COOLING_LOSS, OVERLOAD, PRESSURE_LOSS, RULES, VIBRATION

SOURCE: Final = "streaming"
"""Source of what the stream sees."""

_SURE = 1.0
"""Score of what no model has scored: a limit was passed."""
_MOMENT = timedelta(microseconds=1)


def alert_id_of(device_id: str, rule: str, onset: datetime) -> str:
    """The same for the same onset, always."""
    return deterministic_id(device_id, rule, onset.isoformat(), SOURCE)


def observed_in(changes: Changes, sites: Mapping[str, str], settings: Settings) -> list[Observed]:
    """What a batch has shown, whatever the order in which it was found.

    Args:
        changes: onsets that were found, and those that were taken back.
        sites: device → site.
        settings: window and limits.
    """
    found = [_seen(onset, sites.get(onset.device_id, NO_SITE), settings) for onset in sorted(changes.new, key=_order)]
    gone = [
        Observed(key.device_id, Withdrawn(alert_id_of(key.device_id, key.rule, key.at)))
        for key in sorted(changes.withdrawn, key=_order)
    ]
    # What stands comes first, so that an incident of which one onset gives way to another goes on.
    return [*found, *gone]


def delivered_late(new: Iterable[Onset], now: datetime, settings: StreamingSettings) -> dict[str, list[Span]]:
    """Device → the onsets of which nobody is told, since they were found too late, in delivered history."""
    old = (onset for onset in new if now - onset.at > settings.told_within)
    return spans_by(
        (onset.device_id, Span(onset.at, onset.at + _MOMENT, "its age: it was delivered late")) for onset in old
    )


def storm_rule(settings: StreamingSettings) -> GroupRule:
    """When acute trouble of many devices is told of as one, wherever they stand."""
    return GroupRule(settings.storm_alerts + 1, 0.0, settings.storm_span)


def _order(onset: Onset | OnsetKey) -> tuple[datetime, str, str]:
    return onset.at, onset.device_id, onset.rule


def _seen(onset: Onset, site_id: str, settings: Settings) -> Observed:
    rule, length = RULES[onset.rule], settings.features.window
    start = onset.at - (onset.at - _midnight(onset.at)) % length
    seen = Seen(
        evidence_id=alert_id_of(onset.device_id, onset.rule, onset.at),
        device_id=onset.device_id,
        site_id=site_id,
        source=SOURCE,
        at=onset.at,
        window=Span(start, start + length),
        severity=Severity.CRITICAL,
        sign=Sign(rule.sensor, "low" if rule is PRESSURE_LOSS else "high"),
        families=0,
        score=_SURE,
    )
    measured = Measured(
        title=rule.title,
        description=description_of(onset, settings.streaming),
        model_id=f"{SOURCE}_{onset.rule}",
        anomaly_score=_SURE,
        top_contributors=(rule.contributor,),
        note=f"Seen in the readings by the rule {onset.rule}",
    )
    return Observed(onset.device_id, seen, measured)


def description_of(onset: Onset, settings: StreamingSettings) -> str:
    """What was measured and what it was held against, as a sentence."""
    rule, when = RULES[onset.rule], f"{onset.at:%H:%M:%S} UTC"
    label, unit = _LABELS[rule.sensor]
    value, reference = (f"{number(x)} {unit}" for x in (onset.value, onset.reference))
    limit = number(onset.threshold)
    if rule is OVERLOAD:
        return f"{label} was {value} at {when}, the limit is {limit} {unit}."
    if rule is VIBRATION:
        times = number(onset.value / onset.reference)
        return (
            f"{label} was {value} at {when}, {times} times the device's usual {reference} while it ran in the "
            f"last {_spoken(settings.vibration_span)}; the limit is {limit} times."
        )
    if rule is PRESSURE_LOSS:
        fall = number(100 * (1 - onset.value / onset.reference))
        return (
            f"{label} fell from {reference} within {_spoken(settings.pressure_span)}, was {value} at {when}, "
            f"{fall} % lower, and is below the band of the device's last {_spoken(settings.vibration_span)} for "
            f"{settings.consecutive_readings} readings in a row; the limit is {number(100 * onset.threshold)} %."
        )
    assert rule is COOLING_LOSS
    return (
        f"{label} rose from {reference} to {value} up to {when}, by more than {limit} {unit} a minute for "
        f"{_spoken(settings.rise_span)} or longer, above the band that the device was in during the last "
        f"{_spoken(settings.vibration_span)}, and no defrost explains it."
    )


_LABELS: Mapping[str, tuple[str, str]] = {s.name: (s.label[:1].upper() + s.label[1:], s.unit) for s in SENSORS}


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _spoken(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{hours:g} hours" if hours >= 1 else f"{span / timedelta(minutes=1):g} minutes"

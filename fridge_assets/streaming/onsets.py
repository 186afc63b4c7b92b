"""Which onsets are told and which are repeats kept for audit, and how an onset becomes an alert (SPEC 5, 6)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from fridge_assets.alerting.wording import number
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.identity import deterministic_id
from fridge_assets.settings import AlertSettings, Settings, StreamingSettings
from fridge_assets.streaming.engine import Onset
from fridge_assets.streaming.rules import COOLING_LOSS, OVERLOAD, PRESSURE_LOSS, RULES, VIBRATION
from fridge_assets.work_orders.rules import order_id_of

SOURCE = "streaming"
"""Source of the alerts that the stream raises."""

SEVERITY = "CRITICAL"
_SURE = 1.0
"""Score of an alert that no model made: a limit was passed."""


def alert_id_of(device_id: str, rule: str, onset: datetime) -> str:
    """The same for the same onset, always."""
    return deterministic_id(device_id, rule, onset.isoformat(), SOURCE)


def told(onsets: Iterable[datetime], before: datetime | None, settings: AlertSettings) -> dict[datetime, bool]:
    """Of the onsets of one rule on one device, which are told: the first, and then none within the span from it.

    Args:
        onsets: in any order.
        before: the last onset before them that was told; None without one.
        settings: the span of deduplication.
    """
    verdicts = {}
    last = before
    for onset in sorted(onsets):
        verdicts[onset] = last is None or onset - last >= settings.dedup
        last = onset if verdicts[onset] else last
    return verdicts


def alert_of(
    onset: Onset,
    site_id: str,
    first_detected_at: datetime,
    last_told: datetime | None,
    now: datetime,
    settings: Settings,
    held_because: str | None = None,
) -> dict[str, Any]:
    """The DEVICE_ALERTS row of an onset.

    Args:
        onset: what was seen.
        site_id: where the device stands.
        first_detected_at: when its anomaly was first seen, on either path.
        last_told: the onset that this one repeats; None when it is told itself.
        now: the actual time.
        settings: window, deadline and span of deduplication.
        held_because: kind of the silence that it falls into; it then starts no span. None without one.
    """
    because = held_because or (None if last_told is None else "repeat")
    rule, window = RULES[onset.rule], settings.features.window
    alert_id = alert_id_of(onset.device_id, onset.rule, onset.at)
    window_end = onset.at - (onset.at - _midnight(onset.at)) % window + window
    return {
        "alert_id": alert_id,
        "device_id": onset.device_id,
        "site_id": site_id,
        "alert_type": "ANOMALY_DETECTED" if first_detected_at == onset.at else "ANOMALY_SUSTAINED",
        "severity": SEVERITY,
        "title": rule.title,
        "description": description_of(onset, settings.streaming),
        "model_id": f"{SOURCE}_{onset.rule}",
        "anomaly_score": _SURE,
        "top_contributors": [rule.contributor],
        "first_detected_at": first_detected_at,
        "alert_created_at": now,
        "suppressed": because is not None,
        "suppressed_because": because,
        "ontology_action_id": order_id_of(alert_id) if because is None else None,
        "status": "OPEN" if because is None else "RESOLVED",
        "resolved_at": None if because is None else now,
        "escalation_level": "L1",
        "sla_deadline": now + settings.alerts.sla_critical,
        "sla_breached": False,
        "next_escalation_at": now + settings.alerts.sla_critical if because is None else None,
        "score_ids": [],
        "source": SOURCE,
        "models_flagging": 0,
        "window_end": window_end,
        "dedup_until": onset.at if held_because else (last_told or onset.at) + settings.alerts.dedup,
        "note": f"Seen in the readings by the rule {onset.rule}",
        "revision": 1,
    }


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

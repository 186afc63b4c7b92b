"""What to change where too many alerts are false: another threshold, if one separates them (SPEC 6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import pandas as pd

from fridge_assets.settings import QualitySettings, Settings

RULE_THRESHOLDS: Mapping[str, str] = {
    "compressor_overload": "current_threshold",
    "vibration_spike": "vibration_ratio_threshold",
    "acute_pressure_loss": "pressure_drop_threshold",
    "total_cooling_loss": "temperature_rise_threshold",
}
"""Acute rule → registry column of its threshold; the greater it is, the rarer the rule."""


@dataclass(frozen=True)
class Advice:
    """What to change.

    Args:
        said: a sentence without a full stop; empty for nothing.
        threshold: the advised threshold; None when there is none to advise.
    """

    said: str = ""
    threshold: float | None = None


def severity_advice(severity: str, alerts: pd.DataFrame, settings: Settings) -> Advice:
    """Advice on the score that makes an alert of this severity; none on LOW, which every flag makes.

    Args:
        severity: one of SEVERITIES.
        alerts: the models' alerts of it, with ``label``, ``anomaly_score`` and ``models_flagging``.
        settings: groups ``quality`` and ``alerts``.
    """
    limits = settings.alerts
    marks = {"MEDIUM": limits.medium_score, "HIGH": limits.high_score, "CRITICAL": limits.critical_score}
    if severity not in marks:
        return Advice()
    # Families that agree make MEDIUM whatever the score is, so a threshold does not move these.
    stays = (alerts["models_flagging"] >= limits.medium_families) & (severity == "MEDIUM")
    return _threshold_advice(f"{severity} threshold", alerts, stays, marks[severity], settings.quality)


def model_advice(model_id: str, alerts: pd.DataFrame, settings: Settings) -> Advice:
    """Advice on the score above which a model flags.

    Args:
        model_id: the model.
        alerts: those that it flagged, with ``label`` and its own ``anomaly_score``.
        settings: groups ``quality`` and ``calibration``.
    """
    stays = pd.Series(False, index=alerts.index)
    return _threshold_advice(model_id, alerts, stays, settings.calibration.threshold, settings.quality)


def rule_advice(rule: str, alerts: pd.DataFrame, settings: Settings) -> Advice:
    """Advice on the threshold of an acute rule; none on the fallback's conditions.

    Args:
        rule: name of the rule.
        alerts: those that it raised, with ``label``.
        settings: group ``quality``.
    """
    finding = _too_many(f"rule {rule}", alerts, settings.quality)
    if not finding or rule not in RULE_THRESHOLDS:
        return Advice()
    return Advice(f"{finding}, consider raising {RULE_THRESHOLDS[rule]}")


def _threshold_advice(
    what: str, alerts: pd.DataFrame, stays: pd.Series, current: float, settings: QualitySettings
) -> Advice:
    """The smallest threshold above ``current`` that leaves few enough false positives, and enough labels to say so."""
    finding = _too_many(what, alerts, settings)
    if not finding:
        return Advice()
    judged = alerts["label"].notna()
    false = alerts["label"] == "false_positive"
    steps = (round(step * settings.threshold_step, 6) for step in range(1, ceil(1 / settings.threshold_step)))
    for threshold in (step for step in steps if step > current):
        left = judged & (stays | (alerts["anomaly_score"] > threshold))
        if left.sum() < settings.min_labels / 2:
            break
        if (false & left).sum() <= settings.max_false_positives * left.sum():
            return Advice(f"{finding}, consider {threshold:.2f}", threshold)
    return Advice(f"{finding}, no threshold separates them; look at the model")


def _too_many(what: str, alerts: pd.DataFrame, settings: QualitySettings) -> str:
    """How many false positives there are; empty when they are few enough, or too few labels to tell."""
    labelled = int(alerts["label"].notna().sum())
    false = int((alerts["label"] == "false_positive").sum())
    if labelled < settings.min_labels or false <= settings.max_false_positives * labelled:
        return ""
    days = f"{settings.span.days} days"
    return f"{what}: {100 * false / labelled:.0f} % false positives in {days} ({false} of {labelled} labelled)"

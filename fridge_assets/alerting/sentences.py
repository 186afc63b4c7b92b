"""Titles and descriptions a technician understands: which sensor, which way, how far, since when (SPEC 6)."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from fridge_assets.alerting.evidence import FALLBACK
from fridge_assets.alerting.wording import words_for
from fridge_assets.contracts import MODEL_FEATURES
from fridge_assets.contracts.device_features import sensors_of

_ALSO = 2
"""How many further sensors a description names."""

_NUMBER_WORDS = ("no", "one", "two", "three", "four")


class Anomaly(NamedTuple):
    """What a description tells about one device."""

    contributors: Sequence[str]
    measured: Mapping[str, float]
    usual: Mapping[str, float]
    window_start: pd.Timestamp
    window_end: pd.Timestamp
    first_detected_at: pd.Timestamp
    models_flagging: int
    models_scored: int
    carried_from: pd.Timestamp
    anomaly_score: float
    source: str


def describe(drafts: pd.DataFrame, features: pd.DataFrame, typical: pd.DataFrame) -> pd.DataFrame:
    """Add ``title`` and ``description`` to ``drafts``.

    Args:
        drafts: one row per device with the columns of :class:`Anomaly` that are not features.
        features: DEVICE_FEATURES rows of the window; a device or column may be missing.
        typical: ``device_id`` and the usual values of its features; a device, column or value may be missing.
    """
    measured, usual = _by_device(features, drafts), _by_device(typical, drafts)
    anomalies = [
        Anomaly(contributors, measured.get(device, {}), usual.get(device, {}), *rest)
        for device, contributors, *rest in zip(
            drafts["device_id"],
            drafts["top_contributors"],
            drafts["window_start"],
            drafts["window_end"],
            drafts["first_detected_at"],
            drafts["models_flagging"],
            drafts["models_scored"],
            drafts["carried_from"],
            drafts["anomaly_score"],
            drafts["source"],
            strict=True,
        )
    ]
    return drafts.assign(
        title=[title_of(anomaly) for anomaly in anomalies],
        description=[description_of(anomaly) for anomaly in anomalies],
    )


def title_of(anomaly: Anomaly) -> str:
    """One line: the dominant sensor and which way it is off."""
    if not len(anomaly.contributors):
        return "Unusual behaviour"
    dominant = anomaly.contributors[0]
    words = words_for(dominant)
    return f"{words.title_label} {words.direction(anomaly.measured.get(dominant), anomaly.usual.get(dominant))}"


def description_of(anomaly: Anomaly) -> str:
    """Sentences: what was measured and how far it is off, what else is, since when, and who says so."""
    return " ".join(
        sentence
        for sentence in (_finding(anomaly), _further(anomaly), _since(anomaly), _agreement(anomaly))
        if sentence
    )


def _finding(anomaly: Anomaly) -> str:
    span = f"between {anomaly.window_start:%H:%M} and {anomaly.window_end:%H:%M} UTC"
    if not len(anomaly.contributors):
        return f"No single sensor stands out {span}."
    dominant = anomaly.contributors[0]
    words = words_for(dominant)
    value, usual = anomaly.measured.get(dominant), anomaly.usual.get(dominant)
    return f"{words.sentence(value, span)}{words.comparison(value, usual)}."


def _further(anomaly: Anomaly) -> str:
    # Several features of one sensor say the same thing to a technician: each sensor is named once.
    named = set(_subject(anomaly.contributors[0])) if len(anomaly.contributors) else set()
    phrases: list[str] = []
    for feature in anomaly.contributors[1:]:
        if named.issuperset(_subject(feature)) or feature not in anomaly.measured:
            continue
        named.update(_subject(feature))
        phrases.append(words_for(feature).short(anomaly.measured[feature], anomaly.usual.get(feature)))
    return f"Also {' and '.join(phrases[:_ALSO])}." if phrases else ""


def _since(anomaly: Anomaly) -> str:
    first = anomaly.first_detected_at
    day = "" if first.date() == anomaly.window_end.date() else f"{first.day} {first:%b %Y} "
    return f"First seen {day}{first:%H:%M} UTC."


def _agreement(anomaly: Anomaly) -> str:
    if anomaly.source == FALLBACK:
        return "A fixed limit was crossed; the models' scores are too old to be asked."
    score = f"(score {anomaly.anomaly_score:.2f})"
    if pd.notna(anomaly.carried_from):
        score += f", some of them as of {anomaly.carried_from:%H:%M} UTC"
    if anomaly.models_scored == 1:
        return f"The one model that ran flags this {score}."
    flagging, scored = _in_words(anomaly.models_flagging), _in_words(anomaly.models_scored)
    verb = "flags this" if anomaly.models_flagging == 1 else "agree"
    return f"{flagging.capitalize()} of {scored} models {verb} {score}."


def _in_words(count: int) -> str:
    return _NUMBER_WORDS[count] if count < len(_NUMBER_WORDS) else str(count)


def _subject(feature: str) -> tuple[str, ...]:
    return sensors_of(feature) or (feature,)


def _by_device(frame: pd.DataFrame, drafts: pd.DataFrame) -> dict[str, dict[str, float]]:
    columns = [name for name in MODEL_FEATURES if name in frame.columns]
    wanted = frame[frame["device_id"].isin(drafts["device_id"])].drop_duplicates("device_id")
    table = wanted[columns].to_numpy(dtype="float64", na_value=float("nan"))
    return {
        device: {name: value for name, value in zip(columns, row, strict=True) if math.isfinite(value)}
        for device, row in zip(wanted["device_id"], table.tolist(), strict=True)
    }

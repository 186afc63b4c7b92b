"""How many of the alerts that people were told of were real failures, by what raised them (SPEC 6)."""

from collections.abc import Iterator
from datetime import datetime
from math import sqrt
from statistics import NormalDist

import pandas as pd

from fridge_assets.alert_quality.advice import Advice, model_advice, rule_advice, severity_advice
from fridge_assets.contracts import ALERT_QUALITY
from fridge_assets.contracts.alert_quality import QUALITY_GROUPINGS
from fridge_assets.contracts.device_alerts import ALERT_SOURCES, SEVERITIES
from fridge_assets.settings import Settings

MODELS, STREAMING, FALLBACK = ALERT_SOURCES
_Z = NormalDist().inv_cdf(0.975)


def alert_quality(
    told: pd.DataFrame, labels: pd.DataFrame, scores: pd.DataFrame, now: datetime, settings: Settings
) -> pd.DataFrame:
    """Count and judge the alerts of every severity, model, version, rule and source.

    Args:
        told: ``alert_id``, ``device_id``, ``incident_id``, ``severity``, ``source``, ``model_id``,
            ``anomaly_score``, ``models_flagging``, ``top_contributors`` and ``score_ids`` of the alerts within
            ``quality.span`` that are not suppressed.
        labels: LABEL_EVENTS rows of their incidents; others do no harm.
        scores: ``score_id``, ``model_id``, ``model_version`` and ``anomaly_score`` behind them, where they are kept.
        now: end of the span, recorded as ``computed_at``.
        settings: groups ``quality``, ``alerts`` and ``calibration``.

    Returns:
        ALERT_QUALITY rows in the order of QUALITY_GROUPINGS; severities from most to least urgent.
    """
    groups = pd.concat(list(_groups(_judged(told, labels), scores)), ignore_index=True)
    rows = [
        _row(str(grouping), str(name), group, now, settings)
        for (grouping, name), group in groups.groupby(["grouping", "name"], sort=False)
    ]
    if not rows:
        return ALERT_QUALITY.empty()
    frame = pd.DataFrame(rows)
    places = frame["grouping"].map(QUALITY_GROUPINGS.index)
    urgency = frame["name"].map(lambda name: -SEVERITIES.index(name) if name in SEVERITIES else 0)
    ordered = frame.assign(place=places, urgency=urgency).sort_values(["place", "urgency", "name"])
    found: pd.DataFrame = ALERT_QUALITY.to_arrow(ordered).to_pandas()
    return found


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share that was ``successes`` of ``trials`` >= 1 (Wilson 1927)."""
    share, spread = successes / trials, _Z**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    reach = _Z * sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def _judged(told: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """``told`` with the newest verdict on the incident of each alert.

    Returns:
        The rows of ``told`` with ``label``, ``label_id`` (which verdict it is) and ``own`` (whether it is on this very
        alert); null without one.
    """
    newest = labels.sort_values(["labelled_at", "revision"]).drop_duplicates("incident_id", keep="last")
    said = newest.set_index("incident_id").reindex(told["incident_id"]).set_axis(told.index)
    return told.assign(label=said["label"], label_id=said["label_id"], own=said["alert_id"] == told["alert_id"])


def _verdicts(group: pd.DataFrame) -> pd.DataFrame:
    """The labelled alerts of a group, one for each verdict of a person: what was said once counts once.

    An incident is told again when it becomes more severe, and a verdict on it is about all of that.
    """
    labelled = group[group["label"].notna()].sort_values("own", ascending=False, kind="stable")
    return labelled.drop_duplicates("label_id")


def _groups(told: pd.DataFrame, scores: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Alerts with ``grouping`` and ``name``: each once in every group that it belongs to."""
    yield told.assign(grouping="severity", name=told["severity"])
    by_models = told[told["source"] == MODELS]
    behind = by_models.explode("score_ids").merge(
        scores, left_on="score_ids", right_on="score_id", suffixes=("_of_alert", "")
    )
    # The score of that model decides whether another threshold of it had kept the alert away, not the highest one.
    behind = behind.sort_values("anomaly_score", ascending=False)
    yield _once(behind.assign(grouping="model", name=behind["model_id"]))
    swept = by_models[~by_models["alert_id"].isin(behind["alert_id"])]
    yield swept.assign(grouping="model", name=swept["model_id"])
    yield _once(behind.assign(grouping="version", name=behind["model_id"] + " " + behind["model_version"]))
    streamed = told[told["source"] == STREAMING]
    rules = streamed["model_id"].astype("str").str.removeprefix(f"{STREAMING}_")
    yield streamed.assign(grouping="rule", name=rules)
    conditions = told[told["source"] == FALLBACK].explode("top_contributors")
    yield conditions.assign(grouping="rule", name=conditions["top_contributors"])
    yield told.assign(grouping="source", name=told["source"])


def _once(alerts: pd.DataFrame) -> pd.DataFrame:
    return alerts.drop_duplicates(["alert_id", "name"])


def _row(grouping: str, name: str, group: pd.DataFrame, now: datetime, settings: Settings) -> dict[str, object]:
    told = len(group)
    verdicts = _verdicts(group)
    confirmed, false_positives = (int((verdicts["label"] == label).sum()) for label in ("confirmed", "false_positive"))
    labelled = confirmed + false_positives
    low, high = wilson(confirmed, labelled) if labelled else (None, None)
    advice = _advice(grouping, name, verdicts, settings)
    return {
        "computed_at": pd.Timestamp(now),
        "grouping": grouping,
        "name": name,
        "window_from": pd.Timestamp(now - settings.quality.span),
        "window_to": pd.Timestamp(now),
        "told": told,
        "labelled": labelled,
        "confirmed": confirmed,
        "false_positives": false_positives,
        "precision": confirmed / labelled if labelled else None,
        "precision_low": low,
        "precision_high": high,
        "hit_rate": int((group["label"] == "confirmed").sum()) / told,
        "threshold": advice.threshold,
        "advice": advice.said,
    }


def _advice(grouping: str, name: str, group: pd.DataFrame, settings: Settings) -> Advice:
    match grouping:
        case "severity":
            return severity_advice(name, group[group["source"] == MODELS], settings)
        case "model":
            return model_advice(name, group, settings)
        case "rule":
            return rule_advice(name, group, settings)
        case _:
            return Advice()

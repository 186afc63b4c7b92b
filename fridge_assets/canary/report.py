"""The comparison of a candidate with production: what it found, as a row and in words (SPEC 1.6, 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from fridge_assets.canary.battery.rules import Battery
from fridge_assets.canary.inputs import CanaryInput, Compared, align
from fridge_assets.canary.metrics import Scores, highest
from fridge_assets.canary.verdict import MetricResult, Verdict, judge, worst
from fridge_assets.contracts import CANARY_REPORTS
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.core.identity import deterministic_id
from fridge_assets.settings import CanarySettings, IncidentSettings, Settings

_FLOODS = (
    "The candidate predicts {:,.0f} alerts of MEDIUM or higher a day, beyond the budget of {:,}; production predicts "
    "{:,.0f}."
)

_NAMES = {
    "score_difference": "mean score difference",
    "flagged_share": "shift of the flagged share",
    "top_overlap": "overlap of the highest devices",
    "kl_divergence": "KL divergence",
}


@dataclass(frozen=True)
class RoleOutlook:
    """What one version flags.

    Args:
        flagged: share of the compared devices.
        alerts_per_day: severity → flagged rows between its mark and the next × runs a day, before agreement of
            families and deduplication.
    """

    flagged: float
    alerts_per_day: Mapping[str, float]

    @property
    def weighty_per_day(self) -> float:
        """Those of MEDIUM or higher, which somebody must look into."""
        return sum(self.alerts_per_day[severity] for severity in SEVERITIES[SEVERITIES.index("MEDIUM") :])


@dataclass(frozen=True)
class CanaryReport:
    """One comparison in one window.

    Args:
        family: model family.
        candidate_version: the staged version.
        production_version: the released version.
        window_end: the compared window.
        devices: how many were compared.
        metrics: in the order of CANARY_METRICS.
        verdict: worst of the metrics, of the input and of the battery.
        reason: a sentence.
        entered: devices among the candidate's highest and not among production's, highest first.
        left: the other way round.
        candidate: what the candidate flags; None when an input was unusable.
        production: what production flags.
        created_at: when it was compared.
        alert_budget: alerts of MEDIUM or higher that operators can look into in a day.
        battery: healthy states and known faults that the candidate was tried on; None for a release that is watched.
    """

    family: str
    candidate_version: str
    production_version: str
    window_end: datetime
    devices: int
    metrics: tuple[MetricResult, ...]
    verdict: Verdict
    reason: str
    entered: tuple[str, ...]
    left: tuple[str, ...]
    candidate: RoleOutlook | None
    production: RoleOutlook | None
    created_at: datetime
    alert_budget: int
    battery: Battery | None = None

    @property
    def report_id(self) -> str:
        """The same for the same versions and window."""
        window = self.window_end.isoformat()
        return deterministic_id("canary", self.family, self.candidate_version, self.production_version, window)

    @property
    def outlook(self) -> str:
        """Predicted alerts of both versions beside the budget, as a sentence; empty when an input was unusable."""
        if self.candidate is None or self.production is None:
            return ""
        return outlook_sentence(self.candidate.weighty_per_day, self.production.weighty_per_day, self.alert_budget)

    def to_row(self) -> pd.DataFrame:
        """The report as one CANARY_REPORTS row."""
        row: dict[str, object] = {
            "report_id": self.report_id,
            "family": self.family,
            "candidate_version": self.candidate_version,
            "production_version": self.production_version,
            "window_end": pd.Timestamp(self.window_end),
            "devices": self.devices,
            "verdict": self.verdict,
            "reason": self.reason,
            "entered_top": list(self.entered),
            "left_top": list(self.left),
            "created_at": pd.Timestamp(self.created_at),
            "alert_budget": self.alert_budget,
            "battery_verdict": self.battery.verdict if self.battery else None,
            "battery": self.battery.lines if self.battery else None,
        }
        for metric in self.metrics:
            row[metric.name], row[f"{metric.name}_noise"] = metric.value, metric.noise
            row[f"{metric.name}_limit"], row[f"{metric.name}_verdict"] = metric.limit, metric.verdict
        for role, outlook in (("candidate", self.candidate), ("production", self.production)):
            row[f"{role}_flagged"] = None if outlook is None else outlook.flagged
            for severity in SEVERITIES:
                value = None if outlook is None else outlook.alerts_per_day[severity]
                row[f"{role}_{severity.lower()}_per_day"] = value
        rows: pd.DataFrame = CANARY_REPORTS.to_arrow(pd.DataFrame([row])).to_pandas()
        return rows

    def markdown(self) -> str:
        """The four metrics as a Markdown table, the predicted alerts beside the budget, and the battery's cases."""
        lines = ["| metric | value | noise floor | limit | verdict |", "|---|---:|---:|---:|---|"]
        for metric in self.metrics:
            figures = " | ".join(figure(metric.name, x) for x in (metric.value, metric.noise, metric.limit))
            lines.append(f"| {_NAMES[metric.name]} | {figures} | {metric.verdict} |")
        if self.outlook:
            lines += ["", self.outlook]
        if self.battery:
            lines += ["", "What must stay quiet and what must not be lost:", ""]
            lines += [f"- {line}" for line in self.battery.lines]
        return "\n".join(lines)


def compare(scores: CanaryInput, settings: Settings, battery: Battery | None = None) -> CanaryReport:
    """Hold a candidate's scores of one window against production's.

    Args:
        scores: of the candidate, production and its twin; whatever is wrong with them ends up in the report.
        settings: groups ``canary`` and ``alerts``.
        battery: of the candidate, which has to pass it too; None for a release that is watched.
    """
    compared = align(scores, settings.canary)
    thresholds = (scores.candidate_threshold, scores.production_threshold)
    metrics = judge(compared, *thresholds, settings.canary)
    verdict: Verdict = "block" if compared.refused else worst([metric.verdict for metric in metrics])
    reason = _reason(compared, metrics, verdict)
    shown = not compared.refused and len(compared.devices) > 0
    candidate = _outlook(compared.candidate, thresholds[0], scores.runs_per_day, settings.alerts) if shown else None
    production = _outlook(compared.production, thresholds[1], scores.runs_per_day, settings.alerts) if shown else None
    budget = settings.alerts.daily_budget
    if candidate and production and not compared.missing and _floods(candidate, production, budget):
        # Its metrics may all be within their limits: what is a small shift of scores may be many alerts.
        verdict = worst([verdict, "review"])
        reason = f"{reason} {_FLOODS.format(candidate.weighty_per_day, budget, production.weighty_per_day)}"
    if battery:
        verdict = worst([verdict, battery.verdict])
        reason = f"{reason} {battery.reason}"
    entered, left = _turnover(compared, settings.canary) if shown else ((), ())
    return CanaryReport(
        family=scores.family,
        candidate_version=scores.candidate_version,
        production_version=scores.production_version,
        window_end=scores.window_end,
        devices=len(compared.devices),
        metrics=metrics,
        verdict=verdict,
        reason=reason,
        entered=entered,
        left=left,
        candidate=candidate,
        production=production,
        created_at=scores.now,
        alert_budget=budget,
        battery=battery,
    )


def figure(metric: str, value: float | None) -> str:
    """A metric's figure as people read it; a dash for none."""
    if value is None:
        return "–"
    match metric:
        case "flagged_share":
            return f"{100 * value:.2f} pp"
        case "top_overlap":
            return f"{value:.0%}"
        case _:
            return f"{value:.3g}"


def outlook_sentence(candidate: float, production: float, budget: int) -> str:
    """Predicted alerts of MEDIUM or higher a day of both versions beside what operators can look into."""
    return (
        f"MEDIUM or higher a day: {candidate:,.0f} by the candidate, {production:,.0f} by production; "
        f"the budget is {budget:,}."
    )


def _floods(candidate: RoleOutlook, production: RoleOutlook, budget: int) -> bool:
    return candidate.weighty_per_day > budget >= production.weighty_per_day


def _reason(compared: Compared, metrics: tuple[MetricResult, ...], verdict: Verdict) -> str:
    if compared.refused:
        return f"The candidate {compared.refused}."
    if compared.missing:
        return f"{compared.missing[0].upper()}{compared.missing[1:]}."
    if verdict == "pass":
        return "All four metrics are within their limits, and so is production's own noise."
    said = "; ".join(metric.sentence for metric in metrics if metric.verdict == verdict)
    return f"{said[0].upper()}{said[1:]}."


def _turnover(compared: Compared, settings: CanarySettings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ours, theirs = (highest(scores, settings) for scores in (compared.candidate, compared.production))
    return _names(compared, ours[~np.isin(ours, theirs)]), _names(compared, theirs[~np.isin(theirs, ours)])


def _names(compared: Compared, positions: np.ndarray) -> tuple[str, ...]:
    return tuple(str(device) for device in compared.devices[positions])


def _outlook(scores: Scores, threshold: float, runs_per_day: int, settings: IncidentSettings) -> RoleOutlook:
    flagged = scores[scores > threshold]
    above = [flagged.size, *(int((flagged > mark).sum()) for mark in _marks(settings)), 0]
    per_day = {
        severity: float((above[rank] - above[rank + 1]) * runs_per_day) for rank, severity in enumerate(SEVERITIES)
    }
    return RoleOutlook(flagged.size / scores.size, per_day)


def _marks(settings: IncidentSettings) -> tuple[float, float, float]:
    """Marks of MEDIUM, HIGH and CRITICAL; whatever is flagged is LOW at least."""
    return settings.medium_score, settings.high_score, settings.critical_score

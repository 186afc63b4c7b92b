"""A fleet small enough to read: scores of hourly windows, and the alerts they lead to."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from fridge_assets.alerting.actions import ActionRequest, acted_on
from fridge_assets.alerting.events import events_of
from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.generate import GeneratedAlerts, generate_alerts
from fridge_assets.alerting.sla import escalations
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS, MODEL_SCORES, SILENCES
from fridge_assets.core.identity import deterministic_id
from fridge_assets.diagnosis.causes import built_in
from fridge_assets.scoring.comparisons import no_comparisons
from fridge_assets.settings import IncidentSettings

EPOCH = pd.Timestamp("2026-06-01T00:00:00Z")
SETTINGS = IncidentSettings()
FOREST, BASELINE = "isolation_forest_v2", "statistical_baseline_v1"
ACTIONS = {
    "ACKNOWLEDGED": "acknowledge",
    "IN_PROGRESS": "start",
    "RESOLVED": "resolve",
    "FALSE_POSITIVE": "false_positive",
}
"""What leads to a status."""
LOW_SIDE, SUPERHEAT = "pressure_low_mean", "superheat_mean"


def window(hour: float) -> pd.Timestamp:
    """End of the window of ``hour``."""
    return EPOCH + pd.Timedelta(hours=hour)


def run_time(hour: float) -> datetime:
    """When the run of the window of ``hour`` makes its alerts."""
    return (window(hour) + timedelta(minutes=4)).to_pydatetime()


def score(
    device: str, hour: float, value: float, model: str = FOREST, contributors: Sequence[str] = (LOW_SIDE,)
) -> dict[str, object]:
    """One MODEL_SCORES row, flagged above 0.60."""
    return {
        "score_id": deterministic_id(device, hour, model),
        "device_id": device,
        "window_start": window(hour) - pd.Timedelta(minutes=15),
        "window_end": window(hour),
        "model_id": model,
        "model_version": "2.0.0",
        "granularity": "fleet",
        "anomaly_score": value,
        "anomaly_flag": value > 0.60,
        "threshold_used": 0.60,
        "top_contributors": list(contributors),
        "contributor_scores": [1.0] * len(contributors),
        "scored_at": window(hour) + pd.Timedelta(minutes=3),
        "sensor_completeness": 1.0,
    }


def frame(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Score rows as a MODEL_SCORES frame."""
    if not rows:
        return MODEL_SCORES.empty().assign(provisional="")
    scores = MODEL_SCORES.to_arrow(pd.DataFrame(rows)).to_pandas()
    carried = [row.get("carried_from") for row in rows]
    return scores.assign(
        carried_from=pd.Series(carried, index=scores.index, dtype="datetime64[us, UTC]"),
        provisional=pd.Series([row.get("provisional", "") for row in rows], index=scores.index, dtype="str"),
    )


class Fleet:
    """Runs windows one after another and remembers alerts and events as the store would."""

    def __init__(self, settings: IncidentSettings = SETTINGS) -> None:
        self.settings = settings
        self.alerts = DEVICE_ALERTS.empty()
        self.events = ALERT_EVENTS.empty()
        self.silences = SILENCES.empty()
        self.history = pd.DataFrame(
            {"device_id": [], "window_end": pd.Series([], dtype="datetime64[us, UTC]"), "flagged": []}
        )

    def run(self, *rows: dict[str, object], now: datetime | None = None, source: str = "models") -> GeneratedAlerts:
        """Generate the alerts of the rows' window and apply them."""
        scores = frame(rows)
        hour = (scores["window_end"].max() - EPOCH) / pd.Timedelta(hours=1)
        moment = run_time(hour) if now is None else now
        generated = generate_alerts(
            scores,
            previous_scores=self.history[self.history["window_end"] < window(hour)],
            known_alerts=self.known(moment, window(hour)),
            registry=pd.DataFrame({"device_id": ["d1", "d2", "d3"], "site_id": ["s1", "s1", "s2"]}),
            features=pd.DataFrame({"device_id": ["d1"], LOW_SIDE: [141.0], SUPERHEAT: [15.0]}),
            typical=pd.DataFrame({"device_id": ["d1"], LOW_SIDE: [196.0], SUPERHEAT: [8.0]}),
            comparisons=no_comparisons(),
            silences=self.silences,
            knowledge=built_in(),
            now=moment,
            settings=self.settings,
            source=source,
        )
        flags = scores.groupby(["device_id", "window_end"], as_index=False)["anomaly_flag"].any()
        flags = flags.rename(columns={"anomaly_flag": "flagged"})
        kept = self.history[self.history["window_end"] != window(hour)]
        self.history = pd.concat([kept, flags], ignore_index=True) if len(kept) else flags
        self.apply(generated)
        return generated

    def known(self, moment: datetime, window_end: pd.Timestamp) -> pd.DataFrame:
        """What the store would hand over."""
        alerts = self.alerts
        active = alerts["status"].isin(["OPEN", "ACKNOWLEDGED", "IN_PROGRESS"])
        recent = alerts["alert_created_at"] >= pd.Timestamp(moment) - self.settings.dedup
        return alerts[active | recent | (alerts["window_end"] == window_end)]

    def apply(self, generated: GeneratedAlerts) -> None:
        """Store what was generated."""
        untouched = self.alerts[~self.alerts["alert_id"].isin(generated.updated["alert_id"])]
        frames = [f for f in (untouched, generated.updated, generated.new) if len(f)]
        if frames:
            self.alerts = pd.concat(frames).sort_values(["window_end", "device_id"]).reset_index(drop=True)
        events = [f for f in (self.events, generated.events) if len(f)]
        if events:
            self.events = pd.concat(events, ignore_index=True)

    def person_sets(self, alert_id: str, status: str, now: datetime) -> None:
        """Ann brings an alert to a status."""
        self.person(alert_id, ACTIONS[status], now)

    def person(self, alert_id: str, action: str, now: datetime) -> None:
        """Ann does something about an alert; what is due by then is recorded before it."""
        self.watch(now)
        alert = self.alerts[self.alerts["alert_id"] == alert_id]
        self._change(acted_on(alert, action, ActionRequest("ann", now)), "ann", now)

    def watch(self, now: datetime) -> None:
        """Somebody looks at the deadlines."""
        for step in escalations(self.alerts, now, self.settings):
            self._change(step, "sla", now)

    def _change(self, changed: pd.DataFrame, actor: str, now: datetime) -> None:
        before = self.alerts[self.alerts["alert_id"].isin(changed["alert_id"])]
        events = conform([events_of(changed, before, actor, now)], ALERT_EVENTS)
        self.apply(GeneratedAlerts(DEVICE_ALERTS.empty(), conform([changed], DEVICE_ALERTS), events))

    @property
    def active(self) -> pd.DataFrame:
        """Alerts that are somebody's work."""
        return self.alerts[self.alerts["status"].isin(["OPEN", "ACKNOWLEDGED", "IN_PROGRESS"])]

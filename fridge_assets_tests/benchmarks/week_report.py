"""What the simulated week has shown, as figures and as tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

import pandas as pd
from rich.console import Console
from rich.table import Table

from fridge_assets.alerting.sla_report import Work, sla_table
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.settings import IncidentSettings
from fridge_assets_tests.benchmarks.kinds import apart

LEAST_GRADUAL, LEAST_ACUTE, LEAST_PRECISE = 0.80, 0.90, 0.90
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Week:
    """What was true, what was said, and what was done about it.

    Args:
        truth: the simulator's ground truth.
        alerts: all DEVICE_ALERTS rows.
        work: incidents that people were told of.
        kinds: device → its kind, of the whole fleet.
        begins: when the product began to speak.
        ends: end of the last hour.
        windows: scored windows.
        settings: deadlines and budget.
    """

    truth: pd.DataFrame
    alerts: pd.DataFrame
    work: Sequence[Work]
    kinds: "pd.Series[str]"
    begins: datetime
    ends: datetime
    windows: int
    settings: IncidentSettings

    @property
    def devices(self) -> int:
        """How many there are."""
        return len(self.kinds)

    def apart(self) -> dict[str, Self]:
        """Kind of machine → its own week; what was done is of the whole crew."""
        alerts = dict(apart(self.alerts, self.kinds))
        return {
            kind: replace(self, truth=truth, alerts=alerts[kind], kinds=self.kinds[self.kinds == kind])
            for kind, truth in apart(self.truth, self.kinds)
        }

    @property
    def told(self) -> pd.DataFrame:
        """Told alerts of MEDIUM or higher, oldest first, with ``real``: whether the device had a fault by then."""
        alerts = self.alerts[~self.alerts["suppressed"].astype(bool)]
        alerts = alerts[alerts["severity"].isin(SEVERITIES[1:])]
        alerts = alerts.merge(self.truth[["device_id", "fault", "onset", "failure_at"]], on="device_id", how="left")
        return alerts.assign(real=alerts["onset"] < alerts["window_end"]).sort_values("alert_created_at")


def by_fault(week: Week) -> pd.DataFrame:
    """One row per kind of fault that failed within the week.

    Returns:
        ``fault``, ``acute``, ``devices``, ``found`` (alerted from its onset to its failure), ``recall``, ``lead``
        (median hours from the first such alert to the failure), ``lead_to_full`` (to full severity), ``told`` (alerts
        on these devices), ``precision`` (share of those that came after the onset).
    """
    told = week.told
    rows = []
    failed = week.truth[week.truth["failure_at"] <= week.ends]
    for fault, devices in failed.groupby("fault"):
        own = told[told["device_id"].isin(devices["device_id"])]
        first = (
            own[own["real"] & (own["alert_created_at"] <= own["failure_at"])]
            .groupby("device_id")["alert_created_at"]
            .min()
        )
        truth = devices.set_index("device_id")
        lead = (truth["failure_at"] - first).dropna() / HOUR
        to_full = (truth["full_severity_at"] - first).dropna() / HOUR
        rows.append(
            {
                "fault": fault,
                "acute": bool(devices["acute"].iloc[0]),
                "devices": len(devices),
                "found": len(first),
                "recall": len(first) / len(devices),
                "lead": lead.median(),
                "lead_to_full": to_full.median(),
                "told": len(own),
                "precision": own["real"].mean() if len(own) else None,
            }
        )
    columns = ["fault", "acute", "devices", "found", "recall", "lead", "lead_to_full", "told", "precision"]
    return pd.DataFrame(rows, columns=columns).sort_values(["acute", "fault"], ignore_index=True)


def by_severity(week: Week) -> pd.DataFrame:
    """``severity``, ``told``, ``real`` and ``precision``, most severe first."""
    grouped = week.told.groupby("severity")["real"].agg(told="size", real="sum", precision="mean")
    return grouped.reindex(SEVERITIES[:0:-1]).fillna({"told": 0, "real": 0}).reset_index()


def load(week: Week) -> dict[str, float]:
    """How much there was to read: per device-day, per day at most, and the share that nobody was told."""
    told, days = week.told, (week.ends - week.begins) / DAY
    per_day = told.groupby((told["alert_created_at"] - pd.Timestamp(week.begins)) // DAY).size()
    return {
        "told_per_device_day": len(told) / (week.devices * days),
        "told_per_day": len(told) / days,
        "most_in_a_day": float(per_day.max()),
        "suppressed_share": float(week.alerts["suppressed"].mean()),
        "rows": float(len(week.alerts)),
    }


def summary(week: Week) -> dict[str, float]:
    """The figures that have targets."""
    faults, told = by_fault(week), week.told
    acute = faults["acute"].astype(bool)
    return {
        "gradual_recall": _recall(faults[~acute]),
        "acute_recall": _recall(faults[acute]),
        "precision": float(told["real"].mean()),
        "urgent_precision": float(told.loc[told["severity"].isin(SEVERITIES[2:]), "real"].mean()),
        **load(week),
    }


def _recall(faults: pd.DataFrame) -> float:
    return float(faults["found"].sum() / faults["devices"].sum()) if len(faults) else math.nan


def targets_met(week: Week) -> bool:
    """Whether every target of the benchmark is met."""
    figures = summary(week)
    return (
        figures["gradual_recall"] >= LEAST_GRADUAL
        and figures["acute_recall"] >= LEAST_ACUTE
        and figures["urgent_precision"] >= LEAST_PRECISE
    )


def print_week(week: Week, console: Console) -> dict[str, Any]:
    """Print the tables; returns the figures."""
    faults, severities, figures = by_fault(week), by_severity(week), summary(week)
    sla = sla_table(week.work, week.ends)
    console.print(_table("Alerts of MEDIUM or higher before the failure; leads are medians in hours", faults))
    console.print(_table("What was told, and whether the device had a fault", severities))
    console.print(_table("Deadlines, with one operator", sla))
    console.print(
        f"Recall: gradual {figures['gradual_recall']:.1%} (target {LEAST_GRADUAL:.0%}), acute "
        f"{figures['acute_recall']:.1%} (target {LEAST_ACUTE:.0%}). Precision of HIGH and CRITICAL "
        f"{figures['urgent_precision']:.1%} (target {LEAST_PRECISE:.0%}), with MEDIUM {figures['precision']:.1%}."
    )
    console.print(
        f"{figures['told_per_device_day']:.4f} alerts of MEDIUM or higher per device and day, at most "
        f"{figures['most_in_a_day']:.0f} in a day (budget {week.settings.alert_budget}); "
        f"{figures['suppressed_share']:.0%} of {figures['rows']:,.0f} rows were kept for audit only."
    )
    tables = {"faults": faults, "severities": severities, "sla": sla}
    return figures | {name: frame.to_dict(orient="records") for name, frame in tables.items()}


def _table(title: str, frame: pd.DataFrame) -> Table:
    table = Table(title=title)
    for name in frame.columns:
        table.add_column(str(name).replace("_", " "), justify="left" if frame[name].dtype == "str" else "right")
    for row in frame.itertuples(index=False):
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)

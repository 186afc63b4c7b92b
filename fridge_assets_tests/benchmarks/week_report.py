"""What the simulated week has shown, as figures and as tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

import pandas as pd
from rich.table import Table

from fridge_assets.alert_quality.deadlines import Work
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.settings import IncidentSettings
from fridge_assets_tests.benchmarks.kinds import shown_apart
from fridge_assets_tests.benchmarks.week_old_rules import told_by_old_rules
from fridge_assets_tests.benchmarks.week_told import Told

LEAST_GRADUAL, LEAST_ACUTE = 0.80, 0.90
"""Share of the faults that is to be alerted before the failure."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Week:
    """What was true, what was said, and what was done about it.

    Args:
        truth: the simulator's ground truth.
        alerts: all DEVICE_ALERTS rows.
        work: incidents that people were told of, as work.
        incidents: those that they got a message of.
        kinds: device → its kind, of the whole fleet.
        begins: when the product began to speak.
        ends: end of the last hour.
        windows: scored windows.
        settings: deadlines and budget.
    """

    truth: pd.DataFrame
    alerts: pd.DataFrame
    work: Sequence[Work]
    incidents: Sequence[Told]
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
        return {
            kind: replace(own, incidents=tuple(one for one in self.incidents if one.device_id in own.kinds.index))
            for kind, own in shown_apart(self).items()
        }


def told_now(week: Week) -> pd.DataFrame:
    """Alerts of MEDIUM or higher that people were told of, oldest first.

    Returns:
        DEVICE_ALERTS columns, ``fault``, ``onset``, ``failure_at`` and ``real``: whether the device had one by then.
    """
    return _weighty(week, week.alerts[~week.alerts["suppressed"].astype(bool)])


def told_before(week: Week) -> pd.DataFrame:
    """The same of what the rules of before there were incidents would have told of the same evidence."""
    return _weighty(week, told_by_old_rules(week.alerts))


def _weighty(week: Week, alerts: pd.DataFrame) -> pd.DataFrame:
    alerts = alerts[alerts["severity"].isin(SEVERITIES[1:])]
    alerts = alerts.merge(week.truth[["device_id", "fault", "onset", "failure_at"]], on="device_id", how="left")
    return alerts.assign(real=alerts["onset"] < alerts["window_end"]).sort_values("alert_created_at")


def by_fault(week: Week, told: pd.DataFrame) -> pd.DataFrame:
    """One row per kind of fault that failed within the week.

    Args:
        week: what was true.
        told: as of :func:`told_now` or :func:`told_before`.

    Returns:
        ``fault``, ``acute``, ``devices``, ``found`` (alerted from its onset to its failure), ``recall``, ``lead``
        (median hours from the first such alert to the failure), ``lead_to_full`` (to full severity), ``told`` (alerts
        on these devices), ``precision`` (share of those that came after the onset).
    """
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


def leads(week: Week) -> pd.DataFrame:
    """Fault by fault, before there were incidents and now: devices found, median hours of lead, and alerts told."""
    before, now = (by_fault(week, told).set_index("fault") for told in (told_before(week), told_now(week)))
    return pd.DataFrame(
        {
            "devices": now["devices"],
            "found_before": before["found"],
            "found": now["found"],
            "lead_before": before["lead"],
            "lead": now["lead"],
            "lead_to_full": now["lead_to_full"],
            "told_before": before["told"],
            "told": now["told"],
        }
    ).reset_index()


def by_severity(week: Week) -> pd.DataFrame:
    """What was told by severity, and would have been before: ``…told``, ``…real`` and ``…precision``."""
    tables = []
    for beginning, told in (("before_", told_before(week)), ("", told_now(week))):
        grouped = told.groupby("severity")["real"].agg(told="size", real="sum", precision="mean")
        tables.append(grouped.reindex(SEVERITIES[:0:-1]).fillna({"told": 0, "real": 0}).add_prefix(beginning))
    return pd.concat(tables, axis=1).reset_index()


def load(week: Week) -> dict[str, float]:
    """How much there was to read: per device-day, per day at most, and the share that nobody was told."""
    told, days = told_now(week), (week.ends - week.begins) / DAY
    per_day = told.groupby((told["alert_created_at"] - pd.Timestamp(week.begins)) // DAY).size()
    return {
        "told_per_device_day": len(told) / (week.devices * days),
        "told_per_day": len(told) / days,
        "told_per_day_before": len(told_before(week)) / days,
        "most_in_a_day": float(per_day.max()),
        "suppressed_share": float(week.alerts["suppressed"].mean()),
        "rows": float(len(week.alerts)),
    }


def table_of(title: str, frame: pd.DataFrame) -> Table:
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

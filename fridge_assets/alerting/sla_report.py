"""How well deadlines are kept (SPEC 6)."""

from datetime import datetime
from typing import Final

import pandas as pd

from fridge_assets.alerting.frames import TIMESTAMP, look_up
from fridge_assets.alerting.severity import rank_of
from fridge_assets.alerting.sla import as_of, sla_spans
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.settings import IncidentSettings

_BEGINS: Final = ("detect", "continue", "raise", "tell", "reopen")
"""Actions with which an alert becomes work; the newest of them counts."""
_TAKES: Final = ("acknowledge", "start", "maintain", "resolve", "false_positive", "recover")
"""Actions after which nobody is waited for: somebody has taken the alert, or there is nothing left to take."""


def sla_table(alerts: pd.DataFrame, events: pd.DataFrame, now: datetime, settings: IncidentSettings) -> pd.DataFrame:
    """How many alerts were taken in time, and how long it took, by severity.

    An alert is taken when somebody acknowledges it, starts work or closes it, or when the device recovers; at its
    deadline exactly it is still in time. Every piece of work counts once: alerts that a later one continues before
    anybody took them are left out, as is one that continues work that somebody had taken. What was suppressed was not
    told and does not count. Alerts that are neither taken nor breached still have time.

    Args:
        alerts: DEVICE_ALERTS rows.
        events: ALERT_EVENTS rows of these alerts, all of each.
        now: the moment of the look.
        settings: spans of the severities; how long an alert took is counted from this long before its deadline.

    Returns:
        ``severity``, ``told``, ``in_time``, ``late``, ``breached_open`` and ``median_minutes`` (NaN where none was
        taken), a row per severity, the most severe first.
    """
    work = as_of(alerts[~alerts["suppressed"].astype(bool)].reset_index(drop=True), now, settings)
    work = work.assign(taken_at=_taken_at(work["alert_id"], events))
    # Ended, or taken over from another alert, without anybody having taken this one.
    work = work[work["taken_at"].notna() | (work["status"] == "OPEN")]
    spans = rank_of(work["severity"]).map(sla_spans(settings)).astype("timedelta64[us]")
    in_time = work["taken_at"] <= work["sla_deadline"]
    numbers = pd.DataFrame(
        {
            "told": 1,
            "in_time": in_time,
            "late": work["taken_at"].notna() & ~in_time,
            "breached_open": work["taken_at"].isna() & work["sla_breached"].astype(bool),
        },
        index=work.index,
    ).astype("int64")
    minutes = (work["taken_at"] - (work["sla_deadline"] - spans)) / pd.Timedelta(minutes=1)
    severities = pd.Index(SEVERITIES[::-1], name="severity", dtype="str")
    table = numbers.groupby(work["severity"].astype("str")).sum().reindex(severities, fill_value=0)
    return table.assign(median_minutes=minutes.groupby(work["severity"]).median().reindex(severities)).reset_index()


def _taken_at(alert_ids: pd.Series, events: pd.DataFrame) -> pd.Series:
    """When each alert was first taken since it last became work; null for not yet."""
    began = events[events["action"].isin(_BEGINS)].groupby("alert_id")["revision"].max()
    since = events[events["revision"] >= look_up(events["alert_id"], began)]
    taken = since[since["action"].isin(_TAKES)].sort_values("revision").drop_duplicates("alert_id")
    return look_up(alert_ids, taken.set_index("alert_id")["occurred_at"]).astype(TIMESTAMP)

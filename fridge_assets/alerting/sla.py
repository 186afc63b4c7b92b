"""By when an alert must be acted on, and what happens when nobody does (SPEC 6)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import pandas as pd

from fridge_assets.alerting.frames import TIMESTAMP, conform
from fridge_assets.alerting.severity import CRITICAL, HIGH, LOW, MEDIUM, rank_of
from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.contracts.device_alerts import ESCALATION_LEVELS, SEVERITIES
from fridge_assets.notifications.message import Channel
from fridge_assets.settings import IncidentSettings

_HIGHEST = ESCALATION_LEVELS[-1]
_NEXT_LEVEL = dict(zip(ESCALATION_LEVELS, (*ESCALATION_LEVELS[1:], _HIGHEST), strict=True))
_LADDER: Final[tuple[Channel | None, ...]] = (None, "site_digest", "operations", "on_call", "everyone")
"""Whom the severities are told to at first, from the least severe; each level is one channel further."""
_ADVANCED = ("escalation_level", "sla_breached", "next_escalation_at", "revision")
"""Columns of an alert that a step sets."""


def channel_of(severity: str, level: str) -> Channel | None:
    """Who is told about an alert at an escalation level; None for nobody: it is for the dashboard only."""
    place = SEVERITIES.index(severity) + ESCALATION_LEVELS.index(level)
    return _LADDER[min(place, len(_LADDER) - 1)]


def sla_spans(settings: IncidentSettings) -> dict[int, timedelta]:
    """Severity rank → how long people have."""
    return {
        LOW: settings.sla_low,
        MEDIUM: settings.sla_medium,
        HIGH: settings.sla_high,
        CRITICAL: settings.sla_critical,
    }


def sla_deadline(now: pd.Timestamp, ranks: pd.Series, settings: IncidentSettings) -> pd.Series:
    """Deadlines of alerts told at ``now``, one for each severity rank in ``ranks``."""
    return ranks.map({rank: now + span for rank, span in sla_spans(settings).items()}).astype(TIMESTAMP)


def escalations(alerts: pd.DataFrame, now: datetime, settings: IncidentSettings) -> Iterator[pd.DataFrame]:
    """What has become due of open alerts that nobody took, step by step.

    The first step, at the deadline, is the breach; each further span without anybody is one level more. When a step
    happened follows from the data, however late anybody looks.

    Args:
        alerts: DEVICE_ALERTS rows.
        now: the moment of the look; what is due at it exactly is still in time.
        settings: spans of the severities.

    Yields:
        Changed rows of one step with ``from_status``, ``action``, ``event_note`` and ``event_at``; a later step builds
        on the one before.
    """
    while True:
        late = alerts[(alerts["status"] == "OPEN") & (alerts["next_escalation_at"] < pd.Timestamp(now))]
        if late.empty:
            return
        alerts = _step(late, settings)
        yield alerts


def as_of(alerts: pd.DataFrame, now: datetime, settings: IncidentSettings) -> pd.DataFrame:
    """The alerts as they truly stand at ``now``, whether or not anybody has looked at their deadlines lately.

    Args:
        alerts: DEVICE_ALERTS rows as they are stored, with a unique index.
        now: the moment of the look.
        settings: spans of the severities.

    Returns:
        The same rows in the same order.
    """
    current = alerts.copy()
    for step in escalations(alerts, now, settings):
        for name in _ADVANCED:
            current.loc[step.index, name] = step[name]
    return current


def advanced_rows(
    rows: Sequence[Mapping[str, Any]], now: datetime, settings: IncidentSettings
) -> dict[str, dict[str, Any]]:
    """Alert id → what :func:`as_of` makes of the columns that a step sets, for rows as the store returns them."""
    current = as_of(conform([pd.DataFrame(rows)], DEVICE_ALERTS), now, settings)
    values = DEVICE_ALERTS.to_arrow(current).select(["alert_id", *_ADVANCED]).to_pylist()
    return {row.pop("alert_id"): row for row in values}


def _step(late: pd.DataFrame, settings: IncidentSettings) -> pd.DataFrame:
    level = late["escalation_level"].map(_NEXT_LEVEL).astype("str")
    moment = late["next_escalation_at"]
    again = moment + rank_of(late["severity"]).map(sla_spans(settings)).astype("timedelta64[us]")
    first = ~late["sla_breached"].astype(bool)
    rows = zip(first, late["sla_deadline"], late["escalation_level"], level, strict=True)
    return late.assign(
        from_status=late["status"],
        action=first.map({True: "breach", False: "escalate"}),
        event_at=moment,
        event_note=[_said(is_first, deadline, old, new) for is_first, deadline, old, new in rows],
        sla_breached=True,
        escalation_level=level,
        next_escalation_at=again.astype(TIMESTAMP).where(level != _HIGHEST),
        revision=late["revision"] + 1,
    )


def _said(is_first: bool, deadline: pd.Timestamp, old: str, new: str) -> str:
    what = f"Nobody had taken it by {deadline:%Y-%m-%d %H:%M} UTC" if is_first else "Still nobody has taken it"
    return f"{what}: {old} to {new}" if old != new else f"{what}: it stays at {new}"

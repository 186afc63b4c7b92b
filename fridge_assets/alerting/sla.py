"""By when an alert must be acted on, and what happens when nobody does (SPEC 6)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd

from fridge_assets.alerting.frames import TIMESTAMP
from fridge_assets.alerting.severity import CRITICAL, HIGH, LOW, MEDIUM, rank_of
from fridge_assets.contracts.device_alerts import ESCALATION_LEVELS
from fridge_assets.settings import AlertSettings

_HIGHEST = ESCALATION_LEVELS[-1]
_NEXT_LEVEL = dict(zip(ESCALATION_LEVELS, (*ESCALATION_LEVELS[1:], _HIGHEST), strict=True))


def sla_spans(settings: AlertSettings) -> dict[int, timedelta]:
    """Severity rank → how long people have."""
    return {
        LOW: settings.sla_low,
        MEDIUM: settings.sla_medium,
        HIGH: settings.sla_high,
        CRITICAL: settings.sla_critical,
    }


def sla_deadline(now: pd.Timestamp, ranks: pd.Series, settings: AlertSettings) -> pd.Series:
    """Deadlines of alerts told at ``now``, one for each severity rank in ``ranks``."""
    return ranks.map({rank: now + span for rank, span in sla_spans(settings).items()}).astype(TIMESTAMP)


def escalations(alerts: pd.DataFrame, now: datetime, settings: AlertSettings) -> Iterator[pd.DataFrame]:
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


def _step(late: pd.DataFrame, settings: AlertSettings) -> pd.DataFrame:
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

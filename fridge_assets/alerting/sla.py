"""By when an alert must be acted on (SPEC 6)."""

import pandas as pd

from fridge_assets.alerting.frames import TIMESTAMP
from fridge_assets.alerting.severity import CRITICAL, HIGH, LOW, MEDIUM
from fridge_assets.settings import AlertSettings


def sla_deadline(now: pd.Timestamp, ranks: pd.Series, settings: AlertSettings) -> pd.Series:
    """Deadlines of alerts told at ``now``, one for each severity rank in ``ranks``."""
    spans = {
        LOW: settings.sla_low,
        MEDIUM: settings.sla_medium,
        HIGH: settings.sla_high,
        CRITICAL: settings.sla_critical,
    }
    return ranks.map({rank: now + span for rank, span in spans.items()}).astype(TIMESTAMP)

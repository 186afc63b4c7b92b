"""Settings of device and site status."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class FleetSettings(Group):
    """Device and site status (SPEC 1.8)."""

    offline_after: timedelta = Field(timedelta(hours=1), description="no reading for this long and a device is offline")
    trend_span: timedelta = Field(timedelta(hours=24), description="span of anomaly_trend and of the daily means")
    trend_slope: float = Field(0.10, gt=0, description="change of the score over the span that counts as a trend")
    reconciled_alerts: int = Field(
        5000, ge=1, description="open alerts, the newest first, that the daily check holds against their events"
    )
    mismatch_error: float = Field(
        0.01, gt=0, le=1, description="share of rows that disagree with the alerts from which the check is an error"
    )

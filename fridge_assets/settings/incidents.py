"""Settings of the incidents: those of the alerts, and what is decided about the whole of a device's trouble."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings.alerting import AlertSettings


class IncidentSettings(AlertSettings):
    """From what was seen to what people are told and work on (SPEC 6.1)."""

    confirm_windows: int = Field(
        3, ge=1, description="a MEDIUM that one family says waits until MEDIUM was seen in some of so many last windows"
    )
    confirm_seen: int = Field(2, ge=1, description="so many of them")
    sure_score: float = Field(0.85, gt=0, lt=1, description="a score above this does not wait, whoever else agrees")
    reopen_within: timedelta = Field(
        timedelta(hours=4), ge=timedelta(0), description="trouble that comes back so soon after a recovery is the same"
    )
    reminder: timedelta = Field(
        timedelta(hours=4), gt=timedelta(0), description="people are reminded of what nobody has taken after this"
    )
    benign_for: timedelta = Field(
        timedelta(days=7), ge=timedelta(0), description="what was called a false positive is not told again for this"
    )
    repair_grace: timedelta = Field(
        timedelta(hours=2), ge=timedelta(0), description="a repaired device may take this long to return to normal"
    )
    undo_within: timedelta = Field(
        timedelta(minutes=10), gt=timedelta(0), description="an action can be taken back for this long"
    )

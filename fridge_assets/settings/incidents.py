"""Settings of the incidents: how urgent something is, what people are told, and by when they act."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class IncidentSettings(Group):
    """From what was seen to what people are told and work on (SPEC 6, 6.1)."""

    critical_score: float = Field(0.95, description="a score above this is CRITICAL")
    high_score: float = Field(0.85, description="a score above this is HIGH if enough families agree")
    medium_score: float = Field(0.70, description="a score above this is MEDIUM")
    high_families: int = Field(2, description="flagging families that HIGH needs")
    medium_families: int = Field(2, description="flagging families that make MEDIUM whatever their scores")
    high_conditions: int = Field(2, ge=1, description="conditions of the fallback that make HIGH of MEDIUM")
    resolve_after_windows: int = Field(2, ge=1, description="windows in a row without a flag that resolve an alert")
    single_messages: int = Field(
        10, ge=0, description="new alerts of one severity that are told one by one; of more a list is made"
    )
    listed_alerts: int = Field(20, ge=1, description="alerts, or sites, that such a list names")
    site_devices: int = Field(
        5, ge=2, description="so many devices of a site that alert together are told as one site-wide message"
    )
    site_share: float = Field(0.30, gt=0, le=1, description="if they are at least this share of its active devices")
    site_span: timedelta = Field(timedelta(minutes=30), description="and alert within this span")
    alert_budget: int = Field(
        144, ge=1, description="alerts of MEDIUM or higher that one operator can look into in a day (one in 10 minutes)"
    )
    operators: int = Field(1, ge=1, description="people who look into alerts, all shifts of a day together")
    longest_silence: timedelta = Field(
        timedelta(days=30), gt=timedelta(0), description="nobody hears of a device or site for no longer than this"
    )
    sla_critical: timedelta = Field(timedelta(minutes=30), description="a CRITICAL alert is taken within this")
    sla_high: timedelta = Field(timedelta(hours=2), description="a HIGH alert is taken within this")
    sla_medium: timedelta = Field(timedelta(hours=4), description="a MEDIUM alert is taken within this")
    sla_low: timedelta = Field(timedelta(hours=24), description="a LOW alert is taken within this")

    confirm_windows: int = Field(
        3,
        ge=1,
        description="MEDIUM that families do not agree on waits until it was seen in some of these last windows",
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

    @property
    def daily_budget(self) -> int:
        """Alerts of MEDIUM or higher that all operators together can look into in a day."""
        return self.alert_budget * self.operators

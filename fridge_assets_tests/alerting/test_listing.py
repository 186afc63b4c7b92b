"""The order in which alerts are listed: what somebody should look at first comes first (SPEC 9)."""

from datetime import timedelta

import pandas as pd

from fridge_assets.alerting.listing import AlertFilter, urgent_rows
from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets_tests.alerting.labelled import HOUR, NOW, alert

MINUTE = timedelta(minutes=1)
ALERTS = [
    # Newest windows and highest scores are the least urgent here.
    alert("low", severity="LOW", created=NOW, score=0.99, sla_deadline=NOW + HOUR, next_escalation_at=NOW + HOUR),
    alert("low, late", severity="LOW", created=NOW - 9 * HOUR, sla_deadline=NOW - HOUR, sla_breached=True),
    alert("high, near", sla_deadline=NOW + HOUR, next_escalation_at=NOW + HOUR),
    alert("high, far", created=NOW, sla_deadline=NOW + 2 * HOUR, next_escalation_at=NOW + 2 * HOUR),
    alert("critical", severity="CRITICAL", sla_deadline=NOW + HOUR, next_escalation_at=NOW + HOUR),
    alert("critical, taken", severity="CRITICAL", sla_deadline=NOW + 3 * HOUR, status="ACKNOWLEDGED"),
    alert("medium, late unnoticed", severity="MEDIUM", sla_deadline=NOW - MINUTE, next_escalation_at=NOW - MINUTE),
    alert("closed long ago", severity="CRITICAL", created=NOW - 90 * HOUR, status="RESOLVED", sla_breached=True),
    alert("closed", severity="LOW", created=NOW - 2 * HOUR, status="FALSE_POSITIVE"),
    alert("held", severity="CRITICAL", created=NOW - 3 * HOUR, suppressed=True, suppressed_because="silence"),
]
URGENT = [
    "medium, late unnoticed", "low, late",
    "critical", "critical, taken", "high, near", "high, far", "low",
]  # fmt: skip


def listed(operations: Operations, **wanted: object) -> list[str]:
    with operations.transaction() as connection:
        rows = DEVICE_ALERTS.to_arrow(pd.DataFrame(ALERTS)).to_pylist()
        connection.execute(device_alerts.delete())
        connection.execute(device_alerts.insert(), rows)
    with operations.read() as connection:
        return [row["device_id"] for row in urgent_rows(connection, AlertFilter(**wanted), NOW)]  # type: ignore[arg-type]


def test_late_ones_come_first_then_the_severe_then_those_whose_deadline_is_near(operations: Operations) -> None:
    assert listed(operations) == URGENT


def test_what_is_closed_or_held_follows_newest_first(operations: Operations) -> None:
    everything = listed(operations, active_only=False, include_suppressed=True)
    assert everything == [*URGENT, "closed", "held", "closed long ago"]
    assert listed(operations, active_only=False, include_suppressed=True, limit=8) == [*URGENT, "closed"]


def test_a_limit_keeps_the_most_urgent(operations: Operations) -> None:
    assert listed(operations, limit=3) == URGENT[:3]
    assert listed(operations, min_severity="HIGH", limit=2) == ["critical", "critical, taken"]

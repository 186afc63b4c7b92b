"""What happens to an alert → what becomes of its order (SPEC 6)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fridge_assets.work_orders.rules import Change, dated, followed, leading, opened, order_for, order_id_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "alert_id": "a1",
        "device_id": "d1",
        "site_id": "s1",
        "severity": "HIGH",
        "title": "Low-side pressure unusually low",
        "description": "It averaged 141 kPa.",
        "suppressed": False,
        "ontology_action_id": "w1",
        "status": "OPEN",
        "sla_deadline": NOON + 2 * HOUR,
        "source": "models",
        "alert_created_at": NOON,
    } | changes


def change(action: str, from_status: str | None = "OPEN", note: str = "why", **changes: Any) -> Change:
    return Change(alert(**changes), action, from_status, "ann", note, NOON + HOUR)


def order(**changes: Any) -> dict[str, Any]:
    return opened(alert(), "w1", "models", "Told as HIGH", NOON) | changes


@pytest.mark.parametrize(
    ("severity", "suppressed", "needs"),
    [
        ("CRITICAL", False, True),
        ("HIGH", False, True),
        ("MEDIUM", False, False),
        ("LOW", False, False),
        ("CRITICAL", True, False),
    ],
)
def test_told_alerts_of_high_and_critical_need_an_order(severity: str, suppressed: bool, needs: bool) -> None:
    asked = order_for(alert(severity=severity, suppressed=suppressed))
    assert asked == (order_id_of("a1") if needs else None)


@pytest.mark.parametrize(("severity", "priority"), [("CRITICAL", "urgent"), ("HIGH", "normal"), ("LOW", "normal")])
def test_a_new_order_says_what_its_alert_says(severity: str, priority: str) -> None:
    made = followed(None, change("detect", None, "Told", severity=severity))
    assert made is not None
    said = {name: made[name] for name in ("work_order_id", "alert_id", "priority", "status", "due_at", "revision")}
    assert said == {
        "work_order_id": "w1", "alert_id": "a1", "priority": priority, "status": "open",
        "due_at": NOON + 2 * HOUR, "revision": 1,
    }  # fmt: skip
    assert (made["title"], made["requested_by"], made["reason"]) == (alert()["title"], "models", "Told")


CLOSED, TAKEN = {"status": "RESOLVED"}, "somebody had taken it: `alerts confirm` or `false-positive` ends it"
RISEN = {"severity": "CRITICAL", "sla_deadline": NOON + HOUR}


@pytest.mark.parametrize(
    ("before", "happens", "becomes"),
    [
        pytest.param({}, change("acknowledge", status="ACKNOWLEDGED"), {}, id="acknowledged"),
        pytest.param({}, change("breach"), {}, id="breached"),
        pytest.param({}, change("sustain"), {}, id="sustained"),
        pytest.param(
            {}, change("raise", **RISEN), {"priority": "urgent", "due_at": NOON + HOUR, "reason": "why"}, id="raised"
        ),
        pytest.param(
            {},
            change("detect", None, **RISEN, alert_id="a2"),
            {"alert_id": "a2", "priority": "urgent", "due_at": NOON + HOUR, "reason": "why"},
            id="continued by a more severe alert",
        ),
        pytest.param(
            {"priority": "urgent"},
            change("continue", None, alert_id="a2"),
            {"alert_id": "a2", "reason": "why"},
            id="continued by a less severe alert it stays urgent",
        ),
        pytest.param({}, change("supersede", **CLOSED, alert_id="a0"), None, id="one that it has moved on from"),
        pytest.param(
            {}, change("resolve", **CLOSED), {"status": "done", "reason": "Resolved by ann: why"}, id="person resolves"
        ),
        pytest.param(
            {},
            change("confirm", "RESOLVED", **CLOSED),
            {"status": "done", "reason": "Resolved by ann: why"},
            id="person confirms what recovered by itself while somebody worked on it",
        ),
        pytest.param(
            {},
            change("false_positive", note="", status="FALSE_POSITIVE"),
            {"status": "cancelled", "reason": "False positive, says ann"},
            id="false positive",
        ),
        *(
            pytest.param(
                {}, change(action, **CLOSED), {"status": "cancelled", "reason": "why"}, id=f"{action} while open"
            )
            for action in ("recover", "withdraw", "suppress")
        ),
        *(
            pytest.param({}, change("recover", status, **CLOSED), {"reason": f"why; {TAKEN}"}, id=f"recover {status}")
            for status in ("ACKNOWLEDGED", "IN_PROGRESS")
        ),
        pytest.param(
            {"scheduled_from": NOON, "scheduled_to": NOON + HOUR},
            change("recover", **CLOSED),
            {"reason": f"why; {TAKEN}"},
            id="recover while scheduled",
        ),
        pytest.param(
            {"status": "cancelled"}, change("reopen", "RESOLVED"), {"status": "open", "reason": "why"}, id="reopened"
        ),
        pytest.param({"status": "done"}, change("false_positive", "RESOLVED", **CLOSED), {}, id="done stays done"),
    ],
)
def test_the_order_follows_its_alert(before: dict[str, Any], happens: Change, becomes: dict[str, Any] | None) -> None:
    was = order(**before)
    followed_by = leading([happens], was["alert_id"])
    if becomes is None:
        assert followed_by is None
        return
    assert followed_by is not None
    after = followed(was, followed_by)
    assert after == was | becomes
    assert followed(after, followed_by) == after, "the same again changes nothing"


def test_an_active_alert_comes_before_the_one_that_it_takes_the_place_of() -> None:
    old, new = change("withdraw", **CLOSED), change("detect", None, alert_id="a2")
    assert leading([new, old], "a1") is leading([old, new], "a1") is new


def test_a_closed_alert_never_makes_an_order() -> None:
    assert followed(None, change("recover", **CLOSED)) is None


def test_a_date_opens_a_cancelled_order_again() -> None:
    after = dated(order(status="cancelled"), alert(), "ann", (NOON, NOON + HOUR))
    assert (after["status"], after["scheduled_from"], after["scheduled_to"]) == ("open", NOON, NOON + HOUR)
    assert after["reason"] == "ann scheduled it for 2026-06-01 12:00 to 2026-06-01 13:00 UTC"

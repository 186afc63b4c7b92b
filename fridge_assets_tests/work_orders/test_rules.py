"""What happens to an incident → what becomes of its order (SPEC 6)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fridge_assets.work_orders.rules import Change, Trouble, dated, followed, order_id_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def trouble(**changes: Any) -> Trouble:
    said = Trouble(
        incident_id="i1",
        device_id="d1",
        site_id="s1",
        severity="HIGH",
        title="Low-side pressure unusually low",
        description="It averaged 141 kPa.",
        due_at=NOON + 2 * HOUR,
        is_open=True,
    )
    return replace(said, **changes)


def change(action: str, from_status: str | None = "OPEN", note: str = "why", **changes: Any) -> Change:
    return Change(trouble(**changes), action, from_status, "ann", note, NOON + HOUR)


def order(**changes: Any) -> dict[str, Any]:
    made = followed(None, Change(trouble(), "open", None, "models", "Told as HIGH", NOON))
    assert made is not None
    return made | changes


@pytest.mark.parametrize(("severity", "priority"), [("CRITICAL", "urgent"), ("HIGH", "normal"), ("LOW", "normal")])
def test_a_new_order_says_what_its_incident_says(severity: str, priority: str) -> None:
    made = followed(None, change("open", None, "Told", severity=severity))
    assert made is not None
    said = {name: made[name] for name in ("work_order_id", "incident_id", "priority", "status", "due_at", "revision")}
    assert said == {
        "work_order_id": order_id_of("i1"), "incident_id": "i1", "priority": priority, "status": "open",
        "due_at": NOON + 2 * HOUR, "revision": 1,
    }  # fmt: skip
    assert (made["title"], made["requested_by"], made["reason"]) == (trouble().title, "ann", "Told")


CLOSED, TAKEN = {"is_open": False}, "somebody had taken it: `incidents confirm` or `false-positive` ends it"
RISEN = {"severity": "CRITICAL", "due_at": NOON + HOUR}


@pytest.mark.parametrize(
    ("before", "happens", "becomes"),
    [
        pytest.param({}, change("acknowledge"), {}, id="acknowledged"),
        pytest.param({}, change("breach"), {}, id="breached"),
        pytest.param({}, change("join"), {}, id="seen again"),
        pytest.param(
            {}, change("join", **RISEN), {"priority": "urgent", "due_at": NOON + HOUR, "reason": "why"}, id="raised"
        ),
        pytest.param({"priority": "urgent"}, change("join"), {}, id="one that is less severe stays urgent"),
        pytest.param(
            {}, replace(change("undo"), asks=False), {"status": "cancelled", "reason": "why"}, id="taken back"
        ),
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
            change("false_positive", note="", **CLOSED),
            {"status": "cancelled", "reason": "False positive, says ann"},
            id="false positive",
        ),
        *(
            pytest.param(
                {}, change(action, **CLOSED), {"status": "cancelled", "reason": "why"}, id=f"{action} while open"
            )
            for action in ("recover", "withdraw")
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
def test_the_order_follows_its_incident(before: dict[str, Any], happens: Change, becomes: dict[str, Any]) -> None:
    was = order(**before)
    after = followed(was, happens)
    assert after == was | becomes
    assert followed(after, happens) == after, "the same again changes nothing"


def test_a_closed_incident_never_makes_an_order() -> None:
    assert followed(None, change("recover", **CLOSED)) is None


def test_an_order_gets_a_date() -> None:
    after = dated(order(), "ann", (NOON, NOON + HOUR))
    assert (after["status"], after["scheduled_from"], after["scheduled_to"]) == ("open", NOON, NOON + HOUR)
    assert after["reason"] == "ann scheduled it for 2026-06-01 12:00 to 2026-06-01 13:00 UTC"

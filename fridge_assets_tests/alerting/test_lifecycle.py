"""What people may do with an alert in which status, and what becomes of it (SPEC 6)."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from fridge_assets.alerting.actions import PEOPLES_ACTIONS, ActionRequest, acted_on
from fridge_assets.alerting.lifecycle import TRANSITIONS, IllegalTransition, check_transition, status_after
from fridge_assets.contracts.device_alerts import ALERT_ACTIONS, ALERT_STATUSES, ESCALATION_LEVELS
from fridge_assets_tests.alerting.fleet import Fleet, run_time, score

OPEN, TAKEN, WORKING, CLOSED, FALSE = "OPEN", "ACKNOWLEDGED", "IN_PROGRESS", "RESOLVED", "FALSE_POSITIVE"
NO = None
AFTER: dict[str, tuple[str | None, str | None, str | None, str | None, str | None]] = {
    # before:         OPEN     ACKNOWLEDGED  IN_PROGRESS  RESOLVED  FALSE_POSITIVE
    "acknowledge":    (TAKEN,  NO,           NO,          NO,       NO),
    "start":          (WORKING, WORKING,     NO,          NO,       NO),
    "maintain":       (TAKEN,  TAKEN,        WORKING,     NO,       NO),
    "escalate":       (OPEN,   TAKEN,        WORKING,     NO,       NO),
    "resolve":        (CLOSED, CLOSED,       CLOSED,      NO,       NO),
    "false_positive": (FALSE,  FALSE,        FALSE,       FALSE,    NO),
    "confirm":        (NO,     NO,           NO,          CLOSED,   CLOSED),
}  # fmt: skip
"""Action → the status after it for each status before it; NO where it is refused."""
PAIRS = [
    (action, before, after)
    for action, row in AFTER.items()
    for before, after in zip((OPEN, TAKEN, WORKING, CLOSED, FALSE), row, strict=True)
]
NOW = run_time(1)


def alert_at(status: str, **columns: object) -> pd.DataFrame:
    """One alert in a status, with a deadline in the future where it is open."""
    fleet = Fleet()
    alert = fleet.run(score("d1", 0, 0.9)).new
    due = alert["next_escalation_at"].where([status == OPEN])
    closed = pd.Series(
        [pd.Timestamp(run_time(0.5)) if status in (CLOSED, FALSE) else pd.NaT], dtype="datetime64[us, UTC]"
    )
    return alert.assign(**({"status": status, "next_escalation_at": due, "resolved_at": closed} | columns))


def after(action: str, alert: pd.DataFrame, at: datetime = NOW) -> "pd.Series[object]":
    return acted_on(alert, action, ActionRequest("ann", at, "because")).iloc[0]


def test_the_table_is_about_every_action_of_people_and_every_status() -> None:
    assert set(AFTER) == set(PEOPLES_ACTIONS)
    assert (OPEN, TAKEN, WORKING, CLOSED, FALSE) == ALERT_STATUSES


@pytest.mark.parametrize(("action", "before", "expected"), PAIRS)
def test_what_each_action_makes_of_each_status(action: str, before: str, expected: str | None) -> None:
    if expected is not None:
        changed = after(action, alert_at(before))
        assert (changed["status"], changed["from_status"], changed["action"]) == (expected, before, action)
        assert (changed["revision"], changed["event_note"]) == (2, "because")
        return
    said = f"^an alert that is {before} cannot take the action '{action.replace('_', ' ')}'\\. It is possible while"
    with pytest.raises(IllegalTransition, match=said):
        after(action, alert_at(before))


def test_a_refusal_names_where_the_action_is_possible() -> None:
    with pytest.raises(IllegalTransition, match=r"It is possible while an alert is RESOLVED, FALSE_POSITIVE\.$"):
        status_after("confirm", OPEN)
    with pytest.raises(IllegalTransition, match=r"^an alert that is new cannot take the action 'resolve'"):
        check_transition("resolve", None, CLOSED)
    with pytest.raises(IllegalTransition, match=r"Only new alerts can\.$"):
        check_transition("detect", OPEN, OPEN)


def test_every_action_that_an_event_may_have_is_in_the_state_machine() -> None:
    assert set(TRANSITIONS) == set(ALERT_ACTIONS)


@pytest.mark.parametrize("action", ["acknowledge", "start", "maintain", "resolve", "false_positive"])
def test_an_alert_that_somebody_took_or_closed_has_no_deadline_to_come(action: str) -> None:
    assert pd.isna(after(action, alert_at(OPEN))["next_escalation_at"])


def test_an_alert_is_closed_when_it_is_closed_first() -> None:
    assert after("resolve", alert_at(OPEN))["resolved_at"] == pd.Timestamp(NOW)
    closed = alert_at(CLOSED)
    for action in ("false_positive", "confirm"):
        assert after(action, closed)["resolved_at"] == closed["resolved_at"].iloc[0]


def test_escalating_goes_one_level_up_and_no_further_than_the_highest() -> None:
    levels = [
        after("escalate", alert_at(WORKING, escalation_level=level))["escalation_level"] for level in ("L1", "L2")
    ]
    assert levels == ["L2", "L3"]
    with pytest.raises(IllegalTransition, match=r"^the alert is at L3 already, the highest level"):
        after("escalate", alert_at(WORKING, escalation_level=ESCALATION_LEVELS[-1]))


def test_escalating_leaves_the_deadline_as_it_is() -> None:
    alert = alert_at(OPEN)
    assert after("escalate", alert)["next_escalation_at"] == alert["next_escalation_at"].iloc[0]
    near_the_top = alert_at(OPEN, escalation_level="L2")
    assert after("escalate", near_the_top)["next_escalation_at"] == alert["next_escalation_at"].iloc[0]


def test_above_the_highest_level_there_is_nothing_to_wait_for_after_a_breach() -> None:
    late = alert_at(OPEN, escalation_level="L2", sla_breached=True)
    assert pd.isna(after("escalate", late, NOW + timedelta(hours=9))["next_escalation_at"])

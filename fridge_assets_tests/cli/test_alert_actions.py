"""What people do with alerts by command: what is said, as JSON, for several, and when refused (SPEC 6)."""

import getpass
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fridge_assets.alerting.store import apply

from fridge_assets.stores.operations import Operations, silences
from fridge_assets_tests.alerting.fleet import Fleet, score
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.conftest import settings_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def operations(folder: Path) -> Operations:
    return Operations(settings_of(folder).operations_database)


@pytest.fixture
def alerts(operations: Operations) -> list[str]:
    """Open alerts of d1, d2 and d3 whose deadlines are still to come."""
    generated = Fleet().run(*(score(device, 0, 0.75) for device in ("d1", "d2", "d3")))
    now = pd.Timestamp.now("UTC").as_unit("us")
    due = now + timedelta(hours=4)
    generated.new["sla_deadline"] = generated.new["next_escalation_at"] = due
    with operations.transaction() as connection:
        apply(connection, generated)
    return [str(name) for name in generated.new["alert_id"]]


def said_json(folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    ended, out, error = typed(folder, "alerts", *words, "--json")
    assert (ended, error) == (code, "")
    said: dict[str, Any] = json.loads(out)
    return said


def test_the_whole_way_of_an_alert_in_lines_that_say_what_comes_next(folder: Path, alerts: list[str]) -> None:
    name = alerts[0][:8]
    story = [
        (["escalate"], f"Alert {name} on d1 at s1 is OPEN at L2, revision 2. Nobody has taken it yet, act by "),
        (["ack"], f"Alert {name} on d1 at s1 is ACKNOWLEDGED at L2, revision 3. When work begins: "),
        (["start"], "is IN_PROGRESS at L2, revision 4. When it is repaired: "),
        (["resolve"], "is RESOLVED at L2, revision 5. It counts as a real failure; if it was none: "),
        (["false-positive"], "is FALSE_POSITIVE at L2, revision 6. It counts as no failure; if it was one: "),
        (["confirm"], "is RESOLVED at L2, revision 7. It counts as a real failure; if it was none: "),
    ]
    following = ["ack", "start", "resolve", "false-positive", "confirm", "false-positive"]
    for (words, expected), then in zip(story, following, strict=True):
        code, said, error = typed(folder, "alerts", *words, name)
        assert (code, error) == (0, "")
        assert expected in said
        assert said.strip().endswith(f"alerts {then} {name}")
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("before", "command", "action", "status"),
    [
        ([], "ack", "acknowledge", "ACKNOWLEDGED"),
        ([], "start", "start", "IN_PROGRESS"),
        ([], "maintain", "maintain", "ACKNOWLEDGED"),
        ([], "resolve", "resolve", "RESOLVED"),
        ([], "false-positive", "false_positive", "FALSE_POSITIVE"),
        (["resolve"], "confirm", "confirm", "RESOLVED"),
        ([], "escalate", "escalate", "OPEN"),
    ],
)
def test_every_command_prints_the_alert_and_its_event_as_json(
    folder: Path, alerts: list[str], before: list[str], command: str, action: str, status: str
) -> None:
    for earlier in before:
        typed(folder, "alerts", earlier, alerts[0])
    said = said_json(folder, command, alerts[0], "--note", "[see] the log", "--by", "ann")
    (done,) = said["done"]
    assert said["refused"] == []
    assert (done["alert_id"], done["status"]) == (alerts[0], status)
    event = done["event"]
    assert (event["action"], event["actor"], event["note"]) == (action, "ann", "[see] the log")
    assert event["revision"] == done["revision"] == 2 + len(before)


def test_who_acts_is_who_is_logged_in(folder: Path, alerts: list[str]) -> None:
    (done,) = said_json(folder, "ack", alerts[0])["done"]
    assert done["event"]["actor"] == getpass.getuser()


def test_several_alerts_are_done_each_by_itself(folder: Path, alerts: list[str]) -> None:
    typed(folder, "alerts", "resolve", alerts[1])
    code, said, error = typed(folder, "alerts", "ack", alerts[0], alerts[1], "nonsense", alerts[2])
    assert code == 1
    assert [line.split()[1] for line in said.splitlines()] == [alerts[0][:8], alerts[2][:8]]
    first, second = error.splitlines()
    assert first.startswith("Error: an alert that is RESOLVED cannot take the action 'acknowledge'")
    assert second.startswith("Error: no alert begins with 'nonsense'")


def test_several_alerts_as_json_say_which_were_refused_and_why(folder: Path, alerts: list[str]) -> None:
    said = said_json(folder, "ack", "nonsense", alerts[0], code=1)
    assert [done["alert_id"] for done in said["done"]] == [alerts[0]]
    (no,) = said["refused"]
    assert (no["alert"], no["problem"]) == ("nonsense", "no alert begins with 'nonsense'")
    assert "alerts list --all" in no["remedy"]


def test_what_somebody_changed_meanwhile_is_refused_in_one_line(folder: Path, alerts: list[str]) -> None:
    typed(folder, "alerts", "ack", alerts[0], "--by", "[bob]")
    said = refused(folder, "alerts", "resolve", alerts[0], "--if-revision", "1")
    assert "is at revision 2, not 1: 'acknowledge' by [bob] at " in said
    assert "--if-revision 2 with 2 alerts" in refused(folder, "alerts", "ack", *alerts[:2], "--if-revision", "2")


def test_maintenance_begins_and_lasts_as_typed(folder: Path, operations: Operations, alerts: list[str]) -> None:
    words = ("--from", "2030-06-02T08:00", "--for", "90m", "--note", "new compressor")
    code, said, error = typed(folder, "alerts", "maintain", alerts[0], *words)
    assert (code, error) == (0, "")
    assert "is ACKNOWLEDGED at L1, revision 2. Work order " in said
    with operations.read() as connection:
        (window,) = connection.execute(silences.select()).all()
    assert (window.starts_at.isoformat(), window.device_id) == ("2030-06-02T08:00:00+00:00", "d1")
    assert (window.ends_at - window.starts_at, window.reason) == (timedelta(minutes=90), "new compressor")


def test_maintenance_begins_now_and_takes_two_hours_when_nothing_is_said(
    folder: Path, operations: Operations, alerts: list[str]
) -> None:
    typed(folder, "alerts", "maintain", alerts[0])
    with operations.read() as connection:
        (window,) = connection.execute(silences.select()).all()
    assert window.ends_at - window.starts_at == timedelta(hours=2)
    assert abs(window.starts_at - pd.Timestamp.now("UTC")) < timedelta(minutes=1)
    assert alerts[0][:8] in window.reason


@pytest.mark.parametrize(("option", "value"), [("--from", "noon"), ("--for", "two hours")])
def test_a_moment_or_span_that_is_none_is_refused_before_anything_is_done(
    folder: Path, alerts: list[str], option: str, value: str
) -> None:
    assert refused(folder, "alerts", "maintain", alerts[0], option, value).startswith(f"{option} is '{value}', not ")

"""What people do with incidents by command: what is said, as JSON, many at once, and when refused (SPEC 6.1)."""

import getpass
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fridge_assets.incidents.observations import Span
from fridge_assets.stores.operations import Operations, silences
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.incidents.device import HIGH, MEDIUM, SUPERHEAT, seen
from fridge_assets_tests.incidents.given import incident_id, see


@pytest.fixture
def incidents(operations: Operations) -> list[str]:
    """Open incidents of d1 (MEDIUM), d2 (HIGH) at s1 and d3 (HIGH) at s2, whose deadlines are still to come."""
    now = datetime.now(UTC)
    window = Span(now - timedelta(minutes=15), now)
    for device, site, severity, sign in (
        ("d1", "s1", MEDIUM, SUPERHEAT),
        ("d2", "s1", HIGH, SUPERHEAT),
        ("d3", "s2", HIGH, seen(0).sign),
    ):
        cause = "refrigerant leak" if device == "d2" else ""
        evidence = seen(0, severity, sign, device=device, site_id=site, families=2, window=window, at=now, cause=cause)
        see(operations, now, evidence)
    return [incident_id(operations, device) for device in ("d1", "d2", "d3")]


def said_json(folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    ended, out, error = typed(folder, "incidents", *words, "--json")
    assert (ended, error) == (code, "")
    said: dict[str, Any] = json.loads(out)
    return said


def test_the_whole_way_of_an_incident_in_lines_that_say_what_comes_next(folder: Path, incidents: list[str]) -> None:
    name = incidents[0][:8]
    story = [
        (["escalate"], f"Incident {name} on d1 at s1 is OPEN at L2, revision 2. Nobody has taken it yet, act by "),
        (["ack"], f"Incident {name} on d1 at s1 is ACKNOWLEDGED at L2, revision 3. When work begins: "),
        (["take", "--by", "ann"], "is ACKNOWLEDGED at L2, of ann, revision 4. When work begins: "),
        (["start"], "is IN_PROGRESS at L2, of ann, revision 5. When it is repaired: "),
        (["resolve"], "is RESOLVED at L2, of ann, revision 6. It counts as a real failure; if it was none: "),
        (["false-positive"], "is FALSE_POSITIVE at L2, of ann, revision 7. It counts as no failure; if it was one: "),
        (["confirm"], "is RESOLVED at L2, of ann, revision 8. It counts as a real failure; if it was none: "),
        (["undo"], "is FALSE_POSITIVE at L2, of ann, revision 9. It counts as no failure; if it was one: "),
    ]
    following = ["ack", "start", "start", "resolve", "false-positive", "confirm", "false-positive", "confirm"]
    for (words, expected), then in zip(story, following, strict=True):
        code, said, error = typed(folder, "incidents", *words, name)
        assert (code, error) == (0, "")
        assert expected in said
        assert said.strip().endswith(f"incidents {then} {name}")
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("before", "command", "action", "status"),
    [
        ([], ["ack"], "acknowledge", "ACKNOWLEDGED"),
        ([], ["take"], "take", "ACKNOWLEDGED"),
        ([], ["start"], "start", "IN_PROGRESS"),
        ([], ["maintain"], "maintain", "ACKNOWLEDGED"),
        ([], ["snooze", "--for", "2h"], "snooze", "ACKNOWLEDGED"),
        ([], ["resolve"], "resolve", "RESOLVED"),
        ([], ["false-positive"], "false_positive", "FALSE_POSITIVE"),
        (["resolve"], ["confirm"], "confirm", "RESOLVED"),
        ([], ["escalate"], "escalate", "OPEN"),
    ],
)
def test_every_command_prints_the_incident_and_its_event_as_json(
    folder: Path, incidents: list[str], before: list[str], command: list[str], action: str, status: str
) -> None:
    for earlier in before:
        typed(folder, "incidents", earlier, incidents[0])
    said = said_json(folder, *command, incidents[0], "--note", "[see] the log", "--by", "ann")
    (done,) = said["done"]
    assert said["refused"] == []
    assert (done["incident_id"], done["status"]) == (incidents[0], status)
    event = done["event"]
    assert (event["action"], event["actor"], event["note"]) == (action, "ann", "[see] the log")
    assert event["revision"] == done["revision"] == 2 + len(before)


def test_who_acts_is_who_is_logged_in(folder: Path, incidents: list[str]) -> None:
    (done,) = said_json(folder, "take", "d1")["done"]
    assert (done["event"]["actor"], done["owner"]) == (getpass.getuser(), getpass.getuser())


def test_several_incidents_are_done_each_by_itself(folder: Path, incidents: list[str]) -> None:
    typed(folder, "incidents", "resolve", "d2")
    code, said, error = typed(folder, "incidents", "ack", incidents[0], "d2", "nonsense", "d3")
    assert code == 1
    first, second, count = said.splitlines()
    assert (first.split()[1], second.split()[1]) == (incidents[0][:8], incidents[2][:8])
    assert count == "2 of 4 incidents, 2 refused"
    first, second = error.splitlines()
    assert f"incident {incidents[1][:8]} is RESOLVED and cannot take the action 'acknowledge'" in first
    assert second.startswith("Error: no incident begins with 'nonsense'")


def test_several_incidents_as_json_say_which_were_refused_and_why(folder: Path, incidents: list[str]) -> None:
    said = said_json(folder, "ack", "nonsense", incidents[0], code=1)
    assert [done["incident_id"] for done in said["done"]] == [incidents[0]]
    (no,) = said["refused"]
    assert (no["incident"], no["problem"]) == ("nonsense", "no incident begins with 'nonsense'")
    assert "incidents list --all" in no["remedy"]


@pytest.mark.parametrize(
    ("conditions", "devices"),
    [
        (["--site", "s1"], ["d2", "d1"]),
        (["--severity", "HIGH"], ["d2", "d3"]),
        (["--cause", "not clear"], ["d1", "d3"]),
        (["--site", "s1", "--severity", "HIGH", "--cause", "Leak"], ["d2"]),
    ],
)
def test_all_open_incidents_of_a_site_a_severity_or_a_cause_are_done_at_once(
    folder: Path, incidents: list[str], conditions: list[str], devices: list[str]
) -> None:
    done = said_json(folder, "ack", *conditions)["done"]
    assert sorted(one["device_id"] for one in done) == sorted(devices)
    code, _, error = typed(folder, "incidents", "ack", *conditions)
    assert (code, "no open incident that can take the action 'acknowledge'" in error) == (1, True)
    others = {one["device_id"] for one in json.loads(typed(folder, "incidents", "list", "--json")[1])} - set(devices)
    assert len(others) == 3 - len(devices)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no incident named. Name incidents or devices, or else any of --site, --cause, --severity."),
        (["d1", "--site", "s1"], "both incidents and conditions named"),
        (["--severity", "URGENT"], "severity 'URGENT'"),
        (["--site", "s9"], "'s9'"),
        (
            ["--site", "s1", "--cause", "door"],
            "no open incident that can take the action 'resolve' is meant by that",
        ),
    ],
)
def test_what_means_no_incident_is_refused(folder: Path, incidents: list[str], words: list[str], said: str) -> None:
    assert said in refused(folder, "incidents", "resolve", *words)


def test_what_somebody_changed_meanwhile_is_refused_in_one_line(folder: Path, incidents: list[str]) -> None:
    typed(folder, "incidents", "ack", incidents[0], "--by", "[bob]")
    said = refused(folder, "incidents", "resolve", incidents[0], "--if-revision", "1")
    assert "is at revision 2, not 1" in said
    assert "'acknowledge' by [bob] at " in said
    assert "--if-revision 2 with 2 incidents" in refused(folder, "incidents", "ack", "d1", "d2", "--if-revision", "2")


def test_maintenance_begins_and_lasts_as_typed(folder: Path, operations: Operations, incidents: list[str]) -> None:
    words = ("--from", "2030-06-02T08:00", "--for", "90m", "--note", "new compressor")
    code, said, error = typed(folder, "incidents", "maintain", incidents[0], *words)
    assert (code, error) == (0, "")
    assert "is ACKNOWLEDGED at L1, revision 2. Work order " in said
    with operations.read() as connection:
        (window,) = connection.execute(silences.select()).all()
    assert (window.starts_at.isoformat(), window.device_id) == ("2030-06-02T08:00:00+00:00", "d1")
    assert (window.ends_at - window.starts_at, window.reason) == (timedelta(minutes=90), "new compressor")


def test_maintenance_begins_now_and_takes_two_hours_when_nothing_is_said(
    folder: Path, operations: Operations, incidents: list[str]
) -> None:
    typed(folder, "incidents", "maintain", incidents[0])
    with operations.read() as connection:
        (window,) = connection.execute(silences.select()).all()
    assert window.ends_at - window.starts_at == timedelta(hours=2)
    assert abs(window.starts_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert incidents[0][:8] in window.reason


@pytest.mark.parametrize(("option", "value"), [("--from", "noon"), ("--for", "two hours")])
def test_a_moment_or_span_that_is_none_is_refused_before_anything_is_done(
    folder: Path, incidents: list[str], option: str, value: str
) -> None:
    said = refused(folder, "incidents", "maintain", incidents[0], option, value)
    assert said.startswith(f"{option} is '{value}', not ")


def test_a_snooze_says_until_when(folder: Path, incidents: list[str]) -> None:
    code, said, error = typed(folder, "incidents", "snooze", "d1", "--for", "3h")
    assert (code, error) == (0, "")
    assert "is ACKNOWLEDGED at L1, revision 2. It is snoozed until " in said

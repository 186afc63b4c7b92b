"""Silences by command and by job, and what the audit says of them (SPEC 6, 9)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fridge_assets.automation.silences import SILENCE_JOBS
from fridge_assets.incidents.observations import Span
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.incidents.device import CRITICAL, seen
from fridge_assets_tests.incidents.given import see

ADD = ("silences", "add", "--by", "ann", "--reason", "compressor [2] replaced", "--for", "2h")
AT = datetime(2026, 6, 1, 9, tzinfo=UTC)


def said(settings: Settings, *words: str) -> Any:
    """What a command prints as JSON."""
    code, out, error = typed(settings.root, *words, "--json")
    assert (code, error) == (0, "")
    return json.loads(out)


def spoken(settings: Settings, *words: str) -> str:
    code, out, error = typed(settings.root, *words)
    assert (code, error) == (0, "")
    return out


@pytest.fixture
def store(operations: Operations) -> None:
    """The operations store of a fleet, empty."""
    operations.migrate()


@pytest.fixture
def registry(settings: Settings) -> Path:
    settings.root.mkdir(parents=True, exist_ok=True)
    path = settings.root / "device_registry.csv"
    path.write_text("device_id,site_id\nd1,s1\nd2,s1\n")
    return path


@pytest.mark.usefixtures("store")
def test_a_silence_is_added_listed_and_ended(settings: Settings) -> None:
    assert spoken(settings, "silences", "list").strip() == "Silences: none"
    made = said(settings, *ADD, "--device", "d1")
    assert (made["kind"], made["device_id"], made["site_id"], made["actor"]) == ("maintenance", "d1", None, "ann")
    lasts = datetime.fromisoformat(made["ends_at"]) - datetime.fromisoformat(made["starts_at"])
    assert lasts == timedelta(hours=2)
    (listed,) = said(settings, "silences", "list")
    assert listed == made
    table = spoken(settings, "silences", "list")
    assert "device d1" in table
    assert "compressor [2] replaced" in table
    ended = said(settings, "silences", "end", made["silence_id"][:8], "--by", "bob")
    assert (ended["silence_id"], ended["ended_by"]) == (made["silence_id"], "bob")
    assert said(settings, "silences", "list") == []
    assert said(settings, "silences", "list", "--all") == [ended]


@pytest.mark.usefixtures("store")
def test_a_silence_may_begin_later_and_be_of_a_site(settings: Settings) -> None:
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    line = spoken(settings, *ADD, "--site", "s1", "--kind", "silence", "--from", begins.isoformat())
    assert f"Silence of site s1 from {begins:%Y-%m-%d %H:%M} UTC" in line
    (listed,) = said(settings, "silences", "list")
    assert "Taken back: silence of site s1" in spoken(settings, "silences", "end", listed["silence_id"])
    assert said(settings, "silences", "list") == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*ADD,), "a silence is of neither a device and a site. Name one of them."),
        ((*ADD, "--device", "d1", "--site", "s1"), "a silence is of both a device and a site. Name one of them."),
        ((*ADD, "--device", "d9"), "there is no device 'd9' in the device registry. Choose one of d1, d2."),
        ((*ADD, "--site", "s9"), "there is no site 's9' in the device registry. Choose one of s1."),
        ((*ADD[:-1], "31d", "--device", "d1"), "a silence of 31 d is longer than 30 d. Make a shorter one; when it"),
        ((*ADD[:-1], "soon", "--device", "d1"), "--for is 'soon', not a span of time. Give days, hours and minutes as"),
        ((*ADD, "--device", "d1", "--from", "noon"), "--from is 'noon', not a moment."),
        ((*ADD, "--device", "d1", "--kind", "rest"), "there is no kind of silence 'rest'. Choose one of maintenance,"),
        (("silences", "end", "4f1c"), "no silence begins with '4f1c'. See `fridge-assets silences list --all`"),
        (("incidents", "audit", "--because", "luck"), "there is no reason 'luck'. Choose one of repeat, being_worked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.usefixtures("registry")
def test_what_cannot_be_is_refused(settings: Settings, words: tuple[str, ...], expected: str) -> None:
    assert expected in refused(settings.root, *words)


@pytest.mark.usefixtures("store")
def test_the_audit_counts_by_reason_and_says_who_held_what_until_when(
    settings: Settings, operations: Operations
) -> None:
    typed(settings.root, *ADD, "--device", "d1", "--from", AT.isoformat())
    window = Span(AT, AT + timedelta(minutes=15))
    here = seen(0, CRITICAL, window=window, at=AT)
    there = seen(0, CRITICAL, device="d2", site_id="s2", window=window, at=AT)
    see(operations, AT, here, there)
    later = AT + timedelta(hours=1)
    repeat = replace(there, evidence_id="later", window=Span(window.ends_at, later), at=later)
    see(operations, later, repeat)
    report = said(settings, "incidents", "audit")
    assert report["counts"] == [
        {"suppressed_because": "repeat", "alerts": 1, "devices": 1},
        {"suppressed_because": "silenced", "alerts": 1, "devices": 1},
    ]
    (held,) = said(settings, "incidents", "audit", "--because", "silenced")["alerts"]
    note = "Held by maintenance of ann until 2026-06-01 11:00 UTC: compressor [2] replaced"
    assert (held["device_id"], held["severity"], held["why"]) == ("d1", "CRITICAL", note)
    assert note in " ".join(spoken(settings, "incidents", "audit", "--device", "d1").split())
    assert [row["device_id"] for row in said(settings, "incidents", "audit", "--site", "s2")["alerts"]] == ["d2"]
    since = said(settings, "incidents", "audit", "--since", later.isoformat())["alerts"]
    assert [row["suppressed_because"] for row in since] == ["repeat"]


def test_jobs_do_what_the_commands_do(settings: Settings, operations: Operations) -> None:
    add, end = SILENCE_JOBS
    resources = {"settings": settings, "operations": operations}
    config = {"site": "s1", "hours": 1.5, "reason": "new doors", "by": "ann"}
    made = add.execute_in_process(config, resources=resources)
    (noted,) = [e for e in made.all_events if e.event_type_value == "ASSET_OBSERVATION"]
    (listed,) = said(settings, "silences", "list")
    assert (listed["site_id"], listed["actor"], listed["reason"]) == ("s1", "ann", "new doors")
    observation = noted.asset_observation_data.asset_observation
    assert observation.metadata["silence"].value == listed["silence_id"]
    end.execute_in_process({"silence": listed["silence_id"]}, resources=resources)
    assert said(settings, "silences", "list") == []
    wrong = config | {"device": "d1"}
    failed = add.execute_in_process(wrong, resources=resources, raise_on_error=False)
    assert not failed.success

"""Incidents as they are listed, and what nobody was told of them (SPEC 6.1, 9)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fridge_assets.incidents.observations import Span
from fridge_assets.incidents.terms import Severity
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.incidents.device import CRITICAL, HIGH, LOW, MEDIUM, seen
from fridge_assets_tests.incidents.given import see


def found(operations: Operations, device: str, severity: Severity, ago: timedelta, **more: Any) -> None:
    """A device's evidence of some time ago."""
    end = datetime.now(UTC) - ago
    window = Span(end - timedelta(minutes=15), end)
    more = {"families": 2, **more}
    name = f"{device} {ago}"
    see(operations, end, seen(0, severity, device=device, evidence_id=name, window=window, at=end, **more))


@pytest.fixture
def fleet(operations: Operations) -> None:
    """HIGH d1 past its deadline, CRITICAL d2 in time, LOW d3, MEDIUM d4 that waits, d5 resolved; d2 repeated."""
    found(operations, "d1", HIGH, timedelta(hours=3), cause="refrigerant leak")
    found(operations, "d2", CRITICAL, timedelta(minutes=10))
    found(operations, "d2", CRITICAL, timedelta(minutes=5))
    found(operations, "d3", LOW, timedelta(minutes=30))
    found(operations, "d4", MEDIUM, timedelta(minutes=20), families=1)
    found(operations, "d5", HIGH, timedelta(minutes=40))


@pytest.fixture
def resolved(folder: Path, fleet: None) -> None:
    typed(folder, "incidents", "resolve", "d5")


def listed(folder: Path, *words: str) -> list[dict[str, Any]]:
    code, said, error = typed(folder, "incidents", "list", *words, "--json")
    assert (code, error) == (0, "")
    rows: list[dict[str, Any]] = json.loads(said)
    return rows


@pytest.mark.usefixtures("resolved")
def test_the_most_urgent_come_first_and_what_is_not_told_last(folder: Path) -> None:
    assert [row["device_id"] for row in listed(folder)] == ["d1", "d2", "d3", "d4"]
    assert [row["device_id"] for row in listed(folder, "--all")] == ["d1", "d2", "d3", "d4", "d5"]
    assert [row["device_id"] for row in listed(folder, "--limit", "2")] == ["d1", "d2"]
    assert [row["device_id"] for row in listed(folder, "--min-severity", "HIGH", "--all")] == ["d1", "d2", "d5"]
    assert [row["device_id"] for row in listed(folder, "--severity", "LOW")] == ["d3"]
    assert [row["device_id"] for row in listed(folder, "--device", "d4")] == ["d4"]
    assert [row["device_id"] for row in listed(folder, "--cause", "Refrigerant")] == ["d1"]
    assert [row["device_id"] for row in listed(folder, "--cause", "not clear", "--all")] == ["d2", "d3", "d4", "d5"]
    assert [row["probable_cause"] for row in listed(folder, "--limit", "2")] == ["refrigerant leak", ""]


@pytest.mark.usefixtures("fleet")
def test_a_list_shows_deadlines_as_they_stand_though_nobody_has_looked(folder: Path) -> None:
    first = listed(folder)[0]
    assert (first["breached"], first["level"]) == (True, "L2")
    assert first["named"] == [["pressure_low_side", "low"]]
    code, said, _ = typed(folder, "incidents", "list")
    assert code == 0
    lines = said.splitlines()
    assert "late" in lines[2]
    assert any("d4" in line and "not told" in line for line in lines)
    assert lines[-1].endswith("incidents show INCIDENT")


@pytest.mark.usefixtures("fleet")
def test_a_mistyped_name_is_refused(folder: Path) -> None:
    assert "'d9'" in refused(folder, "incidents", "list", "--device", "d9")
    assert "'URGENT'" in refused(folder, "incidents", "list", "--min-severity", "URGENT")


@pytest.mark.usefixtures("fleet")
def test_the_audit_says_what_was_held_and_why_and_what_waits(folder: Path) -> None:
    code, said, error = typed(folder, "incidents", "audit", "--json")
    assert (code, error) == (0, "")
    document = json.loads(said)
    assert {row["suppressed_because"]: row["alerts"] for row in document["counts"]} == {"repeat": 1, "unconfirmed": 1}
    assert [row["device_id"] for row in document["waiting"]] == ["d4"]
    assert [(row["device_id"], row["suppressed_because"]) for row in document["alerts"]] == [
        ("d2", "repeat"), ("d4", "unconfirmed"),
    ]  # fmt: skip
    only = json.loads(typed(folder, "incidents", "audit", "--because", "repeat", "--json")[1])
    assert [row["device_id"] for row in only["alerts"]] == ["d2"]
    assert "'maintenance'" in refused(folder, "incidents", "audit", "--because", "maintenance")
    assert "Open, and not told yet" in typed(folder, "incidents", "audit")[1]


@pytest.mark.usefixtures("resolved")
def test_alerts_are_the_evidence_of_open_incidents_newest_first_and_all_of_it_where_it_is_asked_for(
    folder: Path,
) -> None:
    def devices(*words: str) -> list[str]:
        return [row["device_id"] for row in json.loads(typed(folder, "alerts", "list", *words, "--json")[1])]

    assert devices() == ["d2", "d3", "d1"]
    assert devices("--all") == ["d2", "d2", "d4", "d3", "d5", "d1"]
    assert devices("--min-severity", "CRITICAL", "--all") == ["d2", "d2"]
    assert devices("--device", "d1") == ["d1"]

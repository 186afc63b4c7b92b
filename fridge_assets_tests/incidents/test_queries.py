"""What is read of incidents: as they truly stand, out of an index (SPEC 6.1, 9)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.incidents.evidence_lists import AlertFilter, HeldFilter, find_alert, held_alerts, list_alerts
from fridge_assets.incidents.queries import IncidentFilter, incident_ids, listed, open_summary, urgent_incidents
from fridge_assets.incidents.silences import Silence, add_silence
from fridge_assets.incidents.store import watch
from fridge_assets.incidents.story import story_of
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.incidents.device import CRITICAL, HIGH, LOW, MEDIUM, SETTINGS, SUPERHEAT, run_time, seen
from fridge_assets_tests.incidents.given import incident_id, see

NOW = run_time(0)


def of(operations: Operations, device: str, hour: float) -> tuple[str, bool]:
    """Level, and whether nobody had taken it by its deadline, as a list shows it at ``hour``."""
    identity = incident_id(operations, device)
    with operations.read() as connection:
        (one,) = listed(connection, [identity], run_time(hour), SETTINGS)
    return one.incident.level, one.incident.breached


def test_a_list_shows_what_the_watch_would_store(operations: Operations) -> None:
    see(operations, NOW, seen(0, HIGH), seen(0, CRITICAL, device="d2"))
    shown = [of(operations, device, 3) for device in ("d1", "d2")]
    assert shown == [("L2", True), ("L3", True)]
    watch(operations, run_time(3), SETTINGS)
    assert [of(operations, device, 3) for device in ("d1", "d2")] == shown


def test_a_silence_does_not_keep_a_deadline_from_passing_in_a_list(operations: Operations) -> None:
    see(operations, NOW, seen(0, HIGH))
    begins = NOW + timedelta(hours=1)
    silence = Silence("silence", "d1", None, begins, begins + timedelta(hours=9), "ann", "peace", begins)
    with operations.transaction() as connection:
        add_silence(connection, silence, SETTINGS)
    shown = of(operations, "d1", 3)
    watch(operations, run_time(3), SETTINGS)
    assert of(operations, "d1", 3) == shown


def test_the_severity_of_a_list_is_what_people_were_told(operations: Operations) -> None:
    see(operations, NOW, seen(0, LOW), seen(0, HIGH, device="d2"), seen(0, MEDIUM, device="d3"))
    with operations.read() as connection:
        found = urgent_incidents(connection, IncidentFilter(), NOW, SETTINGS)
        assert [(one.incident.device_id, one.incident.severity) for one in found] == [
            ("d2", HIGH), ("d1", LOW), ("d3", MEDIUM),
        ]  # fmt: skip
        assert open_summary(connection) == {"d1": (1, "LOW"), "d2": (1, "HIGH"), "d3": (1, "MEDIUM")}
        assert len(incident_ids(connection, IncidentFilter(statuses=("IN_PROGRESS",)), NOW)) == 0


def test_the_title_is_that_of_what_says_best_what_was_told(operations: Operations) -> None:
    see(operations, NOW, seen(0, HIGH))
    see(operations, run_time(1), seen(1, CRITICAL, SUPERHEAT))
    with operations.read() as connection:
        (one,) = urgent_incidents(connection, IncidentFilter(), NOW, SETTINGS)
    assert (one.title, one.incident.severity) == ("superheat too high", CRITICAL)


def test_alerts_of_several_severities_are_listed_by_their_windows(operations: Operations) -> None:
    for hour, severity, device in ((0, CRITICAL, "d1"), (1, HIGH, "d2"), (2, LOW, "d3"), (3, CRITICAL, "d4")):
        see(operations, run_time(hour), seen(hour, severity, device=device))
    see(operations, run_time(3), seen(3, HIGH, device="d5"))
    for open_only in (True, False):
        with operations.read() as connection:
            found = list_alerts(connection, AlertFilter(open_only, min_severity="HIGH", limit=3))
        assert [row["device_id"] for row in found] == ["d4", "d5", "d2"]


def test_incidents_are_found_by_a_part_of_their_probable_cause(operations: Operations) -> None:
    causes = {"d1": "refrigerant leak", "d2": "refrigerant overcharge", "d3": ""}
    see(operations, NOW, *(seen(0, HIGH, device=device, cause=cause) for device, cause in causes.items()))

    def found(cause: str) -> list[str]:
        with operations.read() as connection:
            listed = urgent_incidents(connection, IncidentFilter(cause=cause), NOW, SETTINGS)
        return [one.incident.device_id for one in listed]

    assert sorted(found("Refrigerant")) == ["d1", "d2"]
    assert found("leak") == ["d1"]
    assert found("not clear") == ["d3"]
    assert found("door") == []


def test_the_signs_are_those_of_the_newest_evidence_that_names_the_probable_cause(operations: Operations) -> None:
    see(operations, NOW, seen(0, HIGH, cause="refrigerant leak"))
    see(operations, run_time(1), seen(1, HIGH, cause="door open"))
    see(operations, run_time(2), seen(2, CRITICAL))
    with operations.read() as connection:
        (one,) = urgent_incidents(connection, IncidentFilter(), NOW, SETTINGS)
        story = story_of(connection, one.incident, NOW, SETTINGS)
    assert one.incident.probable_cause == "door open"
    assert (story.signs_for, story.signs_against) == (["door open seen"], ["door open missed"])


def test_evidence_that_further_models_made_more_severe_is_one_alert(operations: Operations) -> None:
    see(operations, NOW, seen(0, HIGH, evidence_id="abcdef01"))
    see(operations, NOW + timedelta(minutes=1), seen(0, CRITICAL, evidence_id="abcdef01"))
    with operations.read() as connection:
        (alert,) = list_alerts(connection, AlertFilter())
        assert (alert["severity"], alert["suppressed"]) == ("CRITICAL", False)
        assert find_alert(connection, "abcdef") == alert


_LOOKS: dict[str, Callable[[Connection], object]] = {
    "incidents": lambda connection: incident_ids(connection, IncidentFilter(limit=50), NOW),
    "of a site": lambda connection: incident_ids(connection, IncidentFilter(False, site_id="s1", limit=50), NOW),
    "of a device": lambda connection: incident_ids(connection, IncidentFilter(False, device_id="d1", limit=50), NOW),
    "alerts": lambda connection: list_alerts(connection, AlertFilter()),
    "all alerts": lambda connection: list_alerts(connection, AlertFilter(False, False)),
    "alerts of a device": lambda connection: list_alerts(connection, AlertFilter(False, False, device_id="d1")),
    "held": lambda connection: held_alerts(connection, HeldFilter()),
}


@pytest.mark.parametrize("look", _LOOKS.values(), ids=_LOOKS)
def test_no_list_looks_through_a_whole_table(operations: Operations, look: Callable[[Connection], object]) -> None:
    see(operations, NOW, *(seen(0, HIGH, device=f"d{number}") for number in range(30)))
    with operations.read() as connection:
        asked: list[tuple[str, tuple[object, ...]]] = []
        sa.event.listen(connection, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
        look(connection)
        for statement, bound in [pair for pair in asked if pair[0].startswith("SELECT")]:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound).all()
            steps = [step[-1] for step in plan]
            assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step], steps

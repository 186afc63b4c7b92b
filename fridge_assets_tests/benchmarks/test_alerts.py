"""The benchmark of incidents stores and asks what it says, and no question reads the whole store."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from fridge_assets.incidents.evidence_lists import AlertFilter, HeldFilter, held_alerts, held_counts, list_alerts
from fridge_assets.incidents.known import due_ids
from fridge_assets.incidents.queries import IncidentFilter, incident_ids, open_summary
from fridge_assets.stores.operations import Operations, incidents
from fridge_assets_tests.benchmarks import alerts
from fridge_assets_tests.benchmarks.alerts import EACH, LATEST, fill, questions

STORED = 6_000


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Operations:
    file = tmp_path_factory.mktemp("alerts") / "operations.db"
    store = Operations(f"sqlite:///{file}")
    fill(store, file, STORED)
    return store


def plans(operations: Operations, ask: object) -> str:
    """How the database finds the rows of every query that ``ask`` makes."""
    asked: list[tuple[str, object]] = []
    with operations.read() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        ask(connection)  # type: ignore[operator]
        queries = list(asked)
        return " | ".join(
            row[3]
            for text, given in queries
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    "wanted",
    [
        IncidentFilter(limit=100),
        IncidentFilter(limit=100, min_severity="HIGH"),
        IncidentFilter(limit=100, site_id="site-0003"),
        IncidentFilter(limit=100, device_id="device-000042"),
        IncidentFilter(limit=100, open_only=False),
        IncidentFilter(limit=100, open_only=False, cause="leak"),
    ],
)
def test_no_list_of_incidents_reads_all_of_them(operations: Operations, wanted: IncidentFilter) -> None:
    found = plans(operations, lambda connection: incident_ids(connection, wanted, LATEST))
    assert "SCAN incidents |" not in f"{found} |", found


@pytest.mark.parametrize(
    "wanted",
    [
        AlertFilter(),
        AlertFilter(min_severity="HIGH"),
        AlertFilter(site_id="site-0003"),
        AlertFilter(device_id="device-000042"),
        AlertFilter(open_only=False, told_only=False),
        AlertFilter(open_only=False, told_only=False, min_severity="CRITICAL"),
    ],
)
def test_no_list_of_alerts_sorts_all_of_them(operations: Operations, wanted: AlertFilter) -> None:
    found = plans(operations, lambda connection: list_alerts(connection, wanted))
    assert "SCAN e |" not in f"{found} |", found


def test_what_was_held_for_one_reason_and_how_much_for_each_is_read_from_an_index(operations: Operations) -> None:
    counts = plans(operations, lambda connection: held_counts(connection, HeldFilter(site_id="site-0003")))
    assert "ix_alert_evidence_held_by_device_id" in counts
    rare = plans(operations, lambda connection: held_alerts(connection, HeldFilter(because="silenced")))
    assert "ix_alert_evidence_held_by" in rare
    newest = plans(operations, lambda connection: held_alerts(connection, HeldFilter()))
    assert "ix_alert_evidence_window_end" in newest


def test_the_summary_of_open_work_and_what_is_due_read_an_index(operations: Operations) -> None:
    assert "SCAN incidents |" not in f"{plans(operations, open_summary)} |"
    found = plans(operations, lambda connection: due_ids(connection, LATEST))
    for name in ("next_escalation_at", "remind_at", "snoozed_until"):
        assert f"ix_incidents_{name}" in found


def test_what_is_stored_is_what_the_benchmark_says(operations: Operations) -> None:
    with operations.read() as connection:
        open_ones = connection.scalar(sa.select(sa.func.count()).where(incidents.c.closed_at.is_(None)))
        of_one = list_alerts(connection, AlertFilter(open_only=False, told_only=False, device_id="device-000042"))
    assert 0 < (open_ones or 0) < STORED // 10
    assert len(of_one) == 2 * EACH
    assert set(questions(operations)) == {"open_summary", "newest_incidents", "due_ids"}


def test_incidents_are_opened_for_all_that_was_flagged_and_a_slow_run_is_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "OPENED_SECONDS", 600.0)
    monkeypatch.setattr(alerts, "SAME_SECONDS", 600.0)
    results, targets = alerts.open_many(tmp_path / "quick", 600, 60)
    assert (results["incidents"], [one.name for one in targets if not one.met]) == (60, [])
    monkeypatch.setattr(alerts, "OPENED_SECONDS", 0.0)
    _, targets = alerts.open_many(tmp_path / "slow", 60, 6)
    assert [one.name for one in targets if not one.met] == ["seconds to open 6 incidents"]

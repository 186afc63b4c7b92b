"""The benchmark of the alerts stores and asks what it says, and no question reads the whole store."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from fridge_assets.alerting.listing import AlertFilter, selection, urgent, urgent_rows
from fridge_assets.alerting.store import known_alerts, open_alert_summary
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets_tests.benchmarks import alerts
from fridge_assets_tests.benchmarks.alerts import LATEST, fill, questions

STORED = 30_000


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Operations:
    file = tmp_path_factory.mktemp("alerts") / "operations.db"
    store = Operations(f"sqlite:///{file}")
    fill(store, file, STORED)
    return store


def plan(operations: Operations, query: sa.Select[tuple[object, ...]]) -> str:
    """How the database finds the rows of ``query``."""
    with operations.read() as connection:
        text = query.compile(connection, compile_kwargs={"literal_binds": True})
        return " | ".join(row.detail for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")))


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (AlertFilter(), "active_by_window_end"),
        (AlertFilter(min_severity="HIGH"), "active_by_window_end"),
        (AlertFilter(site_id="site-0003"), "ix_device_alerts"),
        (AlertFilter(device_id="device-000042"), "ix_device_alerts"),
        (AlertFilter(active_only=False, include_suppressed=True), "ix_device_alerts_window_end"),
    ],
)
def test_no_list_of_alerts_reads_all_of_them(operations: Operations, wanted: AlertFilter, index: str) -> None:
    found = plan(operations, selection(wanted))
    assert "USING INDEX" in found
    assert index in found, found


def test_the_most_urgent_alerts_are_found_in_an_index_alone(operations: Operations) -> None:
    for wanted in (AlertFilter(), AlertFilter(min_severity="HIGH")):
        assert "COVERING INDEX ix_device_alerts_urgency" in plan(operations, urgent(wanted, LATEST))
    for wanted in (AlertFilter(site_id="site-0003"), AlertFilter(device_id="device-000042")):
        assert "USING INDEX ix_device_alerts" in plan(operations, urgent(wanted, LATEST))


def test_a_list_of_all_begins_with_what_is_urgent_and_goes_on_with_what_is_closed(operations: Operations) -> None:
    with operations.read() as connection:
        active = urgent_rows(connection, AlertFilter(limit=STORED), LATEST)
        everything = urgent_rows(
            connection, AlertFilter(active_only=False, include_suppressed=True, limit=len(active) + 30), LATEST
        )
        few = urgent_rows(connection, AlertFilter(active_only=False, include_suppressed=True, limit=30), LATEST)
    assert all(row["status"] in ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS") and not row["suppressed"] for row in active)
    assert everything[: len(active)] == active
    assert few == active[:30]
    rest = [row["window_end"] for row in everything[len(active) :]]
    assert len(rest) == 30
    assert rest == sorted(rest, reverse=True)
    assert rest[0] == LATEST


def test_the_summary_of_open_work_reads_an_index_alone(operations: Operations) -> None:
    seen: list[str] = []
    with operations.read() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *given: seen.append(given[2]))
        summary = open_alert_summary(connection)
        (details,) = ([row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {_plain(seen[-1])}")],)
        count = connection.scalar(sa.text("SELECT count(*) FROM device_alerts WHERE status = 'OPEN'")) or 0
    assert any("COVERING INDEX ix_device_alerts_active_by_device_id" in detail for detail in details), details
    assert summary["open_alerts"].sum() > count > 0


def _plain(statement: str) -> str:
    """``statement`` with something in the place of each parameter."""
    return statement.replace("?", "'x'")


def test_what_runs_ask_is_timed_and_known_alerts_are_few(operations: Operations, tmp_path: Path) -> None:
    times = questions(operations, Settings(data_dir=tmp_path))
    assert set(times) == {"open_alert_summary", "known_alerts", "next_escalation_at"}
    with operations.read() as connection:
        known = known_alerts(connection, LATEST, LATEST)
    assert len(known) < STORED // 10


def test_escalations_that_are_due_are_found_by_their_index(operations: Operations) -> None:
    due = sa.select(device_alerts.c.alert_id).where(device_alerts.c.next_escalation_at < sa.literal_column("'2026'"))
    assert "ix_device_alerts_next_escalation_at" in plan(operations, due)


def test_new_alerts_are_made_of_all_that_was_flagged_and_a_slow_run_is_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "GENERATED_SECONDS", 600.0)
    results, missed = alerts.generate(tmp_path / "quick", 600, 60)
    assert (results["alerts"], missed) == (60, [])
    monkeypatch.setattr(alerts, "GENERATED_SECONDS", 0.0)
    assert "the target is under 0 s" in alerts.generate(tmp_path / "slow", 60, 6)[1][0]

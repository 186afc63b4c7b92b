"""The alerts of an earlier release become incidents and evidence, and nothing that people did is lost."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from fridge_assets.incidents.rows import event_from, incident_from
from fridge_assets.incidents.state import incident_of
from fridge_assets.settings import Settings
from fridge_assets.stores.migrations import FOLDER
from fridge_assets.stores.operations import (
    Operations,
    alert_evidence,
    device_alerts,
    incident_events,
    incidents,
    label_events,
    outbox_subjects,
    work_orders,
)
from fridge_assets.stores.operations_tables import VIEW, UtcTimestamp

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def old_alert(name: str, device: str, hour: float, **changes: Any) -> dict[str, Any]:
    at = NOON + hour * HOUR
    return {
        "alert_id": name,
        "device_id": device,
        "site_id": "s1",
        "alert_type": "ANOMALY_DETECTED",
        "severity": "HIGH",
        "title": f"Title of {name}",
        "description": "It was low.",
        "model_id": "isolation_forest_v2",
        "anomaly_score": 0.9,
        "top_contributors": ["pressure_low_mean"],
        "first_detected_at": at,
        "alert_created_at": at,
        "suppressed": False,
        "suppressed_because": None,
        "ontology_action_id": None,
        "status": "OPEN",
        "resolved_at": None,
        "escalation_level": "L1",
        "sla_deadline": at + 2 * HOUR,
        "sla_breached": False,
        "next_escalation_at": at + 2 * HOUR,
        "score_ids": [],
        "source": "models",
        "models_flagging": 2,
        "window_end": at,
        "dedup_until": at + 4 * HOUR,
        "note": "",
        "revision": 1,
    } | changes


def closed(at: float, status: str = "RESOLVED", **more: Any) -> dict[str, Any]:
    return {"status": status, "resolved_at": NOON + at * HOUR, "next_escalation_at": None, **more}


OF_THE_LABEL = (
    "alert_id", "device_id", "site_id", "severity", "source", "model_id", "anomaly_score", "first_detected_at",
    "window_end",
)  # fmt: skip
LEAK = {
    "title": "Probable refrigerant leak: superheat up, subcooling down",
    "description": "It was low. Probable cause: refrigerant leak (superheat up, subcooling down; "
    "not seen: low side down). Bring: R404A.",
}
TAKEN = {"status": "IN_PROGRESS", "next_escalation_at": None}
REPEAT = {"suppressed": True, "suppressed_because": "repeat"}
ALERTS = (
    # d1: two problems at once and a repeat, of which somebody works on the more urgent one.
    old_alert("a1", "d1", 0, severity="CRITICAL", ontology_action_id="w1", **TAKEN, **LEAK),
    old_alert("a2", "d1", 1, top_contributors=["superheat_mean"]),
    old_alert("a3", "d1", 1.5, **closed(1.5, **REPEAT)),
    # d2: one that went on as another, then both over; a false positive a day later.
    old_alert("b1", "d2", 0, **closed(4)),
    old_alert("b2", "d2", 4, **closed(9)),
    old_alert("b3", "d2", 30, **closed(31, "FALSE_POSITIVE")),
    # d3: held by maintenance and never told.
    old_alert("c1", "d3", 2, **closed(2, suppressed=True, suppressed_because="maintenance")),
    # d4: acute, and still there.
    old_alert("e1", "d4", 3, source="streaming", severity="CRITICAL", model_id="streaming_compressor_overload"),
)
EVENTS = (
    ("a1", 2, 1.0, "ann", "start", "OPEN", "IN_PROGRESS", "on my way"),
    ("b1", 2, 4.0, "models", "supersede", "OPEN", "RESOLVED", "Continued by b2"),
    ("b2", 2, 9.0, "bob", "resolve", "OPEN", "RESOLVED", "gasket"),
    ("b3", 2, 31.0, "bob", "false_positive", "OPEN", "FALSE_POSITIVE", "nothing there"),
)


@pytest.fixture
def operations(settings: Settings) -> Operations:
    settings.root.mkdir(parents=True)
    engine = sa.create_engine(settings.operations_database)
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(FOLDER))
        command.upgrade(config, "0008")
        insert(connection, "device_alerts", ALERTS)
        happened = [
            {
                "event_id": f"{alert}/{revision}",
                "alert_id": alert,
                "revision": revision,
                "occurred_at": NOON + hour * HOUR,
                "actor": actor,
                "action": action,
                "from_status": before,
                "to_status": after,
                "note": note,
                "changes": "{}",
            }
            for alert, revision, hour, actor, action, before, after, note in EVENTS
        ]
        insert(connection, "alert_events", happened)
        subjects = [{"message_id": "m1", "subject": alert} for alert in ("a1", "a2")]
        insert(connection, "outbox_subjects", subjects)
        label = {name: ALERTS[5][name] for name in OF_THE_LABEL}
        said = {"label_id": "l1", "revision": 2, "label": "false_positive", "labelled_at": NOON + 31 * HOUR}
        insert(connection, "label_events", [label | said | {"actor": "bob", "note": ""}])
        insert(connection, "work_orders", [order()])
    engine.dispose()
    return Operations(settings.operations_database)


def order() -> dict[str, Any]:
    texts = ("device_id", "site_id", "title", "description", "requested_by", "reason", "last_error", "delivered_to")
    return {
        **dict.fromkeys((*texts, "external_reference"), ""),
        "work_order_id": "w1",
        "alert_id": "a1",
        "priority": "urgent",
        "status": "open",
        "created_at": NOON,
        "due_at": NOON,
        "updated_at": NOON,
        "revision": 1,
        "delivered_revision": 1,
        "attempts": 0,
    }


def insert(connection: sa.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        columns = (sa.column(name, type_of(value)) for name, value in row.items())
        connection.execute(sa.insert(sa.table(table, *columns)).values(row))


def type_of(value: object) -> sa.types.TypeEngine[Any] | None:
    return UtcTimestamp() if isinstance(value, datetime) else sa.JSON() if isinstance(value, list) else None


def rows(operations: Operations, table: sa.Table) -> list[Mapping[str, Any]]:
    with operations.read() as connection:
        return list(connection.execute(sa.select(table)).mappings())


def test_alerts_of_a_device_whose_times_overlap_are_one_incident(operations: Operations) -> None:
    of = {row["alert_id"]: row["incident_id"] for row in rows(operations, device_alerts)}
    assert len(of) == len(ALERTS)
    groups = sorted(sorted(alert for alert in of if of[alert] == identity) for identity in set(of.values()))
    assert groups == [["a1", "a2", "a3"], ["b1", "b2"], ["b3"], ["c1"], ["e1"]]


def test_what_is_open_goes_on_as_it_stood(operations: Operations) -> None:
    found = {row["device_id"]: row for row in rows(operations, incidents) if row["closed_at"] is None}
    assert found.keys() == {"d1", "d4"}
    of_d1 = found["d1"]
    assert (of_d1["status"], of_d1["severity"], of_d1["work_order_id"]) == ("IN_PROGRESS", "CRITICAL", "w1")
    assert json.loads(of_d1["named"]) == [["pressure_low_side", ""], ["superheat", ""]]
    assert (of_d1["deadline"], of_d1["next_escalation_at"]) == (NOON + 2 * HOUR, None)
    assert (found["d4"]["next_escalation_at"], found["d4"]["verdict"]) == (NOON + 5 * HOUR, "unjudged")
    assert json.loads(found["d4"]["onsets"])[0][0] == "e1"


def test_closed_history_stays_readable(operations: Operations) -> None:
    found = {row["alert_id"]: row for row in rows(operations, device_alerts)}
    assert (found["b2"]["status"], found["b2"]["resolved_at"]) == ("RESOLVED", NOON + 9 * HOUR)
    assert found["b3"]["status"] == "FALSE_POSITIVE"
    assert (found["c1"]["suppressed"], found["c1"]["suppressed_because"]) == (True, "silenced")
    assert found["a1"]["top_contributors"] == ["pressure_low_mean"]
    because = {row["evidence_id"]: row["closed_because"] for row in rows(operations, incidents)}
    assert (because["b2"], because["b3"], because["c1"]) == ("resolved", "false_positive", "recovered")


def test_the_events_add_up_and_name_who_did_what(operations: Operations) -> None:
    events = rows(operations, incident_events)
    for row in rows(operations, incidents):
        own = sorted((e for e in events if e["incident_id"] == row["incident_id"]), key=lambda event: event["revision"])
        assert incident_of(map(event_from, own)) == incident_from(row)
    people = {(event["actor"], event["action"], event["note"]) for event in events if event["revision"] > 1}
    assert people == {
        ("ann", "start", "on my way"),
        ("bob", "resolve", "gasket"),
        ("bob", "false_positive", "nothing there"),
    }


def test_what_named_an_alert_names_its_incident(operations: Operations) -> None:
    of = {row["alert_id"]: row["incident_id"] for row in rows(operations, device_alerts)}
    assert [row["subject"] for row in rows(operations, outbox_subjects)] == [of["a1"]]
    assert [row["incident_id"] for row in rows(operations, work_orders)] == [of["a1"]]
    assert [row["incident_id"] for row in rows(operations, label_events)] == [of["b3"]]


def test_the_view_is_the_one_that_the_tables_describe(operations: Operations) -> None:
    with operations.read() as connection:
        stored = connection.scalar(sa.text("SELECT sql FROM sqlite_master WHERE name = 'device_alerts'"))
    assert stored == VIEW


def test_the_probable_cause_of_the_words_becomes_a_column(operations: Operations) -> None:
    causes = {row["device_id"]: row["probable_cause"] for row in rows(operations, incidents)}
    assert causes == {"d1": "refrigerant leak", "d2": "", "d3": "", "d4": ""}
    signs = {
        row["alert_id"]: (row["probable_cause"], row["signs_for"], row["signs_against"])
        for row in rows(operations, alert_evidence)
    }
    assert signs["a1"] == ("refrigerant leak", ["superheat up", "subcooling down"], ["low side down"])
    assert signs["a2"] == ("", [], [])

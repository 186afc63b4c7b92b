"""Incidents take the place of alerts as what people work on; alerts become evidence (SPEC 1.7).

Alerts of one device whose times overlap become one incident, since a device has at most one that is open. What was
kept for audit belongs to the incident during which it was seen. What people did, and deadlines that passed, become
events of the incident that change nothing: its first event says all of it, as it stands.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_NAMESPACE = UUID("5f3c1d0a-6a0e-5b52-9a54-0f6f1b8c7e21")
_SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
_LEVELS = ("L1", "L2", "L3")
_ACTIVE = ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS")
_REMINDER = timedelta(hours=4)
_PIECE = 1000
_KEPT = ("breach", "escalate", "acknowledge", "start", "maintain", "resolve", "false_positive", "confirm", "recover")
_MOMENT = sa.DateTime(timezone=True)
_READ: dict[str, sa.types.TypeEngine[Any]] = {
    "alert_id": sa.Text(),
    "device_id": sa.Text(),
    "site_id": sa.Text(),
    "severity": sa.Text(),
    "suppressed": sa.Boolean(),
    "suppressed_because": sa.Text(),
    "status": sa.Text(),
    "source": sa.Text(),
    "alert_type": sa.Text(),
    "first_detected_at": _MOMENT,
    "alert_created_at": _MOMENT,
    "resolved_at": _MOMENT,
    "window_end": _MOMENT,
    "sla_deadline": _MOMENT,
    "sla_breached": sa.Boolean(),
    "escalation_level": sa.Text(),
    "next_escalation_at": _MOMENT,
    "ontology_action_id": sa.Text(),
    "top_contributors": sa.JSON(),
}
_MEASURED = (
    "alert_id, device_id, site_id, alert_type, severity, title, description, model_id, anomaly_score, "
    "top_contributors, first_detected_at, alert_created_at, suppressed, score_ids, source, models_flagging, "
    "window_end, note"
)
_VIEW = (
    "CREATE VIEW device_alerts AS SELECT e.alert_id AS alert_id, e.device_id AS device_id, e.site_id AS "
    "site_id, CASE WHEN i.closed_because IN ('recovered', 'withdrawn') THEN 'ANOMALY_RESOLVED' WHEN "
    "e.source = 'streaming' AND i.verdict = 'confirmed' THEN 'ANOMALY_SUSTAINED' ELSE e.alert_type END AS"
    " alert_type, e.severity AS severity, e.title AS title, e.description AS description, e.model_id AS "
    "model_id, e.anomaly_score AS anomaly_score, e.top_contributors AS top_contributors, "
    "e.first_detected_at AS first_detected_at, e.alert_created_at AS alert_created_at, e.suppressed AS "
    "suppressed, i.work_order_id AS ontology_action_id, i.status AS status, i.closed_at AS resolved_at, "
    "i.level AS escalation_level, i.deadline AS sla_deadline, i.breached AS sla_breached, e.incident_id "
    "AS incident_id, e.score_ids AS score_ids, e.source AS source, e.models_flagging AS models_flagging, "
    "e.window_end AS window_end, e.suppressed_because AS suppressed_because, CASE WHEN e.source = "
    "'streaming' AND i.verdict = 'transient' THEN e.note || '. The models found it transient' ELSE e.note"
    " END AS note FROM alert_evidence AS e JOIN incidents AS i ON i.incident_id = e.incident_id WHERE NOT"
    " EXISTS (SELECT 1 FROM alert_evidence AS later WHERE later.alert_id = e.alert_id AND later.number > "
    "e.number)"
)


class _Trouble(NamedTuple):
    """Alerts of one device whose times overlap, oldest first; told ones, unless nobody was told of any."""

    alerts: list[Any]
    ends: datetime | None


def upgrade() -> None:
    """Create the tables, bring over what is stored, and put the view in the place of the table."""
    _create_tables(_MOMENT)
    op.add_column("label_events", sa.Column("incident_id", sa.Text(), nullable=False, server_default=""))
    op.execute("ALTER TABLE work_orders RENAME COLUMN alert_id TO incident_id")
    op.execute("CREATE TABLE incident_of_alert (alert_id TEXT PRIMARY KEY, incident_id TEXT NOT NULL)")
    _make_incidents()
    _bring_evidence()
    for table, column, target in (
        ("label_events", "alert_id", "incident_id"),
        ("work_orders", "incident_id", "incident_id"),
        ("outbox_subjects", "subject", "subject"),
    ):
        _point(table, column, target)
    op.execute(
        "UPDATE incidents SET labelled_at = "
        "(SELECT max(l.labelled_at) FROM label_events AS l WHERE l.incident_id = incidents.incident_id)"
    )
    _bring_events()
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("label_events", "incident_id", server_default=None)
    for table in ("label_events", "work_orders"):
        op.drop_index(f"ix_{table}_alert_id", table)
        op.create_index(f"ix_{table}_incident_id", table, ["incident_id"])
    for table in ("incident_of_alert", "alert_events", "device_alerts", "stream_onsets", "site_incidents"):
        op.drop_table(table)
    op.execute(_VIEW)


def _make_incidents() -> None:
    connection = op.get_bind()
    closing = sa.text("SELECT alert_id, action FROM alert_events WHERE action IN ('resolve', 'confirm', 'withdraw')")
    closed_by = {str(alert): str(action) for alert, action in connection.execute(closing)}
    alerts = sa.table("device_alerts", *(sa.column(name, kind) for name, kind in _READ.items()))
    query = sa.select(alerts).order_by(alerts.c.device_id, alerts.c.alert_created_at, alerts.c.alert_id)
    found = connection.execution_options(yield_per=_PIECE).execute(query)
    incidents, belongs = list[dict[str, Any]](), list[dict[str, Any]]()
    for _, of_device in groupby(found, key=lambda row: row.device_id):
        rows = list(of_device)
        for identity, trouble, members in _troubles(rows):
            incidents.append(_incident(identity, trouble, members, closed_by))
            belongs += [{"alert_id": row.alert_id, "incident_id": identity} for row in members]
        if len(belongs) >= _PIECE:
            _insert(incidents, belongs)
            incidents, belongs = [], []
    _insert(incidents, belongs)


def _insert(incidents: Sequence[dict[str, Any]], belongs: Sequence[dict[str, Any]]) -> None:
    connection = op.get_bind()
    if belongs:
        connection.execute(sa.text("INSERT INTO incident_of_alert VALUES (:alert_id, :incident_id)"), belongs)
    if incidents:
        moments = {name: _MOMENT for name, value in incidents[0].items() if name.endswith(_MOMENTS)}
        columns = (sa.column(name, moments.get(name)) for name in incidents[0])
        connection.execute(sa.insert(sa.table("incidents", *columns)), incidents)


_MOMENTS = ("_at", "deadline", "last_window", "_until", "_since")


def _troubles(rows: Sequence[Any]) -> Iterator[tuple[str, _Trouble, list[Any]]]:
    """Identity, alerts that were told of and all alerts of each trouble of one device."""
    told = [row for row in rows if not row.suppressed]
    troubles: list[_Trouble] = []
    for row in told:
        end = None if row.status in _ACTIVE else row.resolved_at or row.alert_created_at
        last = troubles[-1] if troubles else None
        if last is not None and (last.ends is None or row.alert_created_at <= last.ends):
            ends = None if end is None or last.ends is None else max(end, last.ends)
            troubles[-1] = _Trouble([*last.alerts, row], ends)
        else:
            troubles.append(_Trouble([row], end))
    members = [list(trouble.alerts) for trouble in troubles]
    for row in (row for row in rows if row.suppressed):
        begun = [n for n, trouble in enumerate(troubles) if trouble.alerts[0].alert_created_at <= row.alert_created_at]
        if begun:
            members[begun[-1]].append(row)
        else:
            troubles.append(_Trouble([row], row.resolved_at or row.alert_created_at))
            members.append([row])
    for trouble, own in zip(troubles, members, strict=True):
        first = trouble.alerts[0]
        yield str(uuid5(_NAMESPACE, f"{first.device_id}|{first.alert_id}|incident")), trouble, own


def _incident(identity: str, trouble: _Trouble, members: Sequence[Any], closed_by: dict[str, str]) -> dict[str, Any]:
    alerts = trouble.alerts
    active = [row for row in alerts if row.status in _ACTIVE]
    # What people see to is the most urgent one; what is closed stands as it was left.
    lead = max(active or alerts, key=lambda row: (bool(active), _SEVERITIES.index(row.severity), row.alert_created_at))
    last = lead if active else max(alerts, key=lambda row: (row.resolved_at or row.alert_created_at, row.alert_id))
    was_told = not alerts[0].suppressed
    severity = max((row.severity for row in members), key=_SEVERITIES.index)
    told = max((row.severity for row in alerts), key=_SEVERITIES.index) if was_told else None
    is_open = [row for row in active if row.status == "OPEN"]
    status = last.status if not active or not is_open or lead.status != "OPEN" else "OPEN"
    named = dict.fromkeys(row.top_contributors[0] if row.top_contributors else "" for row in alerts)
    onsets = sorted(
        (row.alert_id, _aware(row.window_end))
        for row in members
        if row.source == "streaming" and row.suppressed_because != "withdrawn"
    )
    judged = {row.alert_type for row in members if row.source == "streaming"}
    due = {"next_escalation_at": lead.next_escalation_at, "remind_at": lead.alert_created_at + _REMINDER}
    return {
        "incident_id": identity,
        "device_id": lead.device_id,
        "site_id": lead.site_id,
        "opened_at": min(row.alert_created_at for row in members),
        "first_detected_at": min(row.first_detected_at for row in members),
        "severity": told or severity,
        "seen": severity,
        "told": told,
        "waiting": None if was_told else "opened",
        "evidence_id": lead.alert_id,
        "named": json.dumps([[_sensor(name), ""] for name in named]),
        "windows": "[]",
        "sources": json.dumps(sorted({row.source for row in members})),
        "onsets": json.dumps([[name, end] for name, end in onsets]),
        "verdict": "" if not onsets else "confirmed" if "ANOMALY_SUSTAINED" in judged else "unjudged",
        "last_window": max(row.window_end for row in members),
        "status": status,
        "level": max((row.escalation_level for row in active or alerts), key=_LEVELS.index),
        "deadline": lead.sla_deadline if was_told else None,
        "breached": any(row.sla_breached for row in active or alerts),
        **(due if active and status == "OPEN" else dict.fromkeys(due)),
        "snoozed_until": None,
        "quiet_since": None,
        "owner": None,
        "work_order_id": next((row.ontology_action_id for row in reversed(alerts) if row.ontology_action_id), None),
        "closed_at": None if active else trouble.ends,
        "closed_because": None if active else _why_closed(last, closed_by),
        "labelled_at": None,
        "release": "",
        "registry_entry": "",
        "undoable": None,
        "revision": 1,
    }


def _why_closed(last: Any, closed_by: dict[str, str]) -> str:
    if last.status == "FALSE_POSITIVE":
        return "false_positive"
    return {"resolve": "resolved", "confirm": "resolved", "withdraw": "withdrawn"}.get(
        closed_by.get(last.alert_id, ""), "recovered"
    )


def _sensor(feature: str) -> str:
    from fridge_assets.contracts.device_features import sensors_of  # noqa: PLC0415

    return next(iter(sensors_of(feature)), feature)


def _bring_evidence() -> None:
    columns = ", ".join(f"a.{name.strip()}" for name in _MEASURED.split(","))
    op.execute(
        f"INSERT INTO alert_evidence ({_MEASURED}, incident_id, number, suppressed_because) SELECT {columns}, "
        "m.incident_id, 1, CASE WHEN NOT a.suppressed THEN NULL "
        "WHEN a.suppressed_because IN ('maintenance', 'silence') THEN 'silenced' ELSE 'repeat' END "
        "FROM device_alerts AS a JOIN incident_of_alert AS m ON m.alert_id = a.alert_id"
    )


def _bring_events() -> None:
    """The first event of each incident, and after it what people did and which deadlines passed."""
    connection = op.get_bind()
    kept = ", ".join(f"'{action}'" for action in _KEPT)
    happened = sa.text(
        "SELECT m.incident_id, e.occurred_at, e.actor, e.action, e.from_status, e.to_status, e.note, e.alert_id "
        "FROM alert_events AS e JOIN incident_of_alert AS m ON m.alert_id = e.alert_id "
        f"WHERE e.action IN ({kept}) ORDER BY m.incident_id, e.occurred_at, e.revision"
    ).columns(occurred_at=_MOMENT)
    rows, revisions = list[dict[str, Any]](), list[dict[str, Any]]()
    for identity, events in groupby(connection.execute(happened), key=lambda row: row.incident_id):
        number = 1
        for number, event in enumerate(events, start=2):
            rows.append(
                {
                    **{name: getattr(event, name) for name in ("occurred_at", "actor", "action", "from_status")},
                    **{name: getattr(event, name) for name in ("to_status", "note")},
                    "evidence_id": event.alert_id,
                    **_of_event(identity, number, None, "{}"),
                }
            )
        revisions.append({"identity": identity, "number": number})
    for piece in _pieces(revisions):
        statement = sa.text("UPDATE incidents SET revision = :number WHERE incident_id = :identity")
        connection.execute(statement, piece)
    stored = sa.select(_table("incidents"))
    for row in connection.execution_options(yield_per=_PIECE).execute(stored).mappings():
        told = None if row["told"] is None else "opened"
        rows.append(
            {
                "occurred_at": row["opened_at"],
                "actor": "migration",
                "action": "open",
                "from_status": None,
                "to_status": row["status"],
                "note": "Made of the alerts of an earlier release",
                "evidence_id": row["evidence_id"],
                **_of_event(row["incident_id"], 1, told, json.dumps(_changes(row))),
            }
        )
    for piece in _pieces(rows):
        connection.execute(sa.insert(_table("incident_events")), piece)


def _of_event(identity: str, number: int, told: str | None, changes: str) -> dict[str, Any]:
    event_id = str(uuid5(_NAMESPACE, f"{identity}|{number}"))
    return {
        "event_id": event_id,
        "incident_id": identity,
        "revision": number,
        "told": told,
        "held": None,
        "changes": changes,
    }


def _changes(row: Any) -> dict[str, Any]:
    """All of an incident, as its first event has it."""
    left_out = ("opened_at", "severity", "revision")
    lists = ("named", "windows", "sources", "onsets")
    return {
        name: json.loads(value) if name in lists else _aware(value) if isinstance(value, datetime) else value
        for name, value in row.items()
        if name not in left_out
    }


def _table(name: str) -> sa.Table:
    return sa.Table(name, sa.MetaData(), autoload_with=op.get_bind())


def _aware(moment: datetime) -> str:
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).isoformat()


def _point(table: str, column: str, target: str) -> None:
    """Let what named an alert name its incident."""
    new = f"(SELECT m.incident_id FROM incident_of_alert AS m WHERE m.alert_id = {table}.{column})"
    if table == "outbox_subjects":
        # Several alerts of one incident: one subject is enough.
        op.execute(
            "INSERT INTO outbox_subjects SELECT DISTINCT s.message_id, m.incident_id FROM outbox_subjects AS s "
            "JOIN incident_of_alert AS m ON m.alert_id = s.subject"
        )
        op.execute("DELETE FROM outbox_subjects WHERE subject IN (SELECT alert_id FROM incident_of_alert)")
        return
    op.execute(f"UPDATE {table} SET {target} = coalesce({new}, {column})")


def _pieces(rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (rows[first : first + _PIECE] for first in range(0, len(rows), _PIECE))


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _create_tables(moment: sa.DateTime) -> None:
    op.create_table(
        "incidents",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("opened_at", moment, nullable=False),
        sa.Column("first_detected_at", moment, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("told", sa.Text()),
        sa.Column("waiting", sa.Text()),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("named", sa.Text(), nullable=False),
        sa.Column("windows", sa.Text(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("onsets", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("last_window", moment, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("deadline", moment),
        sa.Column("breached", sa.Boolean(), nullable=False),
        sa.Column("next_escalation_at", moment),
        sa.Column("remind_at", moment),
        sa.Column("snoozed_until", moment),
        sa.Column("quiet_since", moment),
        sa.Column("owner", sa.Text()),
        sa.Column("work_order_id", sa.Text()),
        sa.Column("closed_at", moment),
        sa.Column("closed_because", sa.Text()),
        sa.Column("labelled_at", moment),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("registry_entry", sa.Text(), nullable=False),
        sa.Column("undoable", sa.Text()),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incidents"),
    )
    op.create_index("ix_incidents_closed_at", "incidents", ["closed_at"])
    op.create_index("ix_incidents_device_id_opened_at", "incidents", ["device_id", "opened_at"])
    op.create_index("ix_incidents_labelled_at", "incidents", ["labelled_at"])
    op.create_index(
        "ix_incidents_next_escalation_at",
        "incidents",
        ["next_escalation_at"],
        **_where("next_escalation_at IS NOT NULL"),
    )
    op.create_index(
        "ix_incidents_open_by_device", "incidents", ["device_id"], unique=True, **_where("closed_at IS NULL")
    )
    op.create_index("ix_incidents_remind_at", "incidents", ["remind_at"], **_where("remind_at IS NOT NULL"))
    op.create_index("ix_incidents_site_id_opened_at", "incidents", ["site_id", "opened_at"])
    op.create_index("ix_incidents_snoozed_until", "incidents", ["snoozed_until"], **_where("snoozed_until IS NOT NULL"))
    op.create_index(
        "ix_incidents_urgency",
        "incidents",
        ["breached", "next_escalation_at", "severity", "deadline", "told", "status", "incident_id"],
        **_where("closed_at IS NULL"),
    )
    op.create_table(
        "incident_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", moment, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("from_status", sa.Text()),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("told", sa.Text()),
        sa.Column("held", sa.Text()),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"], name="fk_incident_events_incident_id"),
        sa.PrimaryKeyConstraint("event_id", name="pk_incident_events"),
    )
    op.create_index(
        "ix_incident_events_incident_id_revision", "incident_events", ["incident_id", "revision"], unique=True
    )
    op.create_index("ix_incident_events_occurred_at", "incident_events", ["occurred_at"])
    op.create_table(
        "alert_evidence",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("alert_type", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("anomaly_score", sa.Double(), nullable=False),
        sa.Column("top_contributors", sa.JSON(), nullable=False),
        sa.Column("first_detected_at", moment, nullable=False),
        sa.Column("alert_created_at", moment, nullable=False),
        sa.Column("suppressed", sa.Boolean(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("score_ids", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("models_flagging", sa.BigInteger(), nullable=False),
        sa.Column("window_end", moment, nullable=False),
        sa.Column("suppressed_because", sa.Text()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"], name="fk_alert_evidence_incident_id"),
        sa.PrimaryKeyConstraint("alert_id", "number", name="pk_alert_evidence"),
    )
    op.create_index("ix_alert_evidence_alert_created_at", "alert_evidence", ["alert_created_at"])
    op.create_index("ix_alert_evidence_device_id_window_end", "alert_evidence", ["device_id", "window_end"])
    op.create_index("ix_alert_evidence_incident_id_window_end", "alert_evidence", ["incident_id", "window_end"])
    op.create_index("ix_alert_evidence_window_end", "alert_evidence", ["window_end"])
    op.create_table(
        "incident_groups",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("devices", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "started_at", name="pk_incident_groups"),
    )
    op.create_index("ix_incident_groups_ends_at", "incident_groups", ["ends_at"])

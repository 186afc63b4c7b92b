"""The only writer of incidents: lock, decide, and store all that follows in one transaction (SPEC 1.7, 6.1).

Incidents, their events, evidence, work orders, labels and what people are told change together or not at all, whoever
has observed something: the models, the rules, the stream, people, or time that passes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts import INCIDENTS
from fridge_assets.incidents.grouping import FLEET, Group
from fridge_assets.incidents.known import (
    due_ids,
    ended_groups,
    incidents_by_id,
    known_of,
    lock,
    openings_between,
    pieces,
    running_groups,
    silences_around,
    words_of,
)
from fridge_assets.incidents.messages import Member, Telling, group_message, messages_of
from fridge_assets.incidents.observations import Clock, Measured, Observed, Seen, Span
from fridge_assets.incidents.rows import event_id_of, event_row, incident_row
from fridge_assets.incidents.state import Incident, IncidentEvent
from fridge_assets.incidents.terms import HoldReason
from fridge_assets.incidents.together import Decided, Fleet, Known, Step, decide_together
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.outbox import also_about, enqueue
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import (
    Operations,
    alert_evidence,
    incident_events,
    incident_groups,
    incidents,
    insert_missing,
    status_due,
)
from fridge_assets.work_orders.rules import Change, Schedule, Trouble
from fridge_assets.work_orders.store import follow

_FIXED: Final = ("incident_id", "device_id", "site_id", "opened_at")
"""Columns that never change; leaving them out spares their indexes."""
_CHANGING: Final = [name for name in INCIDENTS.column_names if name not in _FIXED]
_SHOWN: Final = frozenset({"status", "seen", "told", "waiting", "closed_at"})
"""Fields that device and site status show."""
_SHOWN_HOLDS: Final = frozenset({"unconfirmed", "silenced"})
"""Status shows an incident that waits for another window, and none that a silence holds."""
_OF_WORK: Final = frozenset({"status", "told", "closed_at", "deadline", "work_order_id", "evidence_id"})
"""Fields that work orders say."""
_AT_ONCE: Final = 1000
"""Incidents of one transaction, so that nobody waits for many."""


@dataclass(frozen=True)
class Outcome:
    """What a run has made of its observations.

    Args:
        steps: what each observation has led to, in their order.
    """

    steps: Sequence[Step]

    @property
    def opened(self) -> list[Incident]:
        """The incidents that were opened."""
        return [
            step.decision.incident
            for step in self.steps
            if step.decision.incident is not None and step.decision.events and step.decision.events[-1].number == 1
        ]

    @property
    def told(self) -> list[IncidentEvent]:
        """The events that people are told of."""
        return [event for step in self.steps for event in step.decision.events if event.told is not None]

    @property
    def held(self) -> list[HoldReason]:
        """Why nobody is told of evidence, once for each."""
        return [step.decision.held for step in self.steps if step.decision.held is not None]


def observe(
    connection: Connection,
    observed: Sequence[Observed],
    fleet: Fleet,
    now: datetime,
    settings: IncidentSettings,
    *,
    run_id: str = "",
    wall_time: datetime | None = None,
    untold: Mapping[str, Sequence[Span]] | None = None,
) -> Outcome:
    """Decide what was observed and store it, in the transaction of ``connection``; the same again changes nothing.

    Args:
        connection: of a transaction of the operations store.
        observed: what was observed, of each device in its order.
        fleet: sizes of the sites, and what makes a storm.
        now: the moment of the decision.
        settings: every number of SPEC 6.1.
        run_id: Dagster run that observed it; empty for none.
        wall_time: the actual time, from which messages wait; ``now`` where it is the same.
        untold: device → spans in which, beside its silences, nobody is to hear of it.
    """
    lock(connection)
    longest = max(settings.site_span, fleet.storm.span if fleet.storm else timedelta(0))
    known = known_of(connection, observed, now, longest, settings)
    if untold:
        known = replace(known, silences=known.silences.and_of_devices(untold))
    decided = decide_together(observed, known, fleet, now, settings)
    apply(connection, decided.steps, now)
    messages = _of_groups(connection, decided, known, fleet, now, run_id)
    messages += messages_of(tellings_of(connection, decided.steps), run_id, settings)
    enqueue(connection, messages, wall_time or now)
    return Outcome(decided.steps)


def watch(operations: Operations, now: datetime, settings: IncidentSettings, wall_time: datetime | None = None) -> int:
    """Store what has become due of incidents, piece by piece; returns how many have changed.

    It is the same however often and however late anybody looks: events and messages are of the moment at which
    something was due.

    Args:
        operations: where incidents are.
        now: the moment of the look; what is due at it exactly is still in time.
        settings: every number of SPEC 6.1.
        wall_time: the actual time, from which messages wait; ``now`` where it is the same.
    """
    changed = 0
    with operations.read() as reading:
        ids = due_ids(reading, now)
    for piece in (ids[first : first + _AT_ONCE] for first in range(0, len(ids), _AT_ONCE)):
        with operations.transaction() as connection:
            lock(connection)
            due = incidents_by_id(connection, piece)
            silences = silences_around(connection, due.values(), (), now)
            newest = {one.device_id: identity for identity, one in due.items()}
            groups = running_groups(connection, now)
            ended = ended_groups(connection, due.values(), now)
            known = Known(due, newest, silences=silences, groups=groups, ended=ended)
            clocks = [Observed(one.device_id, Clock()) for one in due.values()]
            steps = decide_together(clocks, known, Fleet({}), now, settings).steps
            apply(connection, steps, now)
            enqueue(connection, messages_of(tellings_of(connection, steps), "", settings), wall_time or now)
        changed += sum(bool(step.decision.events) for step in steps)
    return changed


def apply(
    connection: Connection, steps: Sequence[Step], now: datetime, schedules: Mapping[str, Schedule | None] | None = None
) -> None:
    """Store decisions with their evidence and work orders, in the transaction of ``connection``.

    Args:
        connection: of that transaction.
        steps: what was decided, in its order.
        now: the moment of the decision.
        schedules: order → when its work begins and ends, of those that get a date; None of those that lose theirs.
    """
    made = [step for step in steps if step.decision.events]
    after = {step.decision.incident.incident_id: step.decision.incident for step in made if step.decision.incident}
    events = [event for step in made for event in step.decision.events]
    opened = {event.incident_id: event.occurred_at for event in events if event.number == 1}
    changed = [one for identity, one in after.items() if identity not in opened]
    if changed:
        # First: a device has one open incident, and another may take the place of the one that is closed here.
        values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in _CHANGING}
        statement = sa.update(incidents).where(incidents.c.incident_id == sa.bindparam("key")).values(values)
        connection.execute(statement, [_update(one) for one in changed])
    if opened:
        rows = [{**incident_row(after[identity]), "opened_at": at} for identity, at in opened.items()]
        connection.execute(sa.insert(incidents), rows)
    _keep_evidence(connection, steps, after, now)
    if events:
        connection.execute(sa.insert(incident_events), [event_row(event) for event in events])
    devices = {identity: one.device_id for identity, one in after.items()}
    due = [
        {"event_id": event_id_of(event.incident_id, event.number), "device_id": devices[event.incident_id]}
        for event in events
        if event.held in _SHOWN_HOLDS or not _SHOWN.isdisjoint(event.changes)
    ]
    insert_missing(connection, status_due, due)
    _follow(connection, made, schedules)


def _update(incident: Incident) -> dict[str, Any]:
    row = incident_row(incident)
    return {"key": row["incident_id"], **{f"new_{name}": row[name] for name in _CHANGING}}


def _keep_evidence(connection: Connection, steps: Iterable[Step], after: Mapping[str, Incident], now: datetime) -> None:
    seen = [step for step in steps if isinstance(step.observed.observation, Seen)]
    numbers = _numbers(connection, [step.observed.observation.evidence_id for step in seen])  # type: ignore[union-attr]
    rows = []
    for step in seen:
        evidence, measured, incident = step.observed.observation, step.observed.measured, step.decision.incident
        assert isinstance(evidence, Seen)
        assert measured is not None
        assert incident is not None
        event = step.decision.events[-1] if step.decision.events else None
        is_news = event is not None and event.evidence_id == evidence.evidence_id
        if not is_news and evidence.evidence_id in numbers:
            continue
        numbers[evidence.evidence_id] = numbers.get(evidence.evidence_id, 0) + 1
        rows.append(
            {
                "alert_id": evidence.evidence_id,
                "number": numbers[evidence.evidence_id],
                "incident_id": incident.incident_id,
                "device_id": evidence.device_id,
                "site_id": evidence.site_id,
                "alert_type": _type_of(event if is_news else None),
                "severity": evidence.severity.name,
                "first_detected_at": evidence.at
                if evidence.source == "streaming"
                else after.get(incident.incident_id, incident).first_detected_at,
                "alert_created_at": now,
                "suppressed": step.decision.held is not None,
                "suppressed_because": step.decision.held,
                "source": evidence.source,
                "models_flagging": evidence.families,
                "window_end": evidence.window.ends_at,
                "probable_cause": evidence.cause,
                **_read(measured),
            }
        )
    if rows:
        connection.execute(sa.insert(alert_evidence), rows)


def _read(measured: Measured) -> dict[str, Any]:
    return {
        "title": measured.title,
        "description": measured.description,
        "model_id": measured.model_id,
        "anomaly_score": measured.anomaly_score,
        "top_contributors": list(measured.top_contributors),
        "score_ids": list(measured.score_ids),
        "note": measured.note,
        "signs_for": list(measured.signs_for),
        "signs_against": list(measured.signs_against),
    }


def _type_of(event: IncidentEvent | None) -> str:
    if event is not None and event.number == 1:
        return "ANOMALY_DETECTED"
    return "ANOMALY_ESCALATED" if event is not None and event.told == "severity_rose" else "ANOMALY_SUSTAINED"


def _numbers(connection: Connection, evidence: Collection[str]) -> dict[str, int]:
    """Evidence → its newest number, of what is stored."""
    columns = alert_evidence.c
    found: dict[str, int] = {}
    for piece in pieces(evidence):
        query = sa.select(columns.alert_id, sa.func.max(columns.number).label("number")).where(
            columns.alert_id.in_(piece)
        )
        found |= {row.alert_id: row.number for row in connection.execute(query.group_by(columns.alert_id))}
    return found


def tellings_of(connection: Connection, steps: Iterable[Step]) -> list[Telling]:
    """The events that people are told of, each with the incident as it was after it."""
    found = []
    for step in steps:
        incident = step.before
        for event in step.decision.events:
            if incident is None or event.number == 1:
                assert step.decision.incident is not None
                incident = step.decision.incident
            else:
                incident = incident.after(event)
            if event.told is not None:
                found.append((incident, event))
    words = words_of(connection, {incident.evidence_id for incident, _ in found})
    return [Telling(incident, event, *words[incident.evidence_id]) for incident, event in found]


def _follow(connection: Connection, made: Sequence[Step], schedules: Mapping[str, Schedule | None] | None) -> None:
    """Let work orders follow their incidents."""
    dated = (schedules or {}).keys()
    asking = [
        step
        for step in made
        if not _orders(step).isdisjoint(dated)
        or (_orders(step) and any(_OF_WORK & event.changes.keys() for event in step.decision.events))
    ]
    words = words_of(connection, {step.decision.incident.evidence_id for step in asking if step.decision.incident})
    changes = {}
    for step in asking:
        incident, event = step.decision.incident, step.decision.events[-1]
        assert incident is not None
        title, description = words[incident.evidence_id]
        trouble = Trouble(
            incident.incident_id,
            incident.device_id,
            incident.site_id,
            incident.severity.name,
            title,
            description,
            incident.deadline or event.occurred_at,
            incident.is_open,
        )
        for order in _orders(step):
            changes[order] = Change(
                trouble,
                event.action,
                event.from_status,
                event.actor,
                event.note,
                event.occurred_at,
                asks=incident.work_order_id == order,
            )
    if changes:
        follow(connection, changes, schedules)


def _orders(step: Step) -> set[str]:
    """The orders that its incident names, or named before."""
    named = {one.work_order_id for one in (step.before, step.decision.incident) if one is not None}
    return {order for order in named if order is not None}


def _of_groups(
    connection: Connection,
    decided: Decided,
    known: Known,
    fleet: Fleet,
    now: datetime,
    run_id: str,
) -> list[Message]:
    """Store what is told of as one, and say it where it is news; what joins is what the last message stands for."""
    held: dict[str, list[Incident]] = {}
    for step in decided.steps:
        incident = step.decision.incident
        if step.decision.held == "part_of_site" and incident is not None:
            scope = incident.site_id if incident.site_id in decided.groups else FLEET
            held.setdefault(scope, []).append(incident)
    touched = [
        group for scope, group in sorted(decided.groups.items()) if scope in held or group != known.groups.get(scope)
    ]
    _store_groups(connection, touched)
    began = [group for group in touched if group in decided.news and _begins(group, known.groups.get(group.scope))]
    members = _members(connection, held, began, now)
    messages = []
    for group in touched:
        if group in decided.news:
            size = fleet.sizes.get(group.scope, len(group.devices))
            messages.append(group_message(group, members.get(group.scope, ()), size, group in began, now, run_id))
        elif group.scope in held:
            last = group_message(group, (), 0, False, now, run_id)
            also_about(connection, last.message_id, sorted({one.incident_id for one in held[group.scope]}))
    return messages


def _begins(group: Group, before: Group | None) -> bool:
    return before is None or before.started_at != group.started_at


def _store_groups(connection: Connection, groups: Sequence[Group]) -> None:
    if not groups:
        return
    rows = [
        {
            "scope": group.scope,
            "started_at": group.started_at,
            "ends_at": group.span.ends_at,
            "severity": group.severity.name,
            "devices": sorted(group.devices),
        }
        for group in groups
    ]
    insert_missing(connection, incident_groups, rows)
    columns = incident_groups.c
    own = sa.and_(columns.scope == sa.bindparam("of"), columns.started_at == sa.bindparam("since"))
    newest: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in ("severity", "devices")}
    values = [
        {"of": row["scope"], "since": row["started_at"], **{f"new_{name}": row[name] for name in newest}}
        for row in rows
    ]
    connection.execute(sa.update(incident_groups).where(own).values(newest), values)


def _members(
    connection: Connection, held: Mapping[str, Iterable[Incident]], began: Sequence[Group], now: datetime
) -> dict[str, list[Member]]:
    """Scope → what its message stands for; of a group that begins, what was told one by one within its span, too."""
    belongs = {scope: {one.incident_id: one for one in own} for scope, own in held.items()}
    since = {group.scope: group.started_at - (group.span.ends_at - group.span.starts_at) for group in began}
    if since:
        told = [
            (scope, row.incident_id)
            for row in connection.execute(openings_between(min(since.values()), now))
            for scope in (row.site_id, *([FLEET] if row.actor == "streaming" else []))
            if scope in since and row.occurred_at > since[scope]
        ]
        known = incidents_by_id(connection, {identity for _, identity in told})
        belongs |= {scope: {} for scope in since}
        for scope, identity in told:
            belongs[scope][identity] = known[identity]
    words = words_of(connection, {one.evidence_id for own in belongs.values() for one in own.values()})
    return {
        scope: [Member(name, words[one.evidence_id][0], one.first_detected_at) for name, one in sorted(own.items())]
        for scope, own in belongs.items()
    }

"""Storing what people do with an alert: the alert, its event, its label and its work, in one transaction (SPEC 6).

Two people may act on one alert at once: everything is read and written while it is locked, so that one of them comes
first and the other is told so, or acts on what the first one left.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.actions import ActionRequest, acted_on
from fridge_assets.alerting.announce import dedup_key
from fridge_assets.alerting.deadlines import advance_deadlines
from fridge_assets.alerting.events import events_of
from fridge_assets.alerting.evidence import problems
from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.alerting.labels import LABEL_OF, label_of, store_labels
from fridge_assets.alerting.lifecycle import IllegalTransition
from fridge_assets.alerting.listing import AlertFilter
from fridge_assets.alerting.silences import Silence, add_silence, end_silences_of
from fridge_assets.alerting.sla import channel_of
from fridge_assets.alerting.store import apply, events_of_alerts, list_alerts
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.beginnings import Ids, id_beginning_with
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets.work_orders.store import ensure_order

_IDS = Ids(device_alerts.c.alert_id, "alert", "alerts list --all")

Schedule = tuple[datetime, datetime]
"""When maintenance begins, and the first moment after it; timezone-aware."""


class Outdated(FridgeError):
    """Somebody changed the alert after the person who acts had looked at it."""


@dataclass(frozen=True)
class ActedAlert:
    """What an action made of an alert.

    Args:
        alert: its DEVICE_ALERTS row after the action.
        event: the ALERT_EVENTS row that records it.
    """

    alert: pd.DataFrame
    event: pd.DataFrame


def act(
    operations: Operations,
    alert_id: str,
    action: str,
    request: ActionRequest,
    settings: IncidentSettings,
    schedule: Schedule | None = None,
) -> ActedAlert:
    """Store an action of a person, and all that follows from it.

    A deadline that had passed by then is recorded before it. ``resolve``, ``confirm`` and ``false_positive`` leave a
    label; ``resolve`` and ``false_positive`` end the work order; ``maintain`` makes sure that there is one and that the
    device raises nothing meanwhile; ``escalate`` tells those who are responsible from then on.

    Args:
        operations: where alerts are.
        alert_id: the alert, or a beginning of its id that no other has.
        action: one of :data:`~fridge_assets.alerting.actions.PEOPLES_ACTIONS`.
        request: who acts, when and why.
        settings: deadlines, the longest maintenance.
        schedule: when maintenance is; for ``maintain`` and nothing else.

    Raises:
        IllegalTransition: the alert's status, or level, does not allow it; names who brought it there and when.
        Outdated: the alert is not at the expected revision; says who did what meanwhile.
        FridgeError: no such alert, or several; it is kept for audit only; nobody is named; nothing was stored.
    """
    if (action == "maintain") != (schedule is not None):
        raise ValueError(f"{action} with the schedule {schedule}: maintain has one, nothing else does")
    if not request.actor.strip():
        raise FridgeError("an action on an alert without a name", "Say who acts with --by.")
    if schedule is not None and schedule[1] <= request.at:
        raise FridgeError(
            f"maintenance that ended at {schedule[1]:%Y-%m-%d %H:%M} UTC cannot be scheduled any more",
            "Name a later --from, or a longer --for.",
        )
    with operations.transaction() as connection:
        identity = find_alert(connection, alert_id)
        # In a transaction of its own: who changes alerts locks them before the outbox, and here it is the other way.
        advance_deadlines(connection, request.at, settings, request.at, identity)
    with operations.transaction() as connection:
        before = _locked(connection, identity)
        events = events_of_alerts(connection, before["alert_id"].tolist())
        _check_revision(before, events, request.expected_revision)
        _check_told(connection, before)
        try:
            after = acted_on(before, action, request)
        except IllegalTransition as refusal:
            raise IllegalTransition(f"{refusal.problem}: {_standing(before, events)}", refusal.remedy) from refusal
        if schedule is not None:
            after["ontology_action_id"] = _scheduled(connection, before, request, schedule, settings)
        acted = _stored(connection, before, after, request)
        _follow(connection, acted.alert, action, request)
    return acted


def find_alert(connection: Connection, beginning: str) -> str:
    """The id of the alert that ``beginning`` means.

    Raises:
        UnknownName: no alert's id begins with it, or more than one, or it is too short to be meant.
    """
    return id_beginning_with(connection, _IDS, beginning)


def _locked(connection: Connection, alert_id: str) -> pd.DataFrame:
    query = sa.select(device_alerts).where(device_alerts.c.alert_id == alert_id).with_for_update()
    rows = connection.execute(query).all()
    return conform([pd.DataFrame(rows, columns=list(DEVICE_ALERTS.column_names))], DEVICE_ALERTS)


def _check_revision(alert: pd.DataFrame, events: pd.DataFrame, expected: int | None) -> None:
    row = alert.iloc[0]
    if expected is None or expected == row["revision"]:
        return
    name = row["alert_id"][:SHORT_ID]
    later = events[events["revision"] > expected]
    meanwhile = ", ".join(_told(event) for _, event in later.iterrows()) or "it never had that one"
    raise Outdated(
        f"alert {name} is at revision {row['revision']}, not {expected}: {meanwhile}; now it is {row['status']} at "
        f"{row['escalation_level']}",
        f"Look at it again with `fridge-assets alerts show {name}`.",
    )


def _check_told(connection: Connection, alert: pd.DataFrame) -> None:
    row = alert.iloc[0]
    if not row["suppressed"]:
        return
    device = str(row["device_id"])
    told = list_alerts(connection, AlertFilter(device_id=device))
    same = told[problems(told) == problems(alert).iloc[0]]["alert_id"]
    raise FridgeError(
        f"alert {row['alert_id'][:SHORT_ID]} is kept for audit only ({row['suppressed_because'].replace('_', ' ')})",
        f"Act on alert {same.iloc[0][:SHORT_ID]} instead, which is about the same."
        if len(same)
        else f"See what is open with `fridge-assets alerts list --device {device}`.",
    )


def _standing(alert: pd.DataFrame, events: pd.DataFrame) -> str:
    """Where the alert stands, and who brought it there."""
    row = alert.iloc[0]
    arrivals = events[(events["to_status"] == row["status"]) & (events["from_status"] != row["status"])]
    by = f" since {_told(arrivals.iloc[-1])}" if len(arrivals) else ""
    return f"alert {row['alert_id'][:SHORT_ID]} is {row['status']}{by}"


def _told(event: "pd.Series[Any]") -> str:
    action = str(event["action"]).replace("_", " ")
    note = f" ({event['note']})" if event["note"] else ""
    return f"'{action}' by {event['actor']} at {event['occurred_at']:%Y-%m-%d %H:%M} UTC{note}"


def _scheduled(
    connection: Connection, alert: pd.DataFrame, request: ActionRequest, schedule: Schedule, settings: IncidentSettings
) -> str:
    """Make the maintenance known to those who work and to those who watch; the id of its work order."""
    row = alert.iloc[0]
    order = ensure_order(connection, row, request.actor, request.at, scheduled=schedule)
    end_silences_of(connection, order, request.actor, request.at)  # another date takes the place of the one before
    silence = Silence(
        kind="maintenance",
        device_id=str(row["device_id"]),
        site_id=None,
        starts_at=schedule[0],
        ends_at=schedule[1],
        actor=request.actor,
        reason=request.note.strip() or f"{row['title']} (alert {row['alert_id'][:SHORT_ID]})",
        created_at=request.at,
        work_order_id=order,
    )
    add_silence(connection, silence, settings)
    return order


def _stored(connection: Connection, before: pd.DataFrame, after: pd.DataFrame, request: ActionRequest) -> ActedAlert:
    """Write the changed alert and its event.

    Raises:
        Outdated: the stored alert is no longer at the revision of ``before``.
    """
    identity, revision = str(before["alert_id"].iloc[0]), int(before["revision"].iloc[0])
    columns = device_alerts.c
    claim = sa.update(device_alerts).where(columns.alert_id == identity, columns.revision == revision)
    if connection.execute(claim.values(revision=revision + 1)).rowcount != 1:
        _check_revision(_locked(connection, identity), events_of_alerts(connection, [identity]), revision)
    alert = conform([after], DEVICE_ALERTS)
    event = conform([events_of(after, before, request.actor, request.at)], ALERT_EVENTS)
    apply(connection, GeneratedAlerts(DEVICE_ALERTS.empty(), alert, event))
    return ActedAlert(alert, event)


def _follow(connection: Connection, alert: pd.DataFrame, action: str, request: ActionRequest) -> None:
    row = alert.iloc[0]
    if action in ("resolve", "false_positive") and row["ontology_action_id"] is not None:
        end_silences_of(connection, str(row["ontology_action_id"]), request.actor, request.at)
    if action in LABEL_OF:
        store_labels(connection, label_of(alert, action, request.actor, request.at, request.note))
    if action == "escalate":
        enqueue(connection, _escalation(alert.iloc[0], request), request.at)


def _escalation(alert: "pd.Series[Any]", request: ActionRequest) -> list[Message]:
    name, level = alert["alert_id"], alert["escalation_level"]
    channel = channel_of(alert["severity"], level)
    if channel is None:
        return []
    return [
        Message(
            key=f"escalated/{name}/{alert['revision']}",
            channel=channel,
            kind="escalation",
            title=f"{alert['severity']}, escalated to {level} by {request.actor}: {alert['device_id']} in "
            f"{alert['site_id']}: {alert['title']}",
            lines=(
                *([request.note] if request.note else []),
                alert["description"],
                f"It is {alert['status']}; act by {alert['sla_deadline']:%Y-%m-%d %H:%M} UTC.",
            ),
            occurred_at=request.at,
            about=(name,),
            commands=(f"fridge-assets alerts show {name[:SHORT_ID]}",),
            dedup_key=dedup_key(name),
        )
    ]

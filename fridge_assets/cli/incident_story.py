"""`incidents show`: the story of one incident, from what was seen to what people did (SPEC 6.1)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.alert_story import WHY_NOT_TOLD, say_trace, threshold_of, trace_document
from fridge_assets.cli.console import moment, say, say_json, styled, told_here
from fridge_assets.cli.context import Workplace, reading
from fridge_assets.cli.tables import Wide, say_rows
from fridge_assets.core.identity import SHORT_ID

if TYPE_CHECKING:
    from fridge_assets.incidents.queries import Listed
    from fridge_assets.incidents.story import Story

_EVENTS = {"when": "when", "actor": "actor", "action": "action", "status": "status", "note": "note", "told": "told"}
_ALERTS = {
    "alert_id": "alert",
    "window_end": "window",
    "source": "source",
    "severity": "severity",
    "anomaly_score": "score",
    "title": "title",
    "because": "why not told",
}
_PREVIOUS = {
    "incident_id": "incident",
    "first_detected_at": "since",
    "severity": "severity",
    "title": "title",
    "status": "status",
    "closed_at": "closed",
    "closed_because": "because",
}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets incidents show device-000042")(show)


def show(
    context: typer.Context,
    incident: Annotated[str, typer.Argument(help="Incident id, its beginning, or a device.")],
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """One incident: what was seen, what each model said, what people were told and what they did."""
    from fridge_assets.incidents.acting import find_incident  # noqa: PLC0415
    from fridge_assets.incidents.evidence_lists import find_alert  # noqa: PLC0415
    from fridge_assets.incidents.queries import listed  # noqa: PLC0415
    from fridge_assets.incidents.story import story_of  # noqa: PLC0415
    from fridge_assets.incidents.trace import trace  # noqa: PLC0415

    place, now = reading(context), datetime.now(UTC)
    with place.operations.read() as connection:
        (found,) = listed(connection, [find_incident(connection, incident)], now, place.settings.alerts)
        story = story_of(connection, found.incident, now, place.settings.alerts)
        best = find_alert(connection, found.incident.evidence_id)
    told, threshold = trace(place.warehouse, best, place.settings, now), threshold_of(place, best)
    if as_json:
        say_json(_document(found, story) | trace_document(told, threshold))
        return
    _say_header(found, story)
    say_trace(told, threshold, wide)
    _say_life(place, story, wide)


def _document(found: "Listed", story: "Story") -> dict[str, Any]:
    from fridge_assets.cli.incident_records import event_record, listed_record  # noqa: PLC0415

    parts = {name: value for name, value in vars(story).items() if name not in ("events", "previous")}
    return {
        **listed_record(found),
        **parts,
        "events": [event_record(event) for event in story.events],
        "previous": [listed_record(one) for one in story.previous],
    }


def _say_header(found: "Listed", story: "Story") -> None:
    incident = found.incident
    say(styled(f"{incident.severity.name}: {found.title}", "bold"))
    say(told_here(found.description, incident.last_window))
    say(f"\nincident {incident.incident_id} on {incident.device_id} at {incident.site_id}")
    owner = f", of {incident.owner}" if incident.owner else ""
    say(f"{incident.status}, {incident.level}{owner}, revision {incident.revision}, {_told(found, story)}")
    quiet = "" if incident.quiet_since is None else f", quiet since {moment(incident.quiet_since)}"
    first, last = moment(incident.first_detected_at), moment(incident.last_window)
    say(f"first seen {first}, last in the window ending {last}{quiet}")
    _say_cause(incident.probable_cause, story)
    if len(incident.named) > 1:
        say("sensors named so far: " + ", ".join(sign.sensor for sign in incident.named))
    if incident.closed_at is not None:
        say(f"closed {moment(incident.closed_at)}: {str(incident.closed_because).replace('_', ' ')}")
    elif incident.snoozed_until is not None:
        say(f"snoozed until {moment(incident.snoozed_until)}")
    elif incident.deadline is not None:
        late = ", nobody had taken it by then" if incident.breached else ""
        rise = "" if incident.next_escalation_at is None else f"; next step {moment(incident.next_escalation_at)}"
        say(f"act by {moment(incident.deadline)}{late}{rise}")
    if story.benign_until is not None:
        named = ", ".join(f"{sign.sensor} {sign.direction}".rstrip() for sign in incident.named)
        say(
            f"The same ({named}) is not told again until {moment(story.benign_until)}, unless it is more severe, or "
            "the models or the device's registry entry change."
        )
    for order in story.work_orders:
        reference = f", {order['external_reference']}" if order["external_reference"] else ""
        say(f"work order {order['work_order_id']}: {order['status']}, {order['priority']}{reference}")


def _say_cause(cause: str, story: "Story") -> None:
    from fridge_assets.incidents.queries import NOT_CLEAR  # noqa: PLC0415

    say(f"probable cause: {cause or NOT_CLEAR}")
    for what, signs in (("for it", story.signs_for), ("against it", story.signs_against)):
        if signs:
            say(f"  {what}: {', '.join(signs)}")


def _told(found: "Listed", story: "Story") -> str:
    """Whether anybody has been told of it, as far as it is known."""
    statuses = {message["status"] for message in story.messages}
    if found.incident.told is None:
        held = [row["suppressed_because"] for row in story.alerts if row["suppressed"]]
        return f"not told: {WHY_NOT_TOLD[held[0]]}" if held else "not told"
    if statuses & {"sent", "summarised"}:
        return "told"
    return "nobody has been told yet" if "pending" in statuses else "no message is about it"


def _say_life(place: Workplace, story: "Story", wide: bool) -> None:
    events = [
        {
            "when": event.occurred_at,
            "actor": event.actor,
            "action": event.action.replace("_", " "),
            "status": event.to_status,
            "note": event.note,
            "told": "" if event.told is None else event.told.replace("_", " "),
        }
        for event in story.events
    ]
    say_rows("\nWhat happened", events, _EVENTS, spare=("status", "told"), wide=wide)
    alerts = [
        row | {"alert_id": row["alert_id"][:SHORT_ID], "because": row["suppressed_because"] or ""}
        for row in story.alerts
    ]
    say_rows("\nWhat was seen, newest first", alerts, _ALERTS, spare=("anomaly_score", "source", "severity"), wide=wide)
    if story.labels:
        names = {"labelled_at": "when", "actor": "actor", "label": "label", "note": "note"}
        say_rows("\nLabels", story.labels, names, wide=wide)
    if story.silences:
        names = {name: name.replace("_", " ") for name in ("kind", "starts_at", "ends_at", "actor", "reason")}
        say_rows("\nSilences of the device or its site", story.silences, names, wide=wide)
    _say_messages(story, wide)
    previous = [
        {"incident_id": one.incident.incident_id[:SHORT_ID], "severity": one.incident.severity.name, "title": one.title}
        | {name: getattr(one.incident, name) for name in _PREVIOUS if name not in ("incident_id", "severity", "title")}
        for one in story.previous
    ]
    spare = ("closed_at", "status", "first_detected_at", "severity")
    say_rows("\nEarlier incidents of this device, 30 days", previous, _PREVIOUS, spare=spare, wide=wide)
    if story.alerts:
        say(f"Next: {place.command('alerts show ALERT')}")


def _say_messages(story: "Story", wide: bool) -> None:
    """What was sent, when and where; then what waits, and what was not sent because it was no longer true."""
    messages = [
        row
        | {
            "message_id": row["message_id"][:SHORT_ID],
            # As it was sent: it may say what happened while it waited.
            "title": row["said"] or row["title"],
            "summarised_by": row["summarised_by"][:SHORT_ID],
        }
        for row in story.messages
    ]
    where, what = {"channel": "channel", "destination": "by"}, {"message_id": "message", "title": "title"}
    in_summary = {"ended_at": "when", **where, "summarised_by": "message", "title": "title"}
    groups = (
        ("sent", "\nPeople were told", {"ended_at": "when", **where, **what}),
        ("pending", "\nWaits to be told", {"created_at": "since", **where, **what, "reason": "why"}),
        ("summarised", "\nTold in a summary", in_summary),
        ("superseded", "\nNot told any more", {"ended_at": "when", **where, **what, "reason": "why"}),
    )
    for status, heading, columns in groups:
        own = [row for row in messages if row["status"] == status]
        if own or status == "sent":
            say_rows(heading, own, columns, spare=("message_id", "summarised_by", "destination"), wide=wide)

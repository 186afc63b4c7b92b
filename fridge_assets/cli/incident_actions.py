"""`incidents ack … undo`: what people do with incidents, each one command, one by one or many at once (SPEC 6.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.console import moment, say, say_error, say_json
from fridge_assets.cli.context import Workplace, changing, user_name
from fridge_assets.cli.unknown import refuse_unknown_names
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.core.moments import parse_moment, parse_span
from fridge_assets.core.names import unknown

if TYPE_CHECKING:
    from fridge_assets.incidents.state import Incident, IncidentEvent
    from fridge_assets.incidents.terms import PersonsAction
    from fridge_assets.work_orders.rules import Schedule

_WHICH = "Incident id, its beginning, or a device; several for several."
Incidents = Annotated[list[str], typer.Argument(help=_WHICH)]
IncidentsOrNone = Annotated[list[str] | None, typer.Argument(help=_WHICH)]
Site = Annotated[str | None, typer.Option(help="All open incidents of this site.")]
Cause = Annotated[str | None, typer.Option(help="All open incidents with this probable cause, or part of it.")]
Severity = Annotated[str | None, typer.Option(help="All open incidents of this severity.")]
Note = Annotated[str, typer.Option(help="Why; the incident's history keeps it.")]
Revision = Annotated[
    int | None, typer.Option("--if-revision", min=1, help="Only if the incident is still at this revision.")
]
By = Annotated[str | None, typer.Option(help="Who acts; you, when left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print what was done and what was refused as JSON.")]

_EXAMPLE = "Example: fridge-assets incidents"


@dataclass(frozen=True)
class _Chosen:
    """The incidents that are meant: by name, or all open ones that pass."""

    names: Sequence[str]
    site: str | None = None
    cause: str | None = None
    severity: str | None = None

    @property
    def by_filter(self) -> bool:
        """Whether any condition is given."""
        return any(one is not None for one in (self.site, self.cause, self.severity))


@dataclass(frozen=True)
class _Request:
    """What is done, by whom and why."""

    action: "PersonsAction"
    note: str
    if_revision: int | None
    by: str | None
    until: timedelta | None = None
    maintenance: tuple[datetime | None, timedelta] | None = None


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    _add(app, "ack", "acknowledge", "on my way", "Say that somebody sees to it: from now on no deadline runs.")
    _add(app, "take", "take", "I drive there", "Take it: you are the owner, and no deadline runs.")
    _add(app, "start", "start", "compressor is being replaced", "Say that somebody is working on it.")
    app.command(epilog=f"{_EXAMPLE} maintain 4f1c9a2e --from 2026-06-02T08:00Z --for 3h")(maintain)
    app.command(epilog=f"{_EXAMPLE} snooze device-000042 --for 4h --note 'technician comes at noon'")(snooze)
    _add(app, "resolve", "resolve", "fan motor replaced", "Close what was a real failure and is repaired.")
    _add(app, "false-positive", "false_positive", "door was open", "Close what was no failure, and remember it.")
    _add(app, "escalate", "escalate", "needs a refrigeration engineer", "Hand it to the next level and tell them.")
    _add_single(app, "confirm", "confirm", "the leak was real", "Say of what is closed that it was a real failure.")
    _add_single(app, "undo", "undo", "wrong device", "Take back the last action, within ten minutes of it.")


def _add(app: typer.Typer, name: str, action: "PersonsAction", why: str, what: str) -> None:
    """Add the command of an action that needs no more than a note; ``why`` is the note of its example."""

    @app.command(name, help=what, epilog=f"{_EXAMPLE} {name} 4f1c9a2e --note '{why}'")
    def take(
        context: typer.Context,
        incidents: IncidentsOrNone = None,
        site: Site = None,
        cause: Cause = None,
        severity: Severity = None,
        note: Note = "",
        if_revision: Revision = None,
        by: By = None,
        as_json: Json = False,
    ) -> None:
        chosen = _Chosen(incidents or (), site, cause, severity)
        _act(changing(context), chosen, _Request(action, note, if_revision, by), as_json)


def _add_single(app: typer.Typer, name: str, action: "PersonsAction", why: str, what: str) -> None:
    """The same for an action on what may be closed: all that ever were of a site is hardly meant."""

    @app.command(name, help=what, epilog=f"{_EXAMPLE} {name} 4f1c9a2e --note '{why}'")
    def take(
        context: typer.Context,
        incidents: Incidents,
        note: Note = "",
        if_revision: Revision = None,
        by: By = None,
        as_json: Json = False,
    ) -> None:
        _act(changing(context), _Chosen(incidents), _Request(action, note, if_revision, by), as_json)


def maintain(
    context: typer.Context,
    incidents: IncidentsOrNone = None,
    site: Site = None,
    cause: Cause = None,
    severity: Severity = None,
    from_: Annotated[str, typer.Option("--from", help="When it begins, ISO 8601; now, when left out.")] = "",
    for_: Annotated[str, typer.Option("--for", help="How long, such as 90m, 2h or 1d.")] = "2h",
    note: Note = "",
    if_revision: Revision = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Schedule maintenance: a work order, and a time in which nobody is told of the device."""
    begins = parse_moment(from_, "--from") if from_ else None
    request = _Request("maintain", note, if_revision, by, maintenance=(begins, parse_span(for_, "--for")))
    _act(changing(context), _Chosen(incidents or (), site, cause, severity), request, as_json)


def snooze(
    context: typer.Context,
    for_: Annotated[str, typer.Option("--for", help="How long, such as 90m, 2h or 1d.")],
    incidents: IncidentsOrNone = None,
    site: Site = None,
    cause: Cause = None,
    severity: Severity = None,
    note: Note = "",
    if_revision: Revision = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Put it aside for a time; after it people are told again, sooner if it becomes more severe."""
    request = _Request("snooze", note, if_revision, by, until=parse_span(for_, "--for"))
    _act(changing(context), _Chosen(incidents or (), site, cause, severity), request, as_json)


def _act(place: Workplace, chosen: _Chosen, request: _Request, as_json: bool) -> None:
    """Act on each incident by itself; a refusal of one does not keep the others from being done."""
    from fridge_assets.cli.incident_records import event_record, incident_record  # noqa: PLC0415
    from fridge_assets.incidents.acting import act  # noqa: PLC0415
    from fridge_assets.incidents.observations import Act  # noqa: PLC0415

    now = datetime.now(UTC)
    names = _names(place, chosen, request.action, now)
    if request.if_revision is not None and len(names) > 1:
        raise FridgeError(f"--if-revision {request.if_revision} with {len(names)} incidents", "Act on one at a time.")
    actor = user_name() if request.by is None else request.by
    until = None if request.until is None else now + request.until
    wanted: Act = Act(request.action, actor, request.note.strip(), until, request.if_revision)
    done: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for name in names:
        try:
            incident, event = act(
                place.operations, name, wanted, now, place.settings.alerts, _schedule(request.maintenance, now)
            )
        except FridgeError as error:
            refused.append({"incident": name, "problem": error.problem, "remedy": error.remedy})
            if not as_json:
                say_error(error)
            continue
        done.append({**incident_record(incident), "event": event_record(event)})
        if not as_json:
            say(" ".join(_sentences(place, incident, event)))
    if as_json:
        say_json({"done": done, "refused": refused})
    elif len(names) > 1:
        say(f"{len(done)} of {len(names)} incidents" + (f", {len(refused)} refused" if refused else ""))
    if refused:
        raise typer.Exit(1)


def _names(place: Workplace, chosen: _Chosen, action: "PersonsAction", now: datetime) -> list[str]:
    """What is acted on, in the order in which it was named, or of urgency; by conditions what admits the action.

    Raises:
        FridgeError: neither or both of names and conditions are given, or nothing that is open passes.
    """
    from fridge_assets.contracts.device_alerts import SEVERITIES  # noqa: PLC0415
    from fridge_assets.incidents.people import WAYS  # noqa: PLC0415
    from fridge_assets.incidents.queries import IncidentFilter, incident_ids  # noqa: PLC0415

    if bool(chosen.names) == chosen.by_filter:
        given = "both incidents and conditions" if chosen.names else "no incident"
        raise FridgeError(f"{given} named", "Name incidents or devices, or else any of --site, --cause, --severity.")
    if chosen.names:
        return list(dict.fromkeys(chosen.names))
    if chosen.severity is not None and chosen.severity not in SEVERITIES:
        raise unknown("severity", chosen.severity, SEVERITIES)
    wanted = IncidentFilter(
        severity=chosen.severity, site_id=chosen.site, cause=chosen.cause, statuses=tuple(WAYS[action])
    )
    with place.operations.read() as connection:
        ids = incident_ids(connection, wanted, now)
    if not ids:
        refuse_unknown_names(place, None, chosen.site)
        said = action.replace("_", " ")
        raise FridgeError(
            f"no open incident that can take the action '{said}' is meant by that",
            f"See {place.command('incidents list')}.",
        )
    return ids


def _schedule(maintenance: tuple[datetime | None, timedelta] | None, now: datetime) -> "Schedule | None":
    if maintenance is None:
        return None
    begins = maintenance[0] or now
    return (begins, begins + maintenance[1])


def _sentences(place: Workplace, incident: "Incident", event: "IncidentEvent") -> Iterator[str]:
    """How the incident stands now in a line, and what comes next."""
    name = incident.incident_id[:SHORT_ID]
    owner = f", of {incident.owner}" if incident.owner else ""
    where = f"Incident {name} on {incident.device_id} at {incident.site_id}"
    yield f"{where} is {incident.status} at {incident.level}{owner}, revision {incident.revision}."
    if event.action == "maintain" and incident.work_order_id is not None:
        yield f"Work order {incident.work_order_id[:SHORT_ID]}; nobody is told of the device meanwhile."
    if incident.snoozed_until is not None:
        yield f"It is snoozed until {moment(incident.snoozed_until)}."
    if incident.status == "OPEN":
        act_by = "" if incident.deadline is None else f", act by {moment(incident.deadline)}"
        yield f"Nobody has taken it yet{act_by}: {place.command(f'incidents ack {name}')}"
    elif incident.status == "ACKNOWLEDGED":
        yield f"When work begins: {place.command(f'incidents start {name}')}"
    elif incident.status == "IN_PROGRESS":
        yield f"When it is repaired: {place.command(f'incidents resolve {name}')}"
    elif incident.status == "RESOLVED":
        yield "It counts as a real failure; if it was none: " + place.command(f"incidents false-positive {name}")
    else:
        yield "It counts as no failure; if it was one: " + place.command(f"incidents confirm {name}")

"""`alerts ack … escalate`: what people do with alerts, each one command (SPEC 6)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.console import moment, say, say_error, say_json
from fridge_assets.cli.context import Workplace, changing, user_name
from fridge_assets.cli.nulls import frame_records
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_moment, parse_span

if TYPE_CHECKING:
    from fridge_assets.alerting.act import ActedAlert

Alerts = Annotated[list[str], typer.Argument(help="Alert id, or its beginning; several for several.")]
Note = Annotated[str, typer.Option(help="Why; the alert's story keeps it.")]
Revision = Annotated[
    int | None, typer.Option("--if-revision", min=1, help="Only if the alert is still at this revision.")
]
By = Annotated[str | None, typer.Option(help="Who acts; you, when left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print what was done and what was refused as JSON.")]

_EXAMPLE = "Example: fridge-assets alerts"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    _add(app, "ack", "acknowledge", "on my way", "Take an alert: from now on no deadline runs.")
    _add(app, "start", "start", "compressor is being replaced", "Say that somebody is working on an alert.")
    app.command(epilog=f"{_EXAMPLE} maintain 4f1c9a2e --from 2026-06-02T08:00Z --for 3h")(maintain)
    _add(app, "resolve", "resolve", "fan motor replaced", "Close an alert that was a real failure and is repaired.")
    _add(app, "false-positive", "false_positive", "door was open", "Close an alert that was no failure.")
    _add(app, "confirm", "confirm", "the leak was real", "Say of an alert that is closed that it was a real failure.")
    _add(
        app, "escalate", "escalate", "needs a refrigeration engineer", "Hand an alert to the next level and tell them."
    )


def _add(app: typer.Typer, name: str, action: str, why: str, what: str) -> None:
    """Add the command of an action that needs no more than a note; ``why`` is the note of its example."""

    @app.command(name, help=what, epilog=f"{_EXAMPLE} {name} 4f1c9a2e --note '{why}'")
    def take(
        context: typer.Context,
        alerts: Alerts,
        note: Note = "",
        if_revision: Revision = None,
        by: By = None,
        as_json: Json = False,
    ) -> None:
        _act(changing(context), alerts, action, note, if_revision, by, as_json)


def maintain(
    context: typer.Context,
    alerts: Alerts,
    from_: Annotated[str, typer.Option("--from", help="When it begins, ISO 8601; now, when left out.")] = "",
    for_: Annotated[str, typer.Option("--for", help="How long, such as 90m, 2h or 1d.")] = "2h",
    note: Note = "",
    if_revision: Revision = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Schedule maintenance: a work order, and a window in which the device raises nothing."""
    begins = parse_moment(from_, "--from") if from_ else None
    _act(changing(context), alerts, "maintain", note, if_revision, by, as_json, (begins, parse_span(for_, "--for")))


def _act(
    place: Workplace,
    alerts: list[str],
    action: str,
    note: str,
    if_revision: int | None,
    by: str | None,
    as_json: bool,
    maintenance: tuple[datetime | None, timedelta] | None = None,
) -> None:
    """Act on each alert by itself; a refusal of one does not keep the others from being done."""
    from fridge_assets.alerting.act import act  # noqa: PLC0415
    from fridge_assets.alerting.actions import ActionRequest  # noqa: PLC0415

    if if_revision is not None and len(alerts) > 1:
        raise FridgeError(f"--if-revision {if_revision} with {len(alerts)} alerts", "Act on one alert at a time.")
    now = datetime.now(UTC)
    actor = user_name() if by is None else by
    request = ActionRequest(actor, now, note.strip(), if_revision)
    schedule = None
    if maintenance is not None:
        begins = maintenance[0] or now
        schedule = (begins, begins + maintenance[1])
    done: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for alert in alerts:
        try:
            acted = act(place.operations, alert, action, request, place.settings.alerts, schedule)
        except FridgeError as error:
            refused.append({"alert": alert, "problem": error.problem, "remedy": error.remedy})
            if not as_json:
                say_error(error)
            continue
        done.append({**frame_records(acted.alert)[0], "event": frame_records(acted.event)[0]})
        if not as_json:
            say(" ".join(_sentences(place, acted)))
    if as_json:
        say_json({"done": done, "refused": refused})
    if refused:
        raise typer.Exit(1)


def _sentences(place: Workplace, acted: "ActedAlert") -> Iterator[str]:
    """The new state of the alert in a line, and what comes next."""
    alert = acted.alert.iloc[0]
    name = alert["alert_id"][:8]
    where = f"Alert {name} on {alert['device_id']} at {alert['site_id']}"
    yield f"{where} is {alert['status']} at {alert['escalation_level']}, revision {alert['revision']}."
    action = acted.event["action"].iloc[0]
    if action == "maintain":
        yield f"Work order {alert['ontology_action_id'][:8]}; the device raises nothing meanwhile."
    if alert["status"] == "OPEN":
        yield f"Nobody has taken it yet, act by {moment(alert['sla_deadline'])}: {place.command(f'alerts ack {name}')}"
    elif alert["status"] == "ACKNOWLEDGED":
        yield f"When work begins: {place.command(f'alerts start {name}')}"
    elif alert["status"] == "IN_PROGRESS":
        yield f"When it is repaired: {place.command(f'alerts resolve {name}')}"
    elif alert["status"] == "RESOLVED":
        yield "It counts as a real failure; if it was none: " + place.command(f"alerts false-positive {name}")
    else:
        yield "It counts as no failure; if it was one: " + place.command(f"alerts confirm {name}")

"""`incidents`: what people work on (SPEC 6.1)."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from fridge_assets.cli import incident_actions, incident_audit, incident_story
from fridge_assets.cli.console import say, say_json
from fridge_assets.cli.context import reading
from fridge_assets.cli.tables import Wide, say_rows
from fridge_assets.cli.unknown import refuse_unknown_names
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.core.names import unknown

app = typer.Typer(no_args_is_help=True, help="Incidents: what people work on, one for each device in trouble.")

_COLUMNS = {
    "incident_id": "incident",
    "severity": "severity",
    "device_id": "device",
    "site_id": "site",
    "status": "status",
    "level": "level",
    "owner": "owner",
    "first_detected_at": "since",
    "deadline": "act by",
    "late": "late",
    "title": "title",
}
_SPARE = ("level", "owner", "first_detected_at", "site_id", "status", "deadline", "late")


@app.command("list", epilog="Example: fridge-assets incidents list --min-severity HIGH --site site-0003")
def list_(
    context: typer.Context,
    min_severity: Annotated[str, typer.Option(help="LOW, MEDIUM, HIGH or CRITICAL.")] = "LOW",
    severity: Annotated[str | None, typer.Option(help="Only of this severity.")] = None,
    device: Annotated[str | None, typer.Option(help="Only this device.")] = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    cause: Annotated[str | None, typer.Option(help="Only with this probable cause, or part of it.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Incidents, the most urgent first: past their deadline, then by severity and deadline; what is not told last."""
    from fridge_assets.cli.incident_records import listed_record  # noqa: PLC0415
    from fridge_assets.contracts.device_alerts import SEVERITIES  # noqa: PLC0415
    from fridge_assets.incidents.queries import IncidentFilter, urgent_incidents  # noqa: PLC0415

    place = reading(context)
    for name in (min_severity, severity):
        if name is not None and name not in SEVERITIES:
            raise unknown("severity", name, SEVERITIES)
    wanted = IncidentFilter(not all_, min_severity, severity, device, site, cause, limit=limit)
    with place.operations.read() as connection:
        found = urgent_incidents(connection, wanted, datetime.now(UTC), place.settings.alerts)
    if not found:
        refuse_unknown_names(place, device, site)
    rows = [listed_record(one) for one in found]
    if as_json:
        say_json(rows)
        return
    shown = [
        row
        | {
            "incident_id": row["incident_id"][:SHORT_ID],
            "late": "not told" if row["told"] is None else "late" if row["breached"] else "",
        }
        for row in rows
    ]
    say_rows("Incidents", shown, _COLUMNS, spare=_SPARE, wide=wide)
    if rows:
        say(f"Next: {place.command('incidents show INCIDENT')}")


incident_story.register(app)
incident_actions.register(app)
incident_audit.register(app)

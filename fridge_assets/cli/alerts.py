"""`alerts`: what needs attention, and the story of one alert (SPEC 6)."""

from typing import Annotated

import typer

from fridge_assets.cli.console import frame_records, moment, say, say_json, say_table
from fridge_assets.cli.context import Workplace
from fridge_assets.errors import FridgeError

app = typer.Typer(no_args_is_help=True, help="Alerts.")

_COLUMNS = {
    "alert_id": "alert",
    "severity": "severity",
    "device_id": "device",
    "site_id": "site",
    "status": "status",
    "anomaly_score": "score",
    "first_detected_at": "since",
    "sla_deadline": "act by",
    "title": "title",
}
_ID_SHOWN = 8


@app.command("list", epilog="Example: fridge-assets alerts list --min-severity HIGH --site site-0003")
def list_(
    context: typer.Context,
    min_severity: Annotated[str, typer.Option(help="LOW, MEDIUM, HIGH or CRITICAL.")] = "LOW",
    device: Annotated[str | None, typer.Option(help="Only this device.")] = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Resolved and suppressed ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Alerts, newest window first."""
    from fridge_assets.alerting.store import AlertFilter, list_alerts  # noqa: PLC0415
    from fridge_assets.contracts.device_alerts import SEVERITIES  # noqa: PLC0415

    place: Workplace = context.obj
    if min_severity not in SEVERITIES:
        raise FridgeError(f"there is no severity {min_severity}", f"Choose one of {', '.join(SEVERITIES)}.")
    wanted = AlertFilter(not all_, min_severity, device, site, include_suppressed=all_, limit=limit)
    with place.operations.read() as connection:
        alerts = list_alerts(connection, wanted)
    if as_json:
        say_json(frame_records(alerts))
        return
    say_table("Alerts", alerts.assign(alert_id=alerts["alert_id"].astype("str").str[:_ID_SHOWN]), _COLUMNS)
    if len(alerts):
        say(f"Next: {place.command('alerts show ALERT')}")


@app.command(epilog="Example: fridge-assets alerts show 4f1c9a2e")
def show(
    context: typer.Context,
    alert: Annotated[str, typer.Argument(help="Alert id, or its beginning.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """One alert with the events of its life."""
    from fridge_assets.alerting.store import alerts_by_id_prefix, events_of_alerts  # noqa: PLC0415

    place: Workplace = context.obj
    with place.operations.read() as connection:
        found = alerts_by_id_prefix(connection, alert)
        if len(found) != 1:
            problem = f"{len(found)} alerts begin with {alert!r}" if len(found) else f"no alert begins with {alert!r}"
            raise FridgeError(problem, "See `fridge-assets alerts list --all` and give more of the id.")
        row = found.iloc[0]
        events = events_of_alerts(connection, [row["alert_id"]])
    if as_json:
        say_json({**frame_records(found)[0], "events": frame_records(events)})
        return
    say(f"[bold]{row['severity']}: {row['title']}[/bold]")
    say(row["description"])
    say(f"\nalert {row['alert_id']} on {row['device_id']} at {row['site_id']}")
    told = "suppressed repeat" if row["suppressed"] else "told"
    say(f"{row['alert_type']}, {row['status']}, {row['escalation_level']}, {told}")
    say(f"first seen {moment(row['first_detected_at'])}, window ending {moment(row['window_end'])}")
    say(f"act by {moment(row['sla_deadline'])}; score {row['anomaly_score']:.3f} by {row['model_id']}")
    say(f"{row['models_flagging']} model families flag it; strongest: {', '.join(row['top_contributors'])}")
    say_table("Events", events[["occurred_at", "actor", "from_status", "to_status", "note"]])

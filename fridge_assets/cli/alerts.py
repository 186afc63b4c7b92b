"""`alerts`: what needs attention, and the story of one alert (SPEC 6)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from fridge_assets.cli import alert_actions, audit
from fridge_assets.cli.console import frame_records, moment, say, say_json, say_rows, say_table
from fridge_assets.cli.context import Workplace
from fridge_assets.errors import FridgeError
from fridge_assets.identity import SHORT_ID
from fridge_assets.moments import parse_moment

app = typer.Typer(no_args_is_help=True, help="Alerts.")

_COLUMNS = {
    "alert_id": "alert",
    "severity": "severity",
    "device_id": "device",
    "site_id": "site",
    "status": "status",
    "escalation_level": "level",
    "anomaly_score": "score",
    "first_detected_at": "since",
    "sla_deadline": "act by",
    "title": "title",
}
_QUALITY = {
    "grouping": "of",
    "name": "name",
    "told": "told",
    "labelled": "labelled",
    "confirmed": "confirmed",
    "false_positives": "false",
    "precision": "precision",
    "precision_low": "from",
    "precision_high": "to",
    "hit_rate": "hit rate",
}
_SLA_SPAN = timedelta(days=30)
"""Alerts of this span are reported where no other is asked for."""


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
    from fridge_assets.alerting.listing import AlertFilter, alert_rows, rows_as_of  # noqa: PLC0415
    from fridge_assets.contracts.device_alerts import SEVERITIES  # noqa: PLC0415

    place: Workplace = context.obj
    if min_severity not in SEVERITIES:
        raise FridgeError(f"there is no severity {min_severity}", f"Choose one of {', '.join(SEVERITIES)}.")
    wanted = AlertFilter(not all_, min_severity, device, site, include_suppressed=all_, limit=limit)
    with place.operations.read() as connection:
        alerts = rows_as_of(alert_rows(connection, wanted), datetime.now(UTC), place.settings.alerts)
    if as_json:
        say_json(alerts)
        return
    say_rows("Alerts", [row | {"alert_id": row["alert_id"][:SHORT_ID]} for row in alerts], _COLUMNS)
    if alerts:
        say(f"Next: {place.command('alerts show ALERT')}")


@app.command(epilog="Example: fridge-assets alerts sla --since 2026-01-01")
def sla(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="Alerts told from this moment on, ISO 8601; default: 30 days ago.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """How many alerts were taken by their deadline, and how long it took."""
    from fridge_assets.alerting.sla_report import sla_table  # noqa: PLC0415
    from fridge_assets.alerting.store import told_alerts  # noqa: PLC0415

    place: Workplace = context.obj
    now = datetime.now(UTC)
    start = parse_moment(since, "--since") if since else now - _SLA_SPAN
    with place.operations.read() as connection:
        alerts, events = told_alerts(connection, start)
    table = sla_table(alerts, events, now, place.settings.alerts)
    if as_json:
        say_json(frame_records(table))
        return
    say_table(f"Deadlines of alerts told since {moment(start)}", table)


@app.command(epilog="Example: fridge-assets alerts quality --json")
def quality(
    context: typer.Context,
    as_of: Annotated[str, typer.Option(help="Moment to look back from, ISO 8601; now when not given.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """How many alerts were real failures, by what raised them, and which threshold to change."""
    from fridge_assets.alerting.quality_store import assess_alerts  # noqa: PLC0415

    place: Workplace = context.obj
    now = parse_moment(as_of, "--as-of") if as_of else datetime.now(UTC)
    rows = assess_alerts(place.warehouse, place.operations, now, place.settings)
    if as_json:
        say_json(frame_records(rows))
        return
    say_table(f"Alerts told in the {place.settings.quality.span.days} days before {moment(now)}", rows, _QUALITY)
    for said in rows.loc[rows["advice"] != "", "advice"]:
        say(f"[yellow]advice[/yellow] {said}")
    if not rows["labelled"].any():
        say(f"No labels yet: {place.command('alerts confirm ALERT')} or {place.command('alerts false-positive ALERT')}")


alert_actions.register(app)
audit.register(app)

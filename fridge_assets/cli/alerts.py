"""`alerts`: what needs attention, and the story of one alert (SPEC 6)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json, styled
from fridge_assets.cli.context import reading
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.tables import Wide, say_rows, say_table
from fridge_assets.cli.unknown import refuse_unknown_names
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.core.moments import parse_moment
from fridge_assets.core.names import unknown

app = typer.Typer(no_args_is_help=True, help="Alerts.")

_COLUMNS = {
    "alert_id": "alert",
    "severity": "severity",
    "device_id": "device",
    "site_id": "site",
    "window_end": "window",
    "source": "source",
    "anomaly_score": "score",
    "incident_id": "incident",
    "because": "why not told",
    "title": "title",
}
_SPARE = ("anomaly_score", "source", "site_id", "because", "window_end", "incident_id")
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
_QUALITY_SPARE = ("hit_rate", "told", "precision_low", "precision_high", "confirmed")
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
_SLA_SPAN = timedelta(days=30)
"""Alerts of this span are reported where no other is asked for."""


@app.command("list", epilog="Example: fridge-assets alerts list --min-severity HIGH --site site-0003")
def list_(
    context: typer.Context,
    min_severity: Annotated[str, typer.Option(help="LOW, MEDIUM, HIGH or CRITICAL.")] = "LOW",
    device: Annotated[str | None, typer.Option(help="Only this device.")] = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Of closed incidents, and what nobody was told, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Alerts, the evidence behind open incidents, newest first. What people work on is in `incidents list`."""
    from fridge_assets.contracts.device_alerts import SEVERITIES  # noqa: PLC0415
    from fridge_assets.incidents.evidence_lists import AlertFilter, list_alerts  # noqa: PLC0415

    place = reading(context)
    if min_severity not in SEVERITIES:
        raise unknown("severity", min_severity, SEVERITIES)
    wanted = AlertFilter(not all_, not all_, min_severity, device, site, limit=limit)
    with place.operations.read() as connection:
        alerts = list_alerts(connection, wanted)
    if not alerts:
        refuse_unknown_names(place, device, site)
    if as_json:
        say_json(alerts)
        return
    shown = [
        row
        | {name: row[name][:SHORT_ID] for name in ("alert_id", "incident_id")}
        | {"because": row["suppressed_because"] or ""}
        for row in alerts
    ]
    say_rows("Alerts", shown, _COLUMNS, spare=_SPARE, wide=wide)
    if alerts:
        say(f"Next: {place.command('alerts show ALERT')}")


@app.command(epilog="Example: fridge-assets alerts sla --since 2026-01-01")
def sla(
    context: typer.Context,
    since: Annotated[
        str, typer.Option(help="Incidents told from this moment on, ISO 8601; default: 30 days ago.")
    ] = "",
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """How many incidents were taken by their deadline, and how long it took."""
    from fridge_assets.alert_quality.deadlines import sla_table, work_since  # noqa: PLC0415

    place = reading(context)
    now = datetime.now(UTC)
    start = parse_moment(since, "--since") if since else now - _SLA_SPAN
    with place.operations.read() as connection:
        table = sla_table(work_since(connection, start), now)
    if as_json:
        say_json(frame_records(table))
        return
    say_table(f"Deadlines of incidents told since {moment(start)}", table, wide=wide)


@app.command(epilog="Example: fridge-assets alerts quality --json")
def quality(
    context: typer.Context,
    as_of: Annotated[str, typer.Option(help="Moment to look back from, ISO 8601; now when not given.")] = "",
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """How many alerts were real failures, by what raised them, and which threshold to change."""
    from fridge_assets.alert_quality.store import assess_alerts  # noqa: PLC0415

    place = reading(context)
    now = parse_moment(as_of, "--as-of") if as_of else datetime.now(UTC)
    rows = assess_alerts(place.warehouse, place.operations, now, place.settings)
    if as_json:
        say_json(frame_records(rows))
        return
    say_table(
        f"Alerts told in the {place.settings.quality.span.days} days before {moment(now)}",
        rows,
        _QUALITY,
        spare=_QUALITY_SPARE,
        wide=wide,
    )
    for said in rows.loc[rows["advice"] != "", "advice"]:
        say(styled("advice", "yellow"), f" {said}")
    if not rows["labelled"].any():
        yes, no = place.command("incidents confirm INCIDENT"), place.command("incidents false-positive INCIDENT")
        say(f"No labels yet: {yes} or {no}")

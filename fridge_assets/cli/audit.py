"""`alerts audit`: what nobody was told, and why (SPEC 6)."""

from typing import Annotated

import typer

from fridge_assets.cli.console import say_json
from fridge_assets.cli.context import reading
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.tables import Wide, say_table
from fridge_assets.cli.unknown import refuse_unknown_names
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.core.moments import parse_moment
from fridge_assets.core.names import unknown

_COUNTS = {"suppressed_because": "reason", "alerts": "alerts", "devices": "devices"}
_COLUMNS = {
    "alert_id": "alert",
    "severity": "severity",
    "device_id": "device",
    "site_id": "site",
    "window_end": "window",
    "suppressed_because": "reason",
    "event_note": "why",
}
_SPARE = ("site_id", "severity", "window_end", "suppressed_because")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets alerts audit --because maintenance --since 2026-06-01")(audit)


def audit(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="Only windows that end then or later, ISO 8601.")] = None,
    device: Annotated[str | None, typer.Option(help="Only this device.")] = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    because: Annotated[
        str | None, typer.Option(help="repeat, told_by_stream, maintenance, silence or withdrawn.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Name at most this many, the newest.")] = 50,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Alerts that were stored and nobody told: how many for which reason, and the newest with who held them."""
    from fridge_assets.alerting.audit import AuditFilter, held_alerts, held_counts  # noqa: PLC0415
    from fridge_assets.contracts.device_alerts import SUPPRESSION_REASONS  # noqa: PLC0415

    place = reading(context)
    if because is not None and because not in SUPPRESSION_REASONS:
        raise unknown("reason", because, SUPPRESSION_REASONS)
    moment = None if since is None else parse_moment(since, "--since")
    wanted = AuditFilter(moment, device, site, because, limit)
    with place.operations.read() as connection:
        counts, newest = held_counts(connection, wanted), held_alerts(connection, wanted)
    if newest.empty:
        refuse_unknown_names(place, device, site)
    if as_json:
        say_json({"counts": frame_records(counts), "alerts": frame_records(newest)})
        return
    say_table("Held, by reason", counts, _COUNTS)
    say_table("Newest", newest.assign(alert_id=newest["alert_id"].str[:SHORT_ID]), _COLUMNS, spare=_SPARE, wide=wide)

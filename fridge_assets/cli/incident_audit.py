"""`incidents audit`: what nobody was told, and why (SPEC 6.1)."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from fridge_assets.cli.console import say_json
from fridge_assets.cli.context import reading
from fridge_assets.cli.tables import Wide, say_rows
from fridge_assets.cli.unknown import refuse_unknown_names
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.core.moments import parse_moment
from fridge_assets.core.names import unknown

_COUNTS = {"suppressed_because": "reason", "alerts": "alerts", "devices": "devices"}
_WAITING = {
    "incident_id": "incident",
    "severity": "severity",
    "device_id": "device",
    "site_id": "site",
    "first_detected_at": "since",
    "title": "title",
}
_COLUMNS = {
    "alert_id": "alert",
    "incident_id": "incident",
    "severity": "severity",
    "device_id": "device",
    "site_id": "site",
    "window_end": "window",
    "suppressed_because": "reason",
    "why": "why",
}
_SPARE = ("site_id", "incident_id", "severity", "window_end", "suppressed_because")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets incidents audit --because known_benign --since 2026-06-01")(audit)


def audit(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="Only windows that end then or later, ISO 8601.")] = None,
    device: Annotated[str | None, typer.Option(help="Only this device.")] = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    because: Annotated[
        str | None,
        typer.Option(help="repeat, being_worked_on, unconfirmed, silenced, known_benign or part_of_site."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Name at most this many, the newest.")] = 50,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """What was seen and nobody told: how much for which reason, what waits to be told, and the newest held alerts."""
    from fridge_assets.cli.incident_records import listed_record  # noqa: PLC0415
    from fridge_assets.contracts.device_alerts import SUPPRESSION_REASONS  # noqa: PLC0415
    from fridge_assets.incidents.evidence_lists import HeldFilter, held_alerts, held_counts  # noqa: PLC0415
    from fridge_assets.incidents.queries import listed, waiting_ids  # noqa: PLC0415

    place = reading(context)
    if because is not None and because not in SUPPRESSION_REASONS:
        raise unknown("reason", because, SUPPRESSION_REASONS)
    start = None if since is None else parse_moment(since, "--since")
    wanted = HeldFilter(start, device, site, because, limit)
    with place.operations.read() as connection:
        counts, newest = held_counts(connection, wanted), held_alerts(connection, wanted)
        ids = waiting_ids(connection, limit, device, site)
        waiting = [listed_record(one) for one in listed(connection, ids, datetime.now(UTC), place.settings.alerts)]
    if not newest and not waiting:
        refuse_unknown_names(place, device, site)
    if as_json:
        say_json({"counts": counts, "waiting": waiting, "alerts": newest})
        return
    say_rows("Held, by reason", counts, _COUNTS)
    say_rows("Open, and not told yet", _short(waiting), _WAITING, spare=_SPARE, wide=wide)
    say_rows("Newest", _short(newest), _COLUMNS, spare=_SPARE, wide=wide)


def _short(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    names = ("alert_id", "incident_id")
    return [row | {name: str(row[name])[:SHORT_ID] for name in names if name in row} for row in rows]

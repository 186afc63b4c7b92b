"""`alerts health`: whether people can keep up with what they are told (ISA-18.2, EEMUA 191)."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json, styled
from fridge_assets.cli.context import reading
from fridge_assets.cli.tables import Wide, say_rows
from fridge_assets.cli.unknown import refuse_unknown_names
from fridge_assets.core.moments import parse_moment, spoken

_MEASURES = {"name": "measure", "value": "value", "limit": "limit", "holds": "within"}
_WORST = {"device": "device", "notifications": "notifications"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets alerts health --site site-0003")(health)


def health(
    context: typer.Context,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    as_of: Annotated[str, typer.Option(help="Moment to look back from, ISO 8601; now when not given.")] = "",
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """How much people were told: an hour, at most, floods, chattering, standing, beside the limits of ISA-18.2."""
    from fridge_assets.alert_quality.health_advice import measures_of  # noqa: PLC0415
    from fridge_assets.alert_quality.notified import read_alarm_health  # noqa: PLC0415

    place = reading(context)
    now = parse_moment(as_of, "--as-of") if as_of else datetime.now(UTC)
    with place.operations.read() as connection:
        found = read_alarm_health(connection, now, place.settings, site)
    if not found.notifications:
        refuse_unknown_names(place, site=site)
    measures = measures_of(found, place.settings)
    worst = [{"device": device, "notifications": count} for device, count in found.worst]
    if as_json:
        parts = {
            "measures": [asdict(one) for one in measures],
            "reasons": found.reasons,
            "worst": worst,
            "floods": [asdict(one) for one in found.floods],
            "chattering": dict(found.chattering),
            "standing": [asdict(one) for one in found.standing],
        }
        say_json({"since": found.since, "until": found.until, "notifications": len(found.notifications), **parts})
        return
    where = "" if site is None else f" of {site}"
    title = f"{len(found.notifications):,} notifications{where} in the {spoken(found.until - found.since)} before"
    rows = [{**asdict(one), "holds": "yes" if one.within else "no"} for one in measures]
    say_rows(f"{title} {moment(now)}, {found.operators} to read them", rows, _MEASURES, wide=wide)
    if worst:
        say_rows("Devices with the most", worst, _WORST, wide=wide)
    for one in measures:
        if one.advice:
            say(styled("advice", "yellow"), f" {one.name}: {one.advice}")

"""`status` and `doctor`: how things stand, and what to fix."""

from typing import Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json, say_table
from fridge_assets.cli.context import Workplace

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]

_SIGNS = {"ok": "[green]✓[/green]", "note": "[yellow]![/yellow]", "broken": "[red]✗[/red]"}

_TIERS = {
    "fresh": "scores are [green]fresh[/green]: alerts come from the models",
    "stale": "scores are [yellow]delayed[/yellow]: over an hour old, alerts still come from the models",
    "very_stale": "scores are [red]very stale[/red]: over two hours old, alerts come from the rules",
    "expired": "scores are [red]expired[/red] and blanked: over four hours old, alerts come from the rules",
}
_UNSCORED = "no model has scored yet; until one does, alerts come from the rules"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: fridge-assets status --json")(status)
    app.command(epilog="Example: fridge-assets doctor")(doctor)


def status(
    context: typer.Context,
    as_of: Annotated[str, typer.Option(help="Judge ages at this moment, ISO 8601; default: now.")] = "",
    as_json: Json = False,
) -> None:
    """Age of the scores, the stream, last runs, coverage, health of the fleet and open alerts."""
    from fridge_assets.fleet.overview import fleet_overview  # noqa: PLC0415

    place: Workplace = context.obj
    overview = fleet_overview(place.warehouse, place.operations, place.landing, as_of, place.settings)
    if as_json:
        say_json(overview.as_dict())
        return
    say(f"[bold]{place.settings.root}[/bold] at {moment(overview.now)}")
    say(f"newest reading {moment(overview.newest_reading)}, newest features {moment(overview.newest_features)}")
    say(_TIERS[overview.tier] if len(overview.scores) else _UNSCORED)
    say(f"stream {overview.stream}")
    for family, why in overview.paused.items():
        say(f"[yellow]{family} is paused[/yellow]: {why}. Next: {place.command(f'resume {family}')}")
    say_table("Scores", overview.scores)
    say_table("Devices by health", overview.health)
    say_table("Open alerts", overview.open_alerts)
    say_table("Landing files", overview.files)


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check the installation, the stores, the models, the freshness and Slack; say what to fix."""
    from fridge_assets.fleet.doctor import examine  # noqa: PLC0415

    place: Workplace = context.obj
    findings = examine(place.warehouse, place.operations, place.landing, place.models, place.settings)
    if as_json:
        say_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{_SIGNS[finding.verdict]} {finding.what}: {finding.detail}")
    if any(finding.verdict == "broken" for finding in findings):
        raise typer.Exit(1)

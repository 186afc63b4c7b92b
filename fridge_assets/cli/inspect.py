"""`status` and `doctor`: how things stand, and what to fix."""

from typing import Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json, styled, told_here
from fridge_assets.cli.context import reading
from fridge_assets.cli.tables import Wide, say_table

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]

_SCORES_SPARE = ("left_out", "flagged", "window_end", "scored_at", "devices")
_SIGNS = {
    "ok": styled("✓", "green"),
    "note": styled("!", "yellow"),
    "broken": styled("✗", "red"),
    "mended": styled("+", "green"),
}

_TIERS = {
    "fresh": (styled("fresh", "green"), ": alerts come from the models"),
    "stale": (styled("delayed", "yellow"), ": over an hour old, alerts still come from the models"),
    "very_stale": (styled("very stale", "red"), ": over two hours old, alerts come from the rules"),
    "expired": (styled("expired", "red"), " and blanked: over four hours old; alerts come from the rules"),
}
_NEVER = "nothing has been scored yet"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: fridge-assets status --json")(status)
    app.command(epilog="Example: fridge-assets doctor --fix")(doctor)


def status(
    context: typer.Context,
    as_of: Annotated[str, typer.Option(help="Judge ages at this moment, ISO 8601; default: now.")] = "",
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Age of the scores, the stream, last runs, coverage, health of the fleet and open alerts."""
    from fridge_assets.upkeep.overview import fleet_overview  # noqa: PLC0415

    place = reading(context)
    overview = fleet_overview(place.warehouse, place.operations, place.landing, as_of, place.settings)
    if as_json:
        say_json(overview.as_dict())
        return
    say(styled(str(place.settings.root), "bold"), f" at {moment(overview.now)}")
    say(f"newest reading {moment(overview.newest_reading)}, newest features {moment(overview.newest_features)}")
    if len(overview.scores):
        say("scores are ", *_TIERS[overview.tier])
    else:
        say(styled(_NEVER, "red"), ": a device without an open alert is unknown, not healthy")
    say(f"stream {told_here(overview.stream, overview.now)}")
    for family, why in overview.paused.items():
        say(styled(f"{family} is paused", "yellow"), f": {why}. Next: {place.command(f'resume {family}')}")
    for family, why in overview.provisional.items():
        said = f": {why}; its alerts are MEDIUM at most. With more history: {place.command(f'train {family}')}"
        say(styled(f"{family} is provisional", "yellow"), said)
    say_table("Scores", overview.scores, spare=_SCORES_SPARE, wide=wide)
    say_table("Devices by health", overview.health)
    say_table("Open alerts", overview.open_alerts)
    say_table("Landing files", overview.files)


def doctor(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended; nothing else is changed.")] = False,
    as_json: Json = False,
) -> None:
    """Check the installation, the stores, the files, the models, the runs and what is sent; say what to fix.

    Without --fix nothing is changed. Exit code 1 when something is broken and was not mended.
    """
    from fridge_assets.running.doctor import checks  # noqa: PLC0415
    from fridge_assets.upkeep.doctor.check import examine  # noqa: PLC0415

    place = reading(context)
    is_broken = False
    findings = []
    for finding in examine(checks(place.settings), fix=fix, place=place.settings.root):
        is_broken |= finding.verdict == "broken"
        findings.append(vars(finding))
        if not as_json:
            remedy = f"; {place.command('doctor --fix')} {finding.remedy}" if finding.remedy else ""
            say(_SIGNS[finding.verdict], f" {finding.what}: {finding.detail}{remedy}")
    if as_json:
        say_json(findings)
    if is_broken:
        raise typer.Exit(1)

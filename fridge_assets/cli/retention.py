"""`retention`: what is too old, and removing it now."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from fridge_assets.cli.console import complain, say, say_json, styled, working
from fridge_assets.cli.context import changing, reading
from fridge_assets.cli.tables import say_table
from fridge_assets.core.moments import parse_moment

_COLUMNS = {"subject": "what", "kept_for": "kept for", "rows": "rows", "files": "files", "mib": "MiB"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets retention --dry-run")(retention)


def retention(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_of: Annotated[str, typer.Option(help="Count ages from this moment, ISO 8601; default: now.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Remove what is older than its policy allows; the automation does it every night."""
    from fridge_assets.automation.retention import DagsterRuns, report_frame  # noqa: PLC0415
    from fridge_assets.upkeep.retention.sweep import problems, sweep  # noqa: PLC0415

    place = reading(context) if dry_run else changing(context)
    wall_time = datetime.now(UTC)
    now = parse_moment(as_of, "--as-of") if as_of else wall_time
    with place.instance() as instance, working("sweeping", as_json):
        report = sweep(
            place.settings,
            place.warehouse,
            place.operations,
            place.models,
            DagsterRuns(instance),
            now,
            wall_time=wall_time,
            dry=dry_run,
        )
    if as_json:
        say_json([asdict(swept) for swept in report])
    else:
        say_table("Would be removed" if dry_run else "Removed", report_frame(report), _COLUMNS)
        say("Why each is kept: fridge_assets/upkeep/retention/policies.py; how long: FRIDGE_RETENTION__… variables.")
    unswept = problems(report)
    for problem in unswept:
        complain(styled("✗", "red"), f" {problem}")
    if unswept:
        raise typer.Exit(1)

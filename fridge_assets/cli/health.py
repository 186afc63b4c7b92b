"""`health`: whether the automation and the stream are alive, for people, for timers and for other monitoring."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json, styled, told_here
from fridge_assets.cli.context import Workplace, changing, reading
from fridge_assets.core.errors import FridgeError
from fridge_assets.replay.folder import refuse_replay

if TYPE_CHECKING:
    from rich.text import Text

    from fridge_assets.upkeep.health import Health

_LOOK_AGAIN = 1.0
"""Seconds between two looks while waiting."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets health --wait 60")(health)


def health(
    context: typer.Context,
    tell: Annotated[
        bool, typer.Option("--tell", help="Tell everyone when it has changed; for a timer, since the dead tell nobody.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Wait up to this many seconds until it is green.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Whether the daemon runs, its code loads, its store answers and the stream is not dead; exit code 1 when not."""
    place = changing(context) if tell else reading(context)
    if tell:
        refuse_replay(place.settings.root)
    found = _look(place)
    deadline = time.monotonic() + wait
    while not found.green and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN)
        found = _look(place)
    if tell:
        _tell(place, found)
    if as_json:
        say_json(asdict(found))
    else:
        say(*_verdict(found), f", last pulse {_pulse(found)}")
        for problem in found.problems:
            say(f"  {problem}")
        for note in found.notes:
            say("  ", styled("note", "yellow"), f" {note}")
        if found.stream is not None and found.stream.state != "silent":
            sign = "" if found.stream.state == "alive" else styled("note ", "yellow")
            say("  ", sign, f"stream {told_here(found.stream.line, found.looked_at)}")
    if not found.green:
        raise typer.Exit(1)


def _look(place: Workplace) -> "Health":
    from fridge_assets.upkeep.health import AUTOMATION, Health  # noqa: PLC0415
    from fridge_assets.upkeep.health import health as look  # noqa: PLC0415

    now = datetime.now(UTC)
    try:
        operations = place.operations
    except FridgeError as error:  # it may come while somebody waits for it
        return Health(False, (str(error),), (), None, now, (AUTOMATION,), None)
    return look(operations, now, place.settings)


def _tell(place: Workplace, found: "Health") -> None:
    from fridge_assets.upkeep.health import tell  # noqa: PLC0415

    tell(place.operations, found)
    if not found.green:
        from fridge_assets.notifications.deliver import deliver_due  # noqa: PLC0415
        from fridge_assets.notifications.senders import senders_of  # noqa: PLC0415
        from fridge_assets.registry.zones import zone_of_sites  # noqa: PLC0415

        # The sensor that delivers is as dead as the rest.
        chosen = place.settings.notifications
        zone_of = partial(zone_of_sites, place.settings)
        deliver_due(place.operations, senders_of(chosen), chosen, lambda: datetime.now(UTC), zone_of)


def _verdict(found: "Health") -> tuple["Text", str]:
    if found.green:
        return styled("✓", "green"), " alive"
    return styled("✗", "red"), " dead" if "automation" in found.dead else " the stream is dead, the automation alive"


def _pulse(found: "Health") -> str:
    if found.last_beat is None:
        return "never"
    return f"{moment(found.last_beat)}, {(found.looked_at - found.last_beat).total_seconds():.0f} s ago"

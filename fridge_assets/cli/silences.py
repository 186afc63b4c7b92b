"""`silences`: spans in which a device or a site raises nothing, for work or for peace (SPEC 6.1)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json
from fridge_assets.cli.context import changing, reading, user_name
from fridge_assets.cli.tables import Wide, say_rows
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.core.moments import parse_moment, parse_span

if TYPE_CHECKING:
    from fridge_assets.incidents.silences import Silence

app = typer.Typer(no_args_is_help=True, help="Silences and maintenance windows of devices and sites.")

By = Annotated[str | None, typer.Option(help="Who does this; you, when left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]

_COLUMNS = {
    "silence_id": "silence",
    "kind": "kind",
    "scope": "of",
    "starts_at": "from",
    "ends_at": "until",
    "actor": "by",
    "reason": "reason",
    "ended_by": "ended early by",
}
_SPARE = ("ended_by", "kind", "actor", "starts_at")


@app.command(epilog="Example: fridge-assets silences add --device device-000042 --for 2h --reason 'new compressor'")
def add(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; the audit shows it.")],
    for_: Annotated[str, typer.Option("--for", help="How long, such as 90m, 2h or 1d.")],
    device: Annotated[str | None, typer.Option(help="The device.")] = None,
    site: Annotated[str | None, typer.Option(help="In its place: a whole site.")] = None,
    from_: Annotated[str, typer.Option("--from", help="When it begins, ISO 8601; now, when left out.")] = "",
    kind: Annotated[
        str, typer.Option(help="maintenance: models do not learn from it either; silence: only nobody is told.")
    ] = "maintenance",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Let a device or a site raise nothing for a while: its alerts are kept for audit."""
    from fridge_assets.incidents.silences import Silence, add_silence, refuse_unknown  # noqa: PLC0415
    from fridge_assets.registry.devices import read_registry  # noqa: PLC0415

    place = changing(context)
    now = datetime.now(UTC)
    starts_at = parse_moment(from_, "--from") if from_ else now
    actor = user_name() if by is None else by
    made = Silence(kind, device, site, starts_at, starts_at + parse_span(for_, "--for"), actor, reason.strip(), now)
    refuse_unknown(made, read_registry(place.settings.root))
    with place.operations.transaction() as connection:
        add_silence(connection, made, place.settings.alerts)
    _tell(made, as_json)
    if not as_json:
        say(f"Next: {place.command(f'silences end {made.silence_id[:SHORT_ID]}')}")


@app.command("list", epilog="Example: fridge-assets silences list --all")
def list_(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Silences that are in force or to come, the one that ends last first."""
    from fridge_assets.incidents.silences import list_silences  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        found = list_silences(connection, None if all_ else datetime.now(UTC))
    if as_json:
        say_json(found)
        return
    shown = [
        row
        | {
            "silence_id": row["silence_id"][:SHORT_ID],
            "scope": f"site {row['site_id']}" if row["device_id"] is None else f"device {row['device_id']}",
        }
        for row in found
    ]
    say_rows("Silences", shown, _COLUMNS, spare=_SPARE, wide=wide)


@app.command(epilog="Example: fridge-assets silences end 4f1c9a2e")
def end(
    context: typer.Context,
    silence: Annotated[str, typer.Argument(help="Silence id, or its beginning.")],
    by: By = None,
    as_json: Json = False,
) -> None:
    """End a silence now; one that has not begun is taken back."""
    from fridge_assets.incidents.silences import end_silence  # noqa: PLC0415

    place = changing(context)
    with place.operations.transaction() as connection:
        ended = end_silence(connection, silence, user_name() if by is None else by, datetime.now(UTC))
    _tell(ended, as_json)


def _tell(silence: "Silence", as_json: bool) -> None:
    if as_json:
        say_json({"silence_id": silence.silence_id, **vars(silence)})
        return
    if silence.starts_at == silence.ends_at:
        say(f"Taken back: {silence.kind} of {silence.scope} from {moment(silence.starts_at)}")
        return
    ended = f", ended by {silence.ended_by}" if silence.ended_by else ""
    said = f"{silence.kind.capitalize()} of {silence.scope} from {moment(silence.starts_at)} "
    say(f"{said}until {moment(silence.ends_at)}{ended}: {silence.reason}")

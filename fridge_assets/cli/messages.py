"""`messages`: what people were told, what still waits to be told, and sending it now (SPEC 7)."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json, say_plain, say_table
from fridge_assets.cli.context import Workplace
from fridge_assets.errors import FridgeError
from fridge_assets.identity import SHORT_ID
from fridge_assets.notifications.message import Channel, Status

app = typer.Typer(no_args_is_help=True, help="Messages to people.")

_COLUMNS = {
    "message_id": "message",
    "channel": "channel",
    "kind": "kind",
    "status": "status",
    "occurred_at": "happened",
    "attempts": "attempts",
    "title": "title",
}


@app.command("list", epilog="Example: fridge-assets messages list --channel on_call --status pending")
def list_(
    context: typer.Context,
    channel: Annotated[Channel | None, typer.Option(help="Only to this channel.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Messages, newest first."""
    import pandas as pd  # noqa: PLC0415

    from fridge_assets.notifications.outbox import OutboxFilter, list_messages  # noqa: PLC0415

    place: Workplace = context.obj
    with place.operations.read() as connection:
        found = [asdict(m) for m in list_messages(connection, OutboxFilter(channel, status, limit))]
    if as_json:
        say_json(found)
        return
    frame = pd.DataFrame(found, columns=list(_COLUMNS))
    say_table("Messages", frame.assign(message_id=frame["message_id"].astype("str").str[:SHORT_ID]), _COLUMNS)
    if found:
        say(f"Next: {place.command('messages show MESSAGE')}")


@app.command(epilog="Example: fridge-assets messages show 4f1c9a2e")
def show(
    context: typer.Context,
    message: Annotated[str, typer.Argument(help="Message id, or its beginning.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """One message in full, and what became of it."""
    from fridge_assets.notifications.outbox import messages_by_id_prefix  # noqa: PLC0415

    place: Workplace = context.obj
    with place.operations.read() as connection:
        found = messages_by_id_prefix(connection, message)
    if len(found) != 1:
        problem = f"{len(found)} messages begin with {message!r}" if found else f"no message begins with {message!r}"
        raise FridgeError(problem, "See `fridge-assets messages list` and give more of the id.")
    stored = found[0]
    if as_json:
        say_json(asdict(stored))
        return
    for line in (stored.title, *stored.lines):
        say_plain(line)
    say_plain(f"\nmessage {stored.message_id} to {stored.channel}: {stored.kind.replace('_', ' ')}, key {stored.key}")
    say_plain(f"happened {moment(stored.occurred_at)}, stored {moment(stored.created_at)}")
    say_plain(f"{stored.status}{_outcome(stored.sent_at, stored.sent_to, stored.summarised_by)}")
    failed = f", the newest failed: {stored.last_error}" if stored.last_error else ""
    say_plain(f"attempts {stored.attempts}{failed}")
    if stored.run_id:
        say_plain(f"run {stored.run_id}")


@app.command(epilog="Example: fridge-assets messages deliver")
def deliver(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Send the messages that are due now; the daemon does this by itself."""
    from fridge_assets.notifications.deliver import deliver_due  # noqa: PLC0415
    from fridge_assets.notifications.outbox import OutboxFilter, list_messages  # noqa: PLC0415
    from fridge_assets.notifications.senders import sender_of  # noqa: PLC0415

    place: Workplace = context.obj
    settings = place.settings.notifications
    report = deliver_due(place.operations, sender_of(settings), settings, lambda: datetime.now(UTC))
    if as_json:
        say_json(asdict(report))
    else:
        say(f"{report.sent} sent, {report.failed} failed, {report.summarised} summarised, {report.waiting} waiting.")
        if report.waiting:
            say(f"Next: {place.command('messages list --status pending')}")
    if report.failed:
        with place.operations.read() as connection:
            pending = list_messages(connection, OutboxFilter(status="pending"))
        reasons = sorted({m.last_error for m in pending if m.last_error})
        raise FridgeError(
            f"{report.failed} could not be sent ({'; '.join(reasons)})",
            "They stay in the outbox and are tried again; `fridge-assets doctor` checks the token.",
        )


def _outcome(sent_at: datetime | None, sent_to: str, summarised_by: str) -> str:
    if summarised_by:
        return f" by message {summarised_by}"
    return f" {moment(sent_at)} to {sent_to}" if sent_at else ""

"""`messages`: what people were told, what still waits to be told, and sending it now (SPEC 7)."""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json, told_here
from fridge_assets.cli.context import changing, reading
from fridge_assets.cli.tables import Wide, say_table
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.notifications.message import Channel, Status
from fridge_assets.replay.folder import refuse_replay

if TYPE_CHECKING:
    from fridge_assets.notifications.outbox import Delivery

app = typer.Typer(no_args_is_help=True, help="Messages to people.")

_COLUMNS = {
    "message_id": "message",
    "channel": "channel",
    "kind": "kind",
    "status": "status",
    "occurred_at": "happened",
    "deliveries": "where",
    "title": "title",
}
_SPARE = ("deliveries", "kind", "status", "occurred_at")


@app.command("list", epilog="Example: fridge-assets messages list --channel on_call --status pending")
def list_(
    context: typer.Context,
    channel: Annotated[Channel | None, typer.Option(help="Only to this channel.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only with this status.")] = None,
    summarised_by: Annotated[
        str | None,
        typer.Option(metavar="MESSAGE", help="Only those that this summary stands for; id or its beginning."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Messages, newest first."""
    import pandas as pd  # noqa: PLC0415

    from fridge_assets.notifications.outbox import OutboxFilter, find_message, list_messages  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        summary = find_message(connection, summarised_by).message_id if summarised_by else None
        found = list_messages(connection, OutboxFilter(channel, status, summary, limit))
    if as_json:
        say_json([asdict(message) for message in found])
        return
    rows = [asdict(m) | {"deliveries": ", ".join(f"{d.destination} {d.status}" for d in m.deliveries)} for m in found]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    shown = frame.assign(message_id=frame["message_id"].astype("str").str[:SHORT_ID])
    say_table("Messages", shown, _COLUMNS, spare=_SPARE, wide=wide)
    if found:
        say(f"Next: {place.command('messages show MESSAGE')}")


@app.command(epilog="Example: fridge-assets messages show 4f1c9a2e")
def show(
    context: typer.Context,
    message: Annotated[str, typer.Argument(help="Message id, or its beginning.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """One message in full, and what became of it."""
    from fridge_assets.notifications.outbox import find_message  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        stored = find_message(connection, message)
    if as_json:
        say_json(asdict(stored))
        return
    for line in (stored.title, *stored.lines, *stored.commands):
        say(told_here(line, stored.occurred_at))
    say(f"\nmessage {stored.message_id} to {stored.channel}: {stored.kind.replace('_', ' ')}, key {stored.key}")
    say(f"happened {moment(stored.occurred_at)}, stored {moment(stored.created_at)}")
    say(f"{stored.status}{f', only to {stored.only_to}' if stored.only_to else ''}")
    for delivery in stored.deliveries:
        say(f"{delivery.destination}: {_outcome(delivery)}")
        if delivery.said not in ("", stored.title):
            say(f"  as: {delivery.said}")
    if stored.run_id:
        say(f"run {stored.run_id}")


@app.command(epilog="Example: fridge-assets messages deliver")
def deliver(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Send the messages that are due now; the daemon does this by itself."""
    from fridge_assets.notifications.deliver import deliver_due  # noqa: PLC0415
    from fridge_assets.notifications.outbox import OutboxFilter, list_messages  # noqa: PLC0415
    from fridge_assets.notifications.senders import senders_of  # noqa: PLC0415
    from fridge_assets.registry.zones import zone_of_sites  # noqa: PLC0415

    place = changing(context)
    refuse_replay(place.settings.root)
    settings, zone_of = place.settings.notifications, partial(zone_of_sites, place.settings)
    report = deliver_due(place.operations, senders_of(settings), settings, lambda: datetime.now(UTC), zone_of)
    if as_json:
        say_json(asdict(report))
    else:
        superseded = f"{report.superseded} no longer true, " if report.superseded else ""
        done = f"{report.sent} sent, {report.failed} failed, {report.summarised} summarised"
        say(f"{done}, {superseded}{report.waiting} waiting.")
        if report.waiting:
            say(f"Next: {place.command('messages list --status pending')}")
    if report.failed:
        with place.operations.read() as connection:
            pending = list_messages(connection, OutboxFilter(status="pending"))
        reasons = sorted({m.last_error for m in pending if m.last_error})
        raise FridgeError(
            f"{report.failed} could not be sent ({'; '.join(reasons)})",
            "They stay in the outbox and are tried again; `fridge-assets doctor` tries every destination.",
        )


@app.command("test", epilog="Example: fridge-assets messages test --destination mail")
def send_test(
    context: typer.Context,
    channel: Annotated[Channel | None, typer.Option(help="Only to this channel.")] = None,
    destination: Annotated[str | None, typer.Option(help="Only by this destination, such as slack.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Send a message that says it is a test, and report whether it arrived."""
    from fridge_assets.notifications.check import send_tests  # noqa: PLC0415

    place = changing(context)
    results = []
    for result in send_tests(place.settings.notifications, datetime.now(UTC), channel, destination):
        results.append(result)
        if not as_json:
            say(f"{'✓' if result.ok else '✗'} {result.destination}: {result.detail}")
    if as_json:
        say_json([asdict(result) for result in results])
    failed = [result.destination for result in results if not result.ok]
    if failed:
        raise FridgeError(
            f"no test message has arrived at {'; '.join(failed)}", "Do what is said of it above and try again."
        )


def _outcome(delivery: "Delivery") -> str:
    if delivery.status == "sent":
        return f"sent {moment(delivery.ended_at)} ({delivery.sent_to}), attempts {delivery.attempts}"
    if delivery.status == "summarised":
        return f"summarised by message {delivery.summarised_by}"
    if delivery.status == "superseded":
        return f"superseded {moment(delivery.ended_at)}; {told_here(delivery.reason, datetime.now(UTC))}"
    return f"waits, attempts {delivery.attempts}" + (
        f"; the newest failed: {delivery.reason}" if delivery.reason else ""
    )

"""`work-orders`: the work that alerts have asked for, and handing it over now (SPEC 6)."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from fridge_assets.cli.console import moment, say, say_json, told_here
from fridge_assets.cli.context import changing, reading
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.tables import Wide, say_table
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.replay.folder import refuse_replay

app = typer.Typer(no_args_is_help=True, help="Work orders.")

_Status = Literal["open", "done", "cancelled"]
_COLUMNS = {
    "work_order_id": "order",
    "priority": "priority",
    "status": "status",
    "device_id": "device",
    "site_id": "site",
    "due_at": "due",
    "scheduled_from": "scheduled",
    "handed_over": "handed over",
    "title": "title",
}
_SPARE = ("scheduled_from", "handed_over", "site_id", "status", "due_at")


@app.command("list", epilog="Example: fridge-assets work-orders list --status open")
def list_(
    context: typer.Context,
    status: Annotated[_Status | None, typer.Option(help="Only with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Work orders: open ones first, the urgent ones first, then by deadline."""
    from fridge_assets.work_orders.store import list_orders  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        orders = list_orders(connection, status, limit)
    if as_json:
        say_json(frame_records(orders))
        return
    taken = orders["delivered_revision"] >= orders["revision"]
    shown = orders.assign(
        work_order_id=orders["work_order_id"].astype("str").str[:SHORT_ID],
        handed_over=taken.map({True: "yes", False: "waiting"}).astype("object"),
    )
    say_table("Work orders", shown, _COLUMNS, spare=_SPARE, wide=wide)
    if len(orders):
        say(f"Next: {place.command('work-orders show ORDER')}")


@app.command(epilog="Example: fridge-assets work-orders show 4f1c9a2e")
def show(
    context: typer.Context,
    order: Annotated[str, typer.Argument(help="Id of the order, or its beginning.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """One work order in full, and whether it was handed over."""
    from fridge_assets.work_orders.store import find_order  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        (row,) = frame_records(find_order(connection, order))
    if as_json:
        say_json(row)
        return
    for line in (row["title"], row["description"]):
        say(told_here(line, row["created_at"]))
    say(f"\norder {row['work_order_id']} on {row['device_id']} at {row['site_id']}")
    say(f"{row['status']}, {row['priority']}: {row['reason']}")
    say(f"asked for by {row['requested_by']} {moment(row['created_at'])}, due {moment(row['due_at'])}")
    if row["scheduled_from"]:
        say(f"scheduled for {moment(row['scheduled_from'])} to {moment(row['scheduled_to'])}")
    say(f"for {place.command('incidents show ' + row['incident_id'][:SHORT_ID])}")
    known_as = f", there called {row['external_reference']}" if row["external_reference"] else ""
    say(f"revision {row['revision']}, {_handed_over(row['delivered_revision'], row['delivered_to'])}{known_as}")
    if row["last_error"]:
        say(f"failed {row['attempts']} times in a row, the newest: {row['last_error']}")


@app.command(epilog="Example: fridge-assets work-orders deliver")
def deliver(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Hand over the work orders that are due now; the daemon does this by itself."""
    from fridge_assets.work_orders.deliver import deliver_orders, waiting  # noqa: PLC0415
    from fridge_assets.work_orders.receivers import receiver_of  # noqa: PLC0415

    place = changing(context)
    refuse_replay(place.settings.root)
    settings = place.settings
    report = deliver_orders(place.operations, receiver_of(settings), settings.work_orders, lambda: datetime.now(UTC))
    if as_json:
        say_json(asdict(report))
    else:
        say(f"{report.delivered} delivered, {report.failed} failed, {report.waiting} waiting.")
    if report.failed:
        reason = waiting(place.operations).reason
        raise FridgeError(
            f"{report.failed} work orders were not taken{f' ({reason})' if reason else ''}",
            "They are tried again; see FRIDGE_WORK_ORDERS__WEBHOOK_URL and `fridge-assets work-orders list`.",
        )


def _handed_over(revision: int, to: str) -> str:
    return f"{revision} was handed over to {to}" if revision else "not handed over yet"

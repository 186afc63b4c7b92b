"""What leaves the data folder: messages and work orders."""

from datetime import UTC, datetime

from fridge_assets.core.moments import spoken
from fridge_assets.notifications.check import check_channels
from fridge_assets.notifications.outbox import counts, oldest_pending
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.upkeep.doctor.check import Check, State, broken, note, ok
from fridge_assets.work_orders.deliver import waiting as waiting_orders
from fridge_assets.work_orders.receivers import receiver_of


def sending_checks(settings: Settings, operations: Operations) -> list[Check]:
    """The ways to people, the messages and the work orders that wait."""
    needs = ("operations store",)
    return [
        Check("channels", lambda: _channels(settings)),
        Check("messages", lambda: _messages(settings, operations), needs),
        Check("work orders", lambda: _work_orders(settings, operations), needs),
    ]


def _channels(settings: Settings) -> State:
    found = check_channels(settings.notifications)
    deaf, doubtful = [way for way in found if way.ok is False], [way for way in found if way.ok is None]
    said = "; ".join(f"{way.destination}: {way.detail}" for way in [*deaf, *doubtful] or found)
    return broken(said) if deaf else note(said) if doubtful else ok(said)


def _messages(settings: Settings, operations: Operations) -> State:
    with operations.read() as connection:
        oldest = oldest_pending(connection)
        waiting = sum(number for (_, status), number in counts(connection).items() if status == "pending")
    now = datetime.now(UTC)
    if oldest is None or now - oldest.created_at <= settings.notifications.long_wait:
        return ok(f"{waiting:,} wait to be sent")
    why = f"; {oldest.channel} says: {oldest.last_error}" if oldest.last_error else ""
    return note(
        f"{waiting:,} wait to be sent, the oldest for {spoken(now - oldest.created_at)}{why}; "
        "see `fridge-assets messages list --status pending`, or send them with `fridge-assets messages deliver`"
    )


def _work_orders(settings: Settings, operations: Operations) -> State:
    receiver_of(settings)
    left = waiting_orders(operations)
    now = datetime.now(UTC)
    if left.since is None or now - left.since <= settings.work_orders.long_wait:
        return ok(f"{left.orders:,} wait to be handed over")
    why = f"; {left.reason}" if left.reason else ""
    return note(
        f"{left.orders:,} wait to be handed over, the oldest for {spoken(now - left.since)}{why}; "
        "see `fridge-assets work-orders list`, or hand them over with `fridge-assets work-orders deliver`"
    )

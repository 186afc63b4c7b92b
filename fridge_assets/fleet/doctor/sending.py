"""What leaves the data folder: messages and work orders."""

from datetime import UTC, datetime

from fridge_assets.fleet.doctor.check import Check, State, note, ok
from fridge_assets.moments import spoken
from fridge_assets.notifications.outbox import counts, oldest_pending
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.work_orders.deliver import waiting as waiting_orders
from fridge_assets.work_orders.receivers import receiver_of


def sending_checks(settings: Settings, operations: Operations) -> list[Check]:
    """Slack, the messages and the work orders that wait."""
    needs = ("operations store",)
    return [
        Check("slack", lambda: _slack(settings)),
        Check("messages", lambda: _messages(settings, operations), needs),
        Check("work orders", lambda: _work_orders(settings, operations), needs),
    ]


def _slack(settings: Settings) -> State:
    if not settings.notifications.token.get_secret_value().strip():
        return ok(
            "no token, so messages go to the log and the outbox (`fridge-assets messages list`); "
            "for Slack set FRIDGE_NOTIFICATIONS__TOKEN"
        )
    # Imported here because it brings Slack's client, which nobody without a token needs.
    from fridge_assets.notifications.slack import SlackSender  # noqa: PLC0415

    return ok(f"the token is that of {SlackSender(settings.notifications).check_token()}")


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

"""Storing messages with what they are about, and asking for them."""

import subprocess
import sys
from contextlib import suppress
from datetime import timedelta

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.notifications.outbox import (
    OutboxFilter,
    counts,
    enqueue,
    find_message,
    list_messages,
    oldest_pending,
)
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.given import NOON, message, store, stored


def keys(operations: Operations, **wanted: object) -> list[str]:
    with operations.read() as connection:
        return [m.key for m in list_messages(connection, OutboxFilter(**wanted))]


def test_a_message_is_stored_only_with_the_transaction_that_it_is_about(operations: Operations) -> None:
    with suppress(ZeroDivisionError), operations.transaction() as connection:
        enqueue(connection, [message("lost")], NOON)
        raise ZeroDivisionError
    store(operations, [message("kept")])
    assert list(stored(operations)) == ["kept"]


def test_the_same_key_is_stored_once_per_channel_and_keeps_its_first_text(operations: Operations) -> None:
    store(operations, [message("a"), message("a")])
    store(operations, [message("a", title="Another title"), message("a", channel="ml")], NOON + timedelta(hours=1))
    with operations.read() as connection:
        found = list_messages(connection, OutboxFilter())
    assert [(m.channel, m.title, m.created_at) for m in found] == [
        ("ml", "Title of a", NOON + timedelta(hours=1)),
        ("on_call", "Title of a", NOON),
    ]


def test_what_was_stored_comes_back_as_it_was(operations: Operations) -> None:
    original = message("a", lines=("one", "two & <three>"), run_id="run-1")
    store(operations, [original])
    assert stored(operations)["a"].message == original


def test_numbers_rise_in_the_order_of_storing(operations: Operations) -> None:
    for given in (["d"], ["c"], ["c", "a"], ["a", "b"]):
        store(operations, [message(key) for key in given])
    numbers = {key: m.number for key, m in stored(operations).items()}
    assert numbers["d"] < numbers["c"] < numbers["a"] < numbers["b"]


def test_nothing_to_say_writes_nothing(operations: Operations) -> None:
    store(operations, [])
    assert keys(operations) == []


def test_lists_are_filtered_by_channel_and_status_and_limited_to_the_newest(operations: Operations) -> None:
    store(operations, [message("a"), message("b", channel="ml"), message("c")])
    assert keys(operations) == ["c", "b", "a"]
    assert keys(operations, channel="on_call") == ["c", "a"]
    assert keys(operations, limit=1) == ["c"]
    assert keys(operations, status="sent") == []


def test_counts_and_the_oldest_waiting_message(operations: Operations) -> None:
    store(operations, [message("late", occurred_at=NOON)], NOON + timedelta(minutes=1))
    with operations.read() as connection:
        assert counts(connection) == {("on_call", "pending"): 1}
        oldest = oldest_pending(connection)
    assert oldest is not None
    assert (oldest.key, oldest.created_at) == ("late", NOON + timedelta(minutes=1))


def test_a_message_is_found_by_the_beginning_of_its_id(operations: Operations) -> None:
    store(operations, [message("a"), message("b")])
    with operations.read() as connection:
        assert find_message(connection, message("b").short_id).key == "b"
        with pytest.raises(FridgeError, match="no message begins with '%%%%'"):
            find_message(connection, "%%%%")


def test_the_room_is_usable_without_loading_dagster() -> None:
    script = (
        "import sys; import fridge_assets.notifications.deliver, fridge_assets.notifications.watch; "
        "from fridge_assets.notifications.senders import senders_of; "
        "from fridge_assets.settings import NotificationSettings; senders_of(NotificationSettings()); "
        "sys.exit(any(name.split('.')[0].startswith(('dagster', 'slack_sdk')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

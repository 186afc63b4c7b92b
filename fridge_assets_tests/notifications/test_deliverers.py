"""Several deliverers at once, and one that is killed between send and record: real processes."""

import multiprocessing
import os
import signal
import time
from datetime import timedelta
from multiprocessing.context import ForkProcess
from multiprocessing.synchronize import Barrier

from fridge_assets.notifications.deliver import deliver_due
from fridge_assets.notifications.message import Channel
from fridge_assets.notifications.senders import senders_of
from fridge_assets.settings import NotificationSettings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.given import (
    ON_CALL,
    WallClock,
    deliver,
    message,
    notification_settings,
    store,
    stored,
    utc,
)
from fridge_assets_tests.notifications.slack_server import SlackServer, late

FORK = multiprocessing.get_context("fork")
PATIENCE = 30.0


def delivering(url: str, settings: NotificationSettings, barrier: Barrier) -> None:
    senders = senders_of(settings)
    barrier.wait(PATIENCE)
    deliver_due(Operations(url), senders, settings, WallClock(), utc)


def started(operations: Operations, settings: NotificationSettings, number: int) -> list[ForkProcess]:
    senders_of(settings)  # what it imports is then there in every process
    barrier = FORK.Barrier(number)
    processes = [FORK.Process(target=delivering, args=(operations.url, settings, barrier)) for _ in range(number)]
    for process in processes:
        process.start()
    return processes


def test_deliverers_at_once_send_each_message_once_and_in_order(operations: Operations, slack: SlackServer) -> None:
    slack.always = late(0.005, posts=True)
    channels: list[Channel] = ["on_call", "ml", "everyone"]
    store(operations, [message(f"{n}", channel) for n in range(10) for channel in channels])
    settings = notification_settings(slack)
    for process in started(operations, settings, 4):
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert deliver(operations, senders_of(settings), settings, WallClock()).waiting == 0
    for channel in channels:
        name = getattr(settings.channels, channel)
        assert [(post.key, post.resend) for post in slack.posted(name)] == [(f"{n}", False) for n in range(10)]


def test_a_deliverer_killed_after_the_post_leads_to_one_marked_resend_when_its_lease_is_over(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    store(operations, [message("a"), message("b")])
    slack.then(late(PATIENCE, posts=True))
    settings = notification_settings(slack, timeout=timedelta(seconds=PATIENCE))
    (process,) = started(operations, settings, 1)
    deadline = time.monotonic() + PATIENCE
    while not slack.posts and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL

    assert deliver(operations, senders_of(settings), settings, clock).sent == 0, "the lease of the dead still holds"
    clock.advance(settings.lease + 2 * settings.timeout)
    assert deliver(operations, senders_of(settings), settings, clock).sent == 2
    expected = [("a", False), ("a", True), ("b", False)]
    assert [(post.key, post.resend) for post in slack.posted(ON_CALL)] == expected
    assert {m.status for m in stored(operations).values()} == {"sent"}

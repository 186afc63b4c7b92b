"""When nobody knows whether Slack posted: a resend that says so; and a day with every kind of trouble."""

import logging
import random
import time
from datetime import timedelta

import pytest
from pydantic import SecretStr

from fridge_assets.core.errors import FridgeError
from fridge_assets.notifications.deliver import DeliveryReport
from fridge_assets.notifications.message import Channel
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.notifications.senders import senders_of
from fridge_assets.settings import NotificationSettings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.given import (
    ML,
    NOON,
    ON_CALL,
    WallClock,
    at,
    deliver,
    delivered,
    keys,
    message,
    notification_settings,
    store,
    stored,
)
from fridge_assets_tests.notifications.slack_server import (
    BROKEN_AFTER,
    BROKEN_BEFORE,
    HUNG_UP_AFTER,
    OK,
    TOKEN,
    Answer,
    SlackServer,
    late,
    refused,
    too_much,
)

BRIEF = timedelta(seconds=0.2)
"""Timeout where Slack hangs."""


@pytest.mark.parametrize("posts", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        {"status": 500},
        {"status": 503, "body": "<html>busy</html>"},
        {"body": "<html>please log in</html>"},
        {"body": "[1]"},
        {"error": "internal_error"},
        {"hangs_up": True},
        {"delay": 3.0},
    ],
    ids=str,
)
def test_what_may_have_been_posted_is_sent_again_and_says_so(
    operations: Operations, slack: SlackServer, clock: WallClock, how: dict[str, object], posts: bool
) -> None:
    slack.then(Answer(posts=posts, **how))
    store(operations, [message("a"), message("b")])
    assert delivered(operations, slack, clock, timeout=BRIEF).failed == 1
    assert at(operations).maybe_sent is True
    clock.advance(timedelta(seconds=5))
    assert delivered(operations, slack, clock).sent == 2
    expected = [("a", False)] * posts + [("a", True), ("b", False)]
    assert [(post.key, post.resend) for post in slack.posts] == expected


def test_the_mark_stays_when_a_later_attempt_surely_fails(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.then(BROKEN_AFTER, refused("not_in_channel"))
    store(operations, [message()])
    for _ in range(3):
        delivered(operations, slack, clock)
        clock.advance(timedelta(minutes=1))
    assert [post.resend for post in slack.posts] == [False, True]


def test_a_hanging_channel_does_not_keep_the_others_waiting(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.then(*[late(5, posts=False)] * 9, channel=ON_CALL)
    store(operations, [message(f"{n}", channel) for channel in ("on_call", "ml") for n in range(4)])
    report = delivered(operations, slack, clock, timeout=BRIEF)
    assert report == DeliveryReport(sent=4, failed=1, waiting=4)
    assert keys(slack, ML) == ["0", "1", "2", "3"]


def test_when_all_of_slack_hangs_the_budget_ends_a_delivery_and_the_next_begins_with_the_other_channels(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.always = late(5, posts=False)
    channels: list[Channel] = ["everyone", "ml", "on_call"]
    store(operations, [message("a", channel) for channel in channels])
    began = time.monotonic()
    first = delivered(operations, slack, clock, timeout=BRIEF, budget=1.5 * BRIEF)
    assert time.monotonic() - began < 4
    assert first.failed < 3
    second = delivered(operations, slack, clock, timeout=BRIEF)
    assert first.failed + second.failed == slack.requests == 3


def test_the_token_is_nowhere_to_be_seen(
    operations: Operations, slack: SlackServer, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    slack.then(refused("invalid_auth"), BROKEN_BEFORE, HUNG_UP_AFTER, too_much(1))
    store(operations, [message()])
    settings = notification_settings(slack)
    with caplog.at_level(logging.DEBUG):
        for _ in range(5):
            deliver(operations, senders_of(settings), settings, clock)
            clock.advance(timedelta(minutes=5))
            assert TOKEN not in str(stored(operations))
    assert len(slack.posts) == 2
    assert TOKEN not in caplog.text + repr(settings)


@pytest.mark.parametrize("token", ["xoxb-1\nxoxb-2", "xoxb-1…"])
def test_a_mangled_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(FridgeError, match="characters that no token has") as refusal:
        senders_of(NotificationSettings(token=SecretStr(token)))
    assert "xoxb-1" not in str(refusal.value)


# --- a day of trouble


@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_of_trouble_loses_nothing_and_repeats_nothing_unmarked(
    operations: Operations, slack: SlackServer, clock: WallClock, seed: int
) -> None:
    chance = random.Random(seed)
    troubles = [BROKEN_BEFORE, BROKEN_AFTER, HUNG_UP_AFTER, too_much(60), refused("not_in_channel"), OK, OK, OK]
    settings = notification_settings(slack, summarise_after=timedelta(days=2))
    senders = senders_of(settings)
    told: dict[Channel, list[str]] = {"on_call": [], "ml": []}
    away = False
    for half_hour in range(48):
        clock.now = NOON + timedelta(minutes=30 * half_hour)
        new = [message(f"{half_hour}", channel, clock.now) for channel in told if chance.random() < 0.7]
        for one in new:
            told[one.channel].append(one.key)
        with operations.transaction() as connection:
            enqueue(connection, new, clock.now)
        if chance.random() < 0.2:
            (slack.open if away else slack.refuse)()
            away = not away
        slack.then(*chance.choices(troubles, k=2))
        deliver(operations, senders, settings, clock)
    if away:
        slack.open()
    for _ in range(100):
        clock.advance(timedelta(minutes=5))
        if deliver(operations, senders, settings, clock).waiting == 0:
            break
    for channel, name in (("on_call", ON_CALL), ("ml", ML)):
        posts = slack.posted(name)
        assert list(dict.fromkeys(post.key for post in posts)) == told[channel]
        seen: set[str] = set()
        for post in posts:
            assert post.resend or post.key not in seen, f"{post.key} came twice without a mark"
            seen.add(post.key)
    assert all(m.status == "sent" for m in stored(operations).values())

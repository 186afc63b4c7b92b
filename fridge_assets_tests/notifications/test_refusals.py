"""What Slack surely did not post: the message waits, the channel keeps its order, people learn what to do."""

from datetime import timedelta
from itertools import pairwise

import pytest

from fridge_assets.notifications.deliver import DeliveryReport
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.given import (
    NOON,
    WallClock,
    at,
    delivered,
    keys,
    message,
    store,
)
from fridge_assets_tests.notifications.slack_server import (
    Answer,
    SlackServer,
    refused,
    too_much,
)


@pytest.mark.parametrize(
    "answer", [too_much(7), refused("channel_not_found"), refused("fancy_new_error"), Answer(posts=False, status=403)]
)
def test_what_surely_was_not_posted_is_tried_again_unmarked(
    operations: Operations, slack: SlackServer, clock: WallClock, answer: Answer
) -> None:
    slack.then(answer)
    store(operations, [message("a"), message("b")])
    assert delivered(operations, slack, clock) == DeliveryReport(failed=1, waiting=2)
    assert at(operations).maybe_sent is False
    clock.advance(timedelta(minutes=5))
    assert delivered(operations, slack, clock).sent == 2
    assert [(post.key, post.resend) for post in slack.posts] == [("a", False), ("b", False)]


def test_refused_connections_are_surely_not_posted(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.refuse()
    store(operations, [message()])
    assert delivered(operations, slack, clock).failed == 1
    assert (at(operations).maybe_sent, "cannot be reached" in at(operations).reason) == (False, True)
    slack.open()
    clock.advance(timedelta(seconds=5))
    assert delivered(operations, slack, clock).sent == 1
    assert not slack.posts[0].resend


def test_slack_is_left_alone_for_as_long_as_it_asks(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.then(too_much(30))
    store(operations, [message()])
    delivered(operations, slack, clock)
    clock.advance(timedelta(seconds=29))
    assert delivered(operations, slack, clock) == DeliveryReport(waiting=1)
    clock.advance(timedelta(seconds=1))
    assert delivered(operations, slack, clock).sent == 1


def test_failures_in_a_row_wait_longer_and_longer_up_to_a_limit(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.always = refused("not_in_channel")
    store(operations, [message()])
    attempts = []
    for second in range(0, 1300, 5):
        clock.now = NOON + timedelta(seconds=second)
        before = slack.requests
        delivered(operations, slack, clock)
        attempts += [second] * (slack.requests - before)
    waits = [later - earlier for earlier, later in pairwise(attempts)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("channel_not_found", "FRIDGE_NOTIFICATIONS__CHANNELS__ON_CALL"),
        ("not_in_channel", "type /invite in #fridge-on-call"),
        ("is_archived", "out of the archive"),
        ("missing_scope", "chat:write"),
        ("token_revoked", "FRIDGE_NOTIFICATIONS__TOKEN"),
    ],
)
def test_the_last_error_says_what_to_do(
    operations: Operations, slack: SlackServer, clock: WallClock, code: str, remedy: str
) -> None:
    slack.then(refused(code))
    store(operations, [message()])
    delivered(operations, slack, clock)
    assert code in at(operations).reason
    assert remedy in at(operations).reason


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_too_long", "metadata_too_large"])
def test_blocks_that_slack_refuses_go_out_as_plain_text_at_once(
    operations: Operations, slack: SlackServer, clock: WallClock, code: str
) -> None:
    slack.then(refused(code))
    store(operations, [message("a"), message("b")])
    assert delivered(operations, slack, clock) == DeliveryReport(sent=2)
    plain, rich = slack.posts
    assert set(plain.body) & {"blocks", "metadata"} == set()
    assert plain.text.startswith("Title of a\nText of a.")
    assert rich.key == "b"


def test_a_message_that_is_refused_even_as_plain_text_waits_and_stays_in_order(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.then(refused("invalid_blocks"), refused("invalid_blocks"))
    store(operations, [message("a"), message("b")])
    assert delivered(operations, slack, clock) == DeliveryReport(failed=1, waiting=2)
    clock.advance(timedelta(seconds=5))
    delivered(operations, slack, clock)
    assert keys(slack) == ["a", "b"]

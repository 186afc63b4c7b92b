"""Delivery when all is well, and when a deliverer is interrupted: the real client over a socket (SPEC 7)."""

import logging
from datetime import timedelta

import pytest

from fridge_assets.notifications.deliver import DeliveryReport
from fridge_assets.notifications.message import Channel
from fridge_assets.notifications.routes import Route, release_leases, schedule, take_lease
from fridge_assets.notifications.senders import LogSender, senders_of
from fridge_assets.notifications.sending import NotSent
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
    only,
    store,
    stored,
)
from fridge_assets_tests.notifications.slack_server import (
    OK,
    SlackServer,
    late,
)


def test_messages_arrive_once_each_in_the_order_of_their_channel(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    channels: list[Channel] = ["on_call", "ml"]
    store(operations, [message(f"{n}", channels[n % 2]) for n in range(8)])
    assert delivered(operations, slack, clock) == DeliveryReport(sent=8)
    assert keys(slack) == ["0", "2", "4", "6"]
    assert keys(slack, ML) == ["1", "3", "5", "7"]
    assert delivered(operations, slack, clock) == DeliveryReport()
    assert slack.requests == 8
    first = at(operations, "0")
    assert (first.status, first.ended_at, first.sent_to) == ("sent", NOON, slack.posted(ON_CALL)[0].ts)
    assert (first.attempts, first.reason, first.said) == (1, "", "Title of 0")


def test_a_channel_gets_at_most_one_message_a_second(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    store(operations, [message(f"{n}") for n in range(4)] + [message("x", "ml")])
    delivered(operations, slack, clock, pause_between=timedelta(seconds=1))
    ended = {key: at(operations, key).ended_at for key in stored(operations)}
    times = {key: moment - NOON for key, moment in ended.items() if moment}
    assert [times[f"{n}"].total_seconds() for n in range(4)] == [0, 1, 2, 3]
    assert times["x"] == timedelta(0)


def test_the_pause_holds_across_calls(operations: Operations, slack: SlackServer, clock: WallClock) -> None:
    second = timedelta(seconds=1)
    store(operations, [message("a")])
    delivered(operations, slack, clock, pause_between=second)
    store(operations, [message("b")])
    delivered(operations, slack, clock, pause_between=second)
    assert at(operations, "b").ended_at == NOON + second


def test_a_delivery_stops_when_its_time_is_used_up_and_the_next_goes_on(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.always = late(0.1, posts=True)
    store(operations, [message(f"{n}") for n in range(10)])
    report = delivered(operations, slack, clock, budget=timedelta(seconds=0.25))
    assert 1 <= report.sent <= 3
    assert report.waiting == 10 - report.sent
    slack.always = OK
    delivered(operations, slack, clock)
    assert keys(slack) == [f"{n}" for n in range(10)]


# --- without a token


def test_without_a_token_messages_go_to_the_log(
    operations: Operations, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    settings = NotificationSettings()
    senders = senders_of(settings)
    assert [type(sender) for sender in senders.values()] == [LogSender]
    store(operations, [message(title="Leak at site 3", lines=("Low side falls.",))])
    with caplog.at_level(logging.WARNING):
        assert deliver(operations, senders, settings, clock).sent == 1
    assert "[on_call] Leak at site 3 / Low side falls." in caplog.text
    assert at(operations, destination="log").sent_to == "log"


# --- a sender that ends the process or loses its lease


class Interrupted(Exception):
    """Stands for whatever ends a deliverer between the mark and the record."""


class Breaks:
    def send(self, *_: object) -> str:
        raise Interrupted


class Meanwhile:
    """Another deliverer takes over while this one is in the middle of a send."""

    def __init__(
        self, operations: Operations, settings: NotificationSettings, clock: WallClock, ends: NotSent | None
    ) -> None:
        self.operations, self.settings, self.clock, self.ends = operations, settings, clock, ends

    def send(self, *_: object) -> str:
        self.clock.advance(timedelta(hours=1))
        deliver(self.operations, senders_of(self.settings), self.settings, self.clock)
        if self.ends:
            raise self.ends
        return "late"


def test_a_deliverer_that_breaks_after_the_mark_leads_to_one_marked_resend(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    store(operations, [message()])
    with pytest.raises(Interrupted):
        deliver(operations, {"slack": Breaks()}, notification_settings(slack), clock)
    assert delivered(operations, slack, clock).sent == 1
    assert [post.resend for post in slack.posts] == [True]


@pytest.mark.parametrize("ends", [None, NotSent("no", certain=True), NotSent("who knows", certain=False)])
def test_a_deliverer_that_outlived_its_lease_undoes_nothing(
    operations: Operations, slack: SlackServer, clock: WallClock, ends: NotSent | None
) -> None:
    settings = notification_settings(slack)
    store(operations, [message()])
    deliver(operations, {"slack": Meanwhile(operations, settings, clock, ends)}, settings, clock)
    assert [post.resend for post in slack.posts] == [True]
    assert (only(operations).status, at(operations).reason) == ("sent", "")
    assert delivered(operations, slack, clock) == DeliveryReport()


def test_a_deliverer_that_looked_before_another_failed_leaves_the_channel_alone(operations: Operations) -> None:
    soon, later = NOON + timedelta(minutes=1), NOON + timedelta(minutes=5)
    with operations.transaction() as connection:
        route = Route("on_call", "slack")
        assert take_lease(connection, route, "first", NOON, soon)
        assert not take_lease(connection, route, "second", NOON, soon)
        assert take_lease(connection, Route("on_call", "mail"), "second", NOON, soon), "another route is free"
        assert schedule(connection, route, "first", 1, later)
        release_leases(connection, "first")
        assert not take_lease(connection, route, "second", soon, later)
        assert take_lease(connection, route, "second", later, later)

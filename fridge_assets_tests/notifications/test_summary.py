"""What is older than a day comes as one message per channel (SPEC 7)."""

from datetime import timedelta

from fridge_assets.notifications.deliver import DeliveryReport
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.given import (
    ML,
    NOON,
    ON_CALL,
    WallClock,
    at,
    delivered,
    message,
    store,
    stored,
)
from fridge_assets_tests.notifications.slack_server import BROKEN_AFTER, BROKEN_BEFORE, OK, SlackServer, refused

HOUR = timedelta(hours=1)


def hourly(operations: Operations, hours: range) -> None:
    for hour in hours:
        kind = "freshness" if hour % 3 == 0 else "anomaly"
        store(operations, [message(f"{hour}", occurred_at=NOON + hour * HOUR, kind=kind)], NOON + hour * HOUR)


def test_after_an_outage_of_30_hours_one_summary_and_then_the_last_day_arrive(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.refuse()
    for hour in range(30):
        hourly(operations, range(hour, hour + 1))
        clock.now = NOON + hour * HOUR
        delivered(operations, slack, clock)
    slack.open()
    clock.now = NOON + 30 * HOUR
    assert delivered(operations, slack, clock).waiting == 0
    summary, *rest = slack.posted(ON_CALL)
    assert [post.key for post in rest] == [f"{hour}" for hour in range(6, 30)]
    assert not any(post.resend for post in slack.posts)
    messages = stored(operations)
    for part in ("4 anomaly, 2 freshness", "First 2026-06-01 12:00 UTC, last 2026-06-01 17:00 UTC", "• Title of 5",
                 f"fridge-assets messages list --summarised-by {messages[summary.key].message.short_id}"):  # fmt: skip
        assert part in summary.text
    assert "Title of 0" not in summary.text, "only the newest are named"
    assert messages[summary.key].status == "sent"
    assert {at(operations, f"{hour}").summarised_by for hour in range(6)} == {messages[summary.key].message_id}
    assert {messages[f"{hour}"].status for hour in range(6)} == {"summarised"}
    assert delivered(operations, slack, clock) == DeliveryReport()


def test_every_channel_has_a_summary_of_its_own(operations: Operations, slack: SlackServer, clock: WallClock) -> None:
    store(operations, [message(f"{n}", channel) for channel in ("on_call", "ml") for n in range(3)])
    clock.advance(25 * HOUR)
    assert delivered(operations, slack, clock) == DeliveryReport(sent=2, summarised=6)
    assert [len(slack.posted(channel)) for channel in (ON_CALL, ML)] == [1, 1]


def test_a_message_that_may_have_been_posted_is_summarised_as_well(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    slack.then(BROKEN_AFTER)
    store(operations, [message("0"), message("1")])
    delivered(operations, slack, clock)
    clock.advance(25 * HOUR)
    assert delivered(operations, slack, clock).summarised == 2
    assert stored(operations)["0"].status == "summarised"


def test_a_summary_that_did_not_arrive_grows_and_stays_one(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    hourly(operations, range(4))
    slack.always = BROKEN_BEFORE
    for hour in (25, 26):
        clock.now = NOON + hour * HOUR
        delivered(operations, slack, clock)
    slack.always = OK
    clock.now = NOON + 30 * HOUR
    assert delivered(operations, slack, clock).waiting == 0
    (summary,) = slack.posts
    assert "3 anomaly" not in summary.text
    assert "2 anomaly, 2 freshness" in summary.text or "2 freshness, 2 anomaly" in summary.text
    assert "it replaces an earlier one with this key" in summary.text


def test_the_next_outage_has_another_summary(operations: Operations, slack: SlackServer, clock: WallClock) -> None:
    for key in ("first", "second"):
        store(operations, [message(key, occurred_at=clock.now)], clock.now)
        slack.always = refused("not_in_channel")
        delivered(operations, slack, clock)
        slack.always = OK
        clock.advance(25 * HOUR)
        delivered(operations, slack, clock)
    assert len({post.key for post in slack.posts}) == 2
    assert [f"Title of {key}" in post.text for key, post in zip(("first", "second"), slack.posts, strict=True)] == [
        True,
        True,
    ]


def test_a_summary_that_waits_for_long_is_not_summarised_itself(
    operations: Operations, slack: SlackServer, clock: WallClock
) -> None:
    store(operations, [message("old")])
    slack.refuse()
    clock.advance(25 * HOUR)
    delivered(operations, slack, clock)
    clock.advance(72 * HOUR)
    slack.open()
    assert delivered(operations, slack, clock) == DeliveryReport(sent=1)
    assert "Title of old" in slack.posts[0].text

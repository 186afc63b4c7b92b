"""A channel with several destinations: each has every message once, in order, whatever becomes of the others."""

import json
import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fridge_assets.notifications.check import check_channels
from fridge_assets.notifications.deliver import DeliveryReport
from fridge_assets.notifications.senders import destinations_of, senders_of
from fridge_assets.settings import NotificationSettings, Settings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.notifications.endpoints import LOOPBACK, PASSWORD, Endpoint, Mailbox, endpoint, mail_server
from fridge_assets_tests.notifications.given import (
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
from fridge_assets_tests.notifications.slack_server import SlackServer, refused

HOUR = timedelta(hours=1)


@pytest.fixture
def hook() -> Iterator[Endpoint]:
    with endpoint() as hook:
        yield hook


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


def webhook(hook: Endpoint, kind: str = "mattermost", **more: object) -> dict[str, object]:
    return {"kind": kind, "url": hook.url} | more


def mail(port: int, **more: object) -> dict[str, object]:
    return {
        "kind": "email", "host": LOOPBACK, "port": port, "security": "none", "user": "fridges", "password": PASSWORD,
        "sender": "fridges@example.com", "recipients": "ann@example.com,bob@example.com",
    } | more  # fmt: skip


def texts(hook: Endpoint) -> list[str]:
    return [str(body["text"]).splitlines()[0] for body in hook.taken]


def test_a_channel_without_any_destination_goes_to_the_log_and_others_do_not(hook: Endpoint) -> None:
    settings = NotificationSettings.model_validate({"destinations": {"chat": webhook(hook, channels="ml,on_call")}})
    assert destinations_of("ml", settings) == ("chat",)
    assert destinations_of("operations", settings) == ("log",)
    assert set(senders_of(settings)) == {"chat", "log"}


def test_what_fails_at_one_destination_is_tried_again_there_and_nowhere_else(
    operations: Operations, slack: SlackServer, hook: Endpoint, clock: WallClock
) -> None:
    chosen = {"chat": webhook(hook)}
    hook.answers.append((503, {}, "busy"))
    store(operations, [message("a"), message("b")])
    assert delivered(operations, slack, clock, destinations=chosen) == DeliveryReport(sent=2, failed=1, waiting=2)
    assert keys(slack) == ["a", "b"], "Slack is not held up"
    assert (only_status(operations, "a"), at(operations, "a").status, at(operations, "a", "chat").status) == (
        "pending", "sent", "pending",
    )  # fmt: skip
    assert "chat answers 503: busy" in stored(operations)["a"].last_error
    clock.advance(timedelta(minutes=1))
    assert delivered(operations, slack, clock, destinations=chosen) == DeliveryReport(sent=2)
    assert keys(slack) == ["a", "b"], "Slack hears nothing twice"
    assert texts(hook) == ["**Title of a**", "**Title of b**"], "in order"
    assert "Sent again" in str(hook.taken[0]["text"])
    assert "Sent again" not in str(hook.taken[1]["text"])
    assert {m.status for m in stored(operations).values()} == {"sent"}


def only_status(operations: Operations, key: str) -> str:
    return stored(operations)[key].status


def test_after_a_day_without_a_destination_it_gets_a_summary_and_the_others_none(
    operations: Operations, slack: SlackServer, hook: Endpoint, clock: WallClock
) -> None:
    chosen = {"chat": webhook(hook)}
    hook.answers.extend([(403, {}, "")] * 500)
    for hour in range(26):
        store(operations, [message(f"{hour}", occurred_at=clock.now)], clock.now)
        delivered(operations, slack, clock, destinations=chosen)
        clock.advance(HOUR)
    hook.answers.clear()
    report = delivered(operations, slack, clock, destinations=chosen)
    assert report.waiting == 0
    assert keys(slack) == [f"{hour}" for hour in range(26)]
    summary, *rest = texts(hook)
    assert summary.startswith("**2 messages from")
    assert rest == [f"**Title of {hour}**" for hour in range(2, 26)]
    messages = stored(operations)
    assert {messages[f"{hour}"].status for hour in range(26)} == {"sent"}
    assert at(operations, "0", "chat").status == "summarised"
    listed = ["messages", "list", "--summarised-by", at(operations, "0", "chat").summarised_by[:8], "--json"]
    found = json.loads(typed_here(operations, *listed))
    assert [m["key"] for m in found] == ["1", "0"]


def typed_here(operations: Operations, *words: str) -> str:
    folder = Path(operations.url.removeprefix("sqlite:///")).parent
    code, said, error = typed(folder, *words)
    assert code == 0, error
    return said


def test_a_destination_that_is_taken_away_holds_nothing_up_and_a_new_one_gets_what_waits(
    operations: Operations, slack: SlackServer, hook: Endpoint, clock: WallClock
) -> None:
    hook.answers.extend([(403, {}, "")] * 2)
    store(operations, [message("a")])
    delivered(operations, slack, clock, destinations={"chat": webhook(hook)})
    assert only(operations).status == "pending"
    assert delivered(operations, slack, clock) == DeliveryReport()
    assert only(operations).status == "sent"
    slack.then(refused("not_in_channel"))
    clock.advance(HOUR)
    store(operations, [message("b", occurred_at=clock.now)], clock.now)
    delivered(operations, slack, clock)
    clock.advance(HOUR)
    hook.answers.clear()
    assert delivered(operations, slack, clock, destinations={"chat": webhook(hook)}).sent == 2
    assert (keys(slack), texts(hook)) == (["a", "b"], ["**Title of b**"])


# --- what a webhook answers


@pytest.mark.parametrize(
    ("status", "certain"), [(400, True), (404, True), (429, True), (301, True), (500, False), (502, False), (0, False)]
)
def test_what_surely_was_not_taken_comes_again_unmarked_and_the_rest_marked(
    operations: Operations, hook: Endpoint, clock: WallClock, status: int, certain: bool
) -> None:
    settings = notification_settings(destinations={"chat": webhook(hook)})
    hook.answers.append((status, {"Location": "http://elsewhere/"} if status == 301 else {}, "no"))
    store(operations, [message("a")])
    assert deliver(operations, senders_of(settings), settings, clock).failed == 1
    assert at(operations, "a", "chat").maybe_sent is not certain
    clock.advance(HOUR)
    assert deliver(operations, senders_of(settings), settings, clock).sent == 1
    assert ("Sent again" in str(hook.taken[0]["text"])) is not certain


def test_a_webhook_is_left_alone_for_as_long_as_it_asks(
    operations: Operations, hook: Endpoint, clock: WallClock
) -> None:
    settings = notification_settings(destinations={"chat": webhook(hook)})
    hook.answers.append((429, {"Retry-After": "90"}, ""))
    store(operations, [message("a")])
    deliver(operations, senders_of(settings), settings, clock)
    clock.advance(timedelta(seconds=89))
    assert deliver(operations, senders_of(settings), settings, clock) == DeliveryReport(waiting=1)
    clock.advance(timedelta(seconds=1))
    assert deliver(operations, senders_of(settings), settings, clock).sent == 1


def test_a_refused_connection_is_surely_not_posted_and_the_address_is_nowhere_to_be_seen(
    operations: Operations, hook: Endpoint, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind((LOOPBACK, 0))
        url = f"http://{LOOPBACK}:{unused.getsockname()[1]}/hook/s3cret"
        down = notification_settings(destinations={"chat": {"kind": "teams", "url": url}})
        up = notification_settings(destinations={"chat": webhook(hook)})
        store(operations, [message("a")])
        with caplog.at_level(logging.DEBUG):
            deliver(operations, senders_of(down), down, clock)
            assert at(operations, "a", "chat").maybe_sent is False
            assert "chat cannot be reached" in at(operations, "a", "chat").reason
            clock.advance(HOUR)
            hook.answers.append((400, {}, f"unknown {hook.url}"))
            deliver(operations, senders_of(up), up, clock)
            clock.advance(HOUR)
            assert deliver(operations, senders_of(up), up, clock).sent == 1
    assert "s3cret" not in caplog.text + str(stored(operations)) + repr(up) + up.model_dump_json()


# --- e-mail


def test_each_message_is_one_mail_to_all_recipients(operations: Operations, mailbox: Mailbox, clock: WallClock) -> None:
    settings = notification_settings(destinations={"mail": mail(mailbox.port)})
    store(operations, [message("a", lines=("Low side falls.",), commands=("fridge-assets alerts show 4f1c",))])
    assert deliver(operations, senders_of(settings), settings, clock).sent == 1
    (sent,) = mailbox.mails
    assert (sent["Subject"], sent["From"], sent["To"]) == (
        "Title of a", "fridges@example.com", "ann@example.com, bob@example.com",
    )  # fmt: skip
    text = sent.get_content().replace("\r\n", "\n")
    assert text.startswith("Title of a\n\nLow side falls.\n\nfridge-assets alerts show 4f1c\n")
    assert mailbox.recipients == [["ann@example.com", "bob@example.com"]]
    assert at(operations, "a", "mail").sent_to == sent["Message-ID"]


def test_a_name_from_a_file_cannot_add_headers_to_a_mail(
    operations: Operations, mailbox: Mailbox, clock: WallClock
) -> None:
    settings = notification_settings(destinations={"mail": mail(mailbox.port)})
    evil = "d1\r\nBcc: eve@example.com\r\n\r\nhello\x1b[2J\u202e"
    store(operations, [message("a", title=evil, lines=(evil,))])
    assert deliver(operations, senders_of(settings), settings, clock).sent == 1
    (sent,) = mailbox.mails
    assert sent["Bcc"] is None
    assert sent["Subject"] == "d1 Bcc: eve@example.com hello [2J"
    assert mailbox.recipients == [["ann@example.com", "bob@example.com"]]
    assert "\x1b" not in sent.get_content()


def test_what_the_mail_server_refuses_is_tried_again_and_says_why_without_the_password(
    operations: Operations, mailbox: Mailbox, clock: WallClock
) -> None:
    store(operations, [message("a")])
    mailbox.answer = "451 try later"
    for port_settings, reason in (
        (mail(mailbox.port, password="hunter2-wrong"), "127.0.0.1 answers 535"),
        (mail(mailbox.port), "127.0.0.1 answers 451 try later"),
        (mail(1), "127.0.0.1 cannot be reached"),
    ):
        settings = notification_settings(destinations={"mail": port_settings})
        assert deliver(operations, senders_of(settings), settings, clock).failed == 1
        assert reason in at(operations, "a", "mail").reason
        assert at(operations, "a", "mail").maybe_sent is False
        assert "hunter2" not in str(stored(operations))
        clock.advance(HOUR)
    mailbox.answer = "250 OK"
    mailbox.refused = {"bob@example.com"}
    settings = notification_settings(destinations={"mail": mail(mailbox.port)})
    assert deliver(operations, senders_of(settings), settings, clock).sent == 1
    assert "refuses bob@example.com: 550 no such mailbox" in at(operations, "a", "mail").sent_to


# --- services that call people


def test_pagerduty_hears_of_one_incident_per_alert_and_of_its_end(
    operations: Operations, hook: Endpoint, clock: WallClock
) -> None:
    duty = {"kind": "pagerduty", "key": "k-hunter2", "url": hook.url, "channels": "on_call"}
    settings = notification_settings(destinations={"duty": duty})
    said = (
        message("alert/1/CRITICAL", dedup_key="alert/1"),
        message("deadline/1", kind="deadline", dedup_key="alert/1"),
        message("health/red", kind="automation", dedup_key="health/automation"),
        message("health/green", kind="recovery", dedup_key="health/automation"),
        message("good news", kind="recovery"),
        message("on its own", kind="model"),
    )
    hook.answers.append((500, {}, ""))
    store(operations, said)
    assert deliver(operations, senders_of(settings), settings, clock).failed == 1
    clock.advance(HOUR)
    assert deliver(operations, senders_of(settings), settings, clock).sent == 6
    assert [(e["event_action"], e["dedup_key"]) for e in hook.taken] == [
        ("trigger", "alert/1"), ("trigger", "alert/1"), ("trigger", "health/automation"),
        ("resolve", "health/automation"), ("trigger", "on its own"),
    ]  # fmt: skip
    first = hook.taken[0]
    assert (first["routing_key"], first["payload"]["severity"]) == ("k-hunter2", "critical")
    assert first["payload"]["summary"] == "Title of alert/1/CRITICAL"
    assert "hunter2" not in str(stored(operations)) + repr(settings) + settings.model_dump_json()


def test_opsgenie_has_an_alias_and_closes_by_it(operations: Operations, hook: Endpoint, clock: WallClock) -> None:
    duty = {"kind": "opsgenie", "key": "k-s3cret", "url": hook.url}
    settings = notification_settings(destinations={"duty": duty})
    store(
        operations,
        [
            message("red", kind="automation", dedup_key="health/x"),
            message("green", kind="recovery", dedup_key="health/x"),
        ],
    )
    assert deliver(operations, senders_of(settings), settings, clock).sent == 2
    opened, closed = hook.taken
    assert (opened["alias"], opened["priority"]) == ("health/x", "P1")
    assert hook.paths[1].endswith("/health%2Fx/close?identifierType=alias")
    assert hook.headers[0]["Authorization"] == "GenieKey k-s3cret"
    assert "Text of green." in closed["note"]


# --- trying them


def test_every_destination_is_tried_or_says_that_only_a_message_can_tell(
    slack: SlackServer, hook: Endpoint, mailbox: Mailbox
) -> None:
    slack.closed = {ON_CALL: "channel_not_found"}
    mailbox.refused = {"bob@example.com"}
    chosen = notification_settings(
        slack,
        destinations={
            "chat": webhook(hook),
            "mail": mail(mailbox.port, recipients="ann@example.com"),
            "open_mail": mail(mailbox.port, recipients="ann@example.com", user="", password=""),
            "bad_mail": mail(mailbox.port),
            "locked": mail(mailbox.port, password="hunter2-wrong"),
            "duty": {"kind": "pagerduty", "key": "k", "url": hook.url},
        },
    )
    found = {c.destination: c for c in check_channels(chosen)}
    assert {name: c.ok for name, c in found.items() if c.ok is not True} == {
        "slack #fridge-on-call": False, "bad_mail": False, "locked": False, "chat": None, "duty": None,
    }  # fmt: skip
    assert found["slack #fridge-ml"].ok is True
    assert "takes mail from fridges@example.com to ann@example.com" in found["mail"].detail
    assert "takes mail from fridges@example.com" in found["open_mail"].detail
    assert "refuses bob@example.com: 550" in found["bad_mail"].detail
    assert "fridge-assets messages test --destination chat" in found["chat"].detail
    assert "hunter2" not in str(found)
    assert (hook.requests, mailbox.mails, slack.posts, slack.scheduled) == (0, [], [], [])


def test_a_test_message_says_that_it_is_one_and_fails_where_it_does_not_arrive(
    operations: Operations, settings: Settings, hook: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRIDGE_NOTIFICATIONS__DESTINATIONS__CHAT__KIND", "mattermost")
    monkeypatch.setenv("FRIDGE_NOTIFICATIONS__DESTINATIONS__CHAT__URL", hook.url)
    monkeypatch.setenv("FRIDGE_NOTIFICATIONS__DESTINATIONS__CHAT__CHANNELS", "ml,on_call")
    hook.answers.append((404, {}, "no such hook"))
    operations.migrate()
    code, said, error = typed(settings.root, "messages", "test", "--destination", "chat")
    assert code == 1
    assert said.splitlines() == ["✗ chat, on_call: chat answers 404: no such hook", "✓ chat, ml: sent (posted)"]
    assert "no test message has arrived at chat, on_call" in error
    assert texts(hook) == ["**Test message for ml: nothing has happened**"]
    code, _, error = typed(settings.root, "messages", "test", "--destination", "duty")
    assert (code, "The destinations are chat, log" in error) == (1, True)

"""Handing work orders over: each revision at least once, whatever fails in between (SPEC 6)."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from fridge_assets.contracts import WORK_ORDERS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import retry_delay
from fridge_assets.settings import Settings, WorkOrderSettings
from fridge_assets.stores.operations import Operations
from fridge_assets.work_orders.deliver import DeliveryReport, deliver_orders
from fridge_assets.work_orders.receivers import FileDrop, Receipt, receiver_of
from fridge_assets.work_orders.store import DELIVERY
from fridge_assets_tests.notifications.given import WallClock
from fridge_assets_tests.work_orders.given import (
    NOON,
    change,
    delivered,
    order_of,
    posting_to,
    store,
    stored,
)
from fridge_assets_tests.work_orders.webhook_server import OK, Answer, WebhookServer, failing

SECOND = timedelta(seconds=1)


# --- files


def test_an_order_is_one_complete_file_that_newer_revisions_replace(
    operations: Operations, settings: Settings, clock: WallClock
) -> None:
    order = order_of("a")
    store(operations, order)
    assert delivered(operations, settings, clock) == DeliveryReport(delivered=1)
    (file,) = settings.work_orders_dir.iterdir()
    written = json.loads(file.read_text(encoding="utf-8"))
    assert list(written) == [name for name in WORK_ORDERS.column_names if name not in DELIVERY]
    moments = {c.name for c in WORK_ORDERS.columns if c.type == "timestamp"} & written.keys()
    assert {name: value for name, value in written.items() if name not in moments} == {
        name: order[name] for name in written if name not in moments
    }
    read = {name: written[name] and datetime.fromisoformat(written[name]) for name in moments}
    assert read == {name: order[name] for name in moments}
    assert stored(operations)["delivered_to"] == str(file)
    assert delivered(operations, settings, clock) == DeliveryReport(), "what is the same again is not due"
    change(operations, "a", status="done", priority="urgent")
    assert delivered(operations, settings, clock) == DeliveryReport(delivered=1)
    newer = json.loads(file.read_text(encoding="utf-8"))
    assert (newer["revision"], newer["status"], newer["priority"]) == (2, "done", "urgent")
    assert list(settings.work_orders_dir.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_is_tried_again(
    operations: Operations, settings: Settings, clock: WallClock
) -> None:
    store(operations, order_of("a"))
    settings.work_orders_dir.write_text("in the way")
    assert delivered(operations, settings, clock) == DeliveryReport(failed=1, waiting=1)
    assert "cannot be written" in stored(operations)["last_error"]
    settings.work_orders_dir.unlink()
    assert delivered(operations, settings, clock) == DeliveryReport(waiting=1), "not before its time"
    clock.advance(settings.work_orders.first_retry)
    assert delivered(operations, settings, clock) == DeliveryReport(delivered=1)
    assert (stored(operations)["attempts"], stored(operations)["last_error"]) == (0, "")


# --- webhook


def test_an_order_is_posted_with_its_key_and_token_and_the_answer_is_kept(
    operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, order_of("a"))
    webhook.then(Answer(201, body='{"id": 4711}'), Answer(200, body='{"reference": "WO-7"}'), Answer(204))
    there = posting_to(settings, webhook.url + "?code=hidden")
    for _ in range(3):
        assert delivered(operations, there, clock) == DeliveryReport(delivered=1)
        change(operations, "a")
    assert webhook.keys == ["a/1", "a/2", "a/3"]
    assert {method for method, _, _ in webhook.requests} == {"POST"}
    headers = webhook.requests[0][2]
    assert (headers["Authorization"], headers["Content-Type"]) == ("Bearer secret-token", "application/json")
    assert webhook.taken["a/2"]["revision"] == 2
    assert stored(operations)["external_reference"] == "WO-7", "an answer without one leaves what was known"
    assert stored(operations)["delivered_to"] == webhook.url, "what may be a secret is not stored"
    assert not settings.work_orders_dir.exists()


@pytest.mark.parametrize(
    "body", ["", "<html>", "[1]", "7", '{"id": null}', '{"id": {}}', '{"id": true}', '{"id": " "}']
)
def test_an_answer_that_names_nothing_is_a_success_all_the_same(
    body: str, operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, order_of("a"))
    webhook.always = Answer(body=body)
    assert delivered(operations, posting_to(settings, webhook.url), clock) == DeliveryReport(delivered=1)
    assert stored(operations)["external_reference"] == ""


def test_urgent_orders_go_first_then_the_oldest(
    operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(
        operations,
        order_of("new", created_at=NOON),
        order_of("old", created_at=NOON - SECOND),
        order_of("urgent", created_at=NOON + SECOND, priority="urgent"),
    )
    assert delivered(operations, posting_to(settings, webhook.url), clock) == DeliveryReport(delivered=3)
    assert webhook.keys == ["urgent/1", "old/1", "new/1"]


@pytest.mark.parametrize("failure", ["status", "hangs", "refuses"])
def test_a_receiver_that_fails_is_left_alone_for_longer_each_time_and_gets_each_revision_once(
    failure: str, operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, order_of("a"))
    there = posting_to(settings, webhook.url, timeout=SECOND / 10, max_retry=35 * SECOND)
    webhook.always = failing(503) if failure == "status" else Answer(takes=False, delay=1)
    if failure == "refuses":
        webhook.refuse()
    for attempts, wait in enumerate((10, 20, 35, 35), start=1):
        assert delivered(operations, there, clock) == DeliveryReport(failed=1, waiting=1)
        row = stored(operations)
        assert (row["attempts"], row["next_attempt_at"] - clock.now) == (attempts, wait * SECOND)
        assert row["last_error"].startswith(webhook.url)
        clock.advance((wait - 1) * SECOND)
        assert delivered(operations, there, clock) == DeliveryReport(waiting=1), "not before its time"
        clock.advance(SECOND)
    webhook.always = OK
    if failure == "refuses":
        webhook.open()
    assert delivered(operations, there, clock) == DeliveryReport(delivered=1)
    assert list(webhook.taken) == ["a/1"]
    row = stored(operations)
    assert (row["attempts"], row["last_error"], row["next_attempt_at"]) == (0, "", None)


def test_an_order_that_was_taken_before_the_answer_was_lost_comes_again_under_the_same_key(
    operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, order_of("a"))
    there = posting_to(settings, webhook.url)
    webhook.then(Answer(500, takes=True))
    assert delivered(operations, there, clock).failed == 1
    clock.advance(there.work_orders.first_retry)
    assert delivered(operations, there, clock).delivered == 1
    assert webhook.keys == ["a/1", "a/1"]
    assert list(webhook.taken) == ["a/1"]


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_an_order_that_is_refused_keeps_no_other_and_is_tried_again_slowly(
    status: int, operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, order_of("a"), order_of("b"))
    there = posting_to(settings, webhook.url)
    webhook.then(Answer(status, takes=False, body="no such\n device"))
    assert delivered(operations, there, clock) == DeliveryReport(delivered=1, failed=1, waiting=1)
    row = stored(operations)
    assert row["next_attempt_at"] == clock.now + there.work_orders.max_retry
    assert row["last_error"] == f"{webhook.url} answers {status}: no such device"
    clock.advance(there.work_orders.max_retry)
    assert delivered(operations, there, clock) == DeliveryReport(delivered=1)
    assert list(webhook.taken) == ["b/1", "a/1"]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_a_receiver_that_cannot_take_anything_now_is_asked_again_soon_and_for_one_order_only(
    status: int, operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, order_of("a"), order_of("b"))
    there = posting_to(settings, webhook.url)
    webhook.always = failing(status)
    assert delivered(operations, there, clock) == DeliveryReport(failed=1, waiting=2)
    assert stored(operations)["next_attempt_at"] == clock.now + there.work_orders.first_retry


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_asks_to_be_left_alone_is_left_alone_with_every_order(
    status: int, operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, order_of("a"), order_of("b"))
    there = posting_to(settings, webhook.url)
    webhook.then(failing(status, Retry_After="120"))
    assert delivered(operations, there, clock) == DeliveryReport(failed=1, waiting=2)
    clock.advance(119 * SECOND)
    assert delivered(operations, there, clock) == DeliveryReport(waiting=2)
    clock.advance(SECOND)
    assert delivered(operations, there, clock) == DeliveryReport(delivered=2)


IN_AN_HOUR = "in an hour"


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (IN_AN_HOUR, 3000, 3600),
        ("9" * 400, 86_400, 86_400),
        ("0", 10, 10),
        ("-5", 10, 10),
        ("soon", 10, 10),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 10, 10),
    ],
    ids=["in an hour", "for ever", "at once", "negative", "no time", "long ago"],
)
def test_what_a_receiver_asks_for_may_be_a_date_and_nonsense_is_ignored(
    header: str,
    least: int,
    most: int,
    operations: Operations,
    settings: Settings,
    clock: WallClock,
    webhook: WebhookServer,
) -> None:
    store(operations, order_of("a"))
    at = datetime.now(UTC) + timedelta(hours=1)  # when it is asked, since other tests take their time
    webhook.always = failing(429, Retry_After=format_datetime(at) if header == IN_AN_HOUR else header)
    delivered(operations, posting_to(settings, webhook.url), clock)
    assert least * SECOND <= stored(operations)["next_attempt_at"] - clock.now <= most * SECOND


def test_a_redirect_is_no_success(
    operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, order_of("a"))
    webhook.then(failing(302, Location="/elsewhere"))
    assert delivered(operations, posting_to(settings, webhook.url), clock) == DeliveryReport(failed=1, waiting=1)
    assert [method for method, _, _ in webhook.requests] == ["POST"]
    assert "redirects" in stored(operations)["last_error"]


def test_retry_waits_never_overflow() -> None:
    settings = WorkOrderSettings()
    assert retry_delay(1, settings) == settings.first_retry
    assert retry_delay(100_000, settings) == settings.max_retry


@pytest.mark.parametrize(
    "url",
    [
        "ftp://there/orders", "file:///etc/passwd", "there/orders", "https://", "http://there:port/", "http://there:0/",
        "http://the re/", "http://thére/", "http://[there/", "https://ann:password@there/orders",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_posted_to_is_refused_by_name(url: str, settings: Settings) -> None:
    with pytest.raises(FridgeError, match=r"WEBHOOK_URL, .*is no address.*Write it like https://") as refused:
        receiver_of(posting_to(settings, url))
    assert "password" not in str(refused.value)


def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(settings: Settings) -> None:
    with pytest.raises(FridgeError, match="WEBHOOK_TOKEN has characters") as refused:
        receiver_of(posting_to(settings, "https://there/", webhook_token="secret\nX: y"))
    assert "secret" not in str(refused.value)


# --- several deliverers, and those that die


class Interrupted(FileDrop):
    """Hands over and is killed before anybody hears of it."""

    def take(self, order: Mapping[str, Any]) -> Receipt:
        super().take(order)
        raise KeyboardInterrupt


def test_an_order_whose_deliverer_was_killed_is_handed_over_again_once_its_lease_is_over(
    operations: Operations, settings: Settings, clock: WallClock
) -> None:
    store(operations, order_of("a"))
    with pytest.raises(KeyboardInterrupt):
        deliver_orders(operations, Interrupted(settings.work_orders_dir), settings.work_orders, clock)
    assert delivered(operations, settings, clock) == DeliveryReport(waiting=1), "perhaps it is still at it"
    clock.advance(3 * settings.work_orders.timeout)
    assert delivered(operations, settings, clock) == DeliveryReport(delivered=1)


def test_deliverers_at_once_hand_each_order_over_once(
    operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    names = [f"order-{n:02}" for n in range(24)]
    store(operations, *(order_of(name) for name in names))
    there = posting_to(settings, webhook.url, timeout=10 * SECOND)
    webhook.always = Answer(delay=0.01)
    reports: list[DeliveryReport] = []

    def work() -> None:
        reports.append(delivered(Operations(settings.operations_database), there, clock))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(webhook.keys) == [f"{name}/1" for name in names]
    assert sum(report.delivered for report in reports) == len(names)
    assert sum(report.delivered > 0 for report in reports) > 1


class Overtaken(FileDrop):
    """While it hands an order over, something happens to that order; once."""

    def __init__(self, settings: Settings, happens: Any) -> None:
        super().__init__(settings.work_orders_dir)
        self._happens = happens

    def take(self, order: Mapping[str, Any]) -> Receipt:
        happens, self._happens = self._happens, lambda: None
        happens()
        return super().take(order)


def test_an_order_that_changes_while_it_is_handed_over_is_due_again(
    operations: Operations, settings: Settings, clock: WallClock
) -> None:
    store(operations, order_of("a"))
    receiver = Overtaken(settings, lambda: change(operations, "a", status="cancelled"))
    assert deliver_orders(operations, receiver, settings.work_orders, clock) == DeliveryReport(delivered=2)
    (file,) = settings.work_orders_dir.iterdir()
    assert json.loads(file.read_text())["status"] == "cancelled"
    assert stored(operations)["delivered_revision"] == 2


def test_an_old_revision_that_arrives_after_a_newer_one_is_followed_by_the_newer_again(
    operations: Operations, settings: Settings, clock: WallClock
) -> None:
    store(operations, order_of("a"))

    def sleeps() -> None:  # so long that another deliverer takes the order over
        change(operations, "a", status="done")
        clock.advance(3 * settings.work_orders.timeout)
        assert delivered(operations, settings, clock) == DeliveryReport(delivered=1)
        assert stored(operations)["delivered_revision"] == 2

    deliver_orders(operations, Overtaken(settings, sleeps), settings.work_orders, clock)
    (file,) = settings.work_orders_dir.iterdir()
    assert json.loads(file.read_text())["status"] == "done"


def test_a_delivery_starts_no_order_after_its_budget(
    operations: Operations, settings: Settings, clock: WallClock, webhook: WebhookServer
) -> None:
    store(operations, *(order_of(f"{n}") for n in range(9)))
    webhook.always = Answer(delay=0.05)
    report = delivered(operations, posting_to(settings, webhook.url, budget=SECOND / 8), clock)
    assert 1 <= report.delivered <= 3
    assert report.waiting == 9 - report.delivered

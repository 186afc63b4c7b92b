"""Where work orders show: commands, `doctor`, the daemon's sensor, the stream and retention (SPEC 6, 9)."""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import sqlalchemy as sa

from fridge_assets.automation.sensors import deliver_work_orders
from fridge_assets.contracts import INCIDENTS
from fridge_assets.settings import Settings, StreamingSettings
from fridge_assets.stores.operations import Operations, incidents, insert_missing, work_orders
from fridge_assets.upkeep.doctor.check import Finding, examine
from fridge_assets.upkeep.doctor.checks import checks
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.notifications.given import WallClock
from fridge_assets_tests.streaming.test_service import streaming, until
from fridge_assets_tests.upkeep.retention.given import Folder, aged, days
from fridge_assets_tests.work_orders.given import delivered, order_of, posting_to, store, stored
from fridge_assets_tests.work_orders.webhook_server import OK, WebhookServer, failing


def said(settings: Settings, *words: str) -> str:
    code, out, error = typed(settings.root, *words)
    assert (code, error) == (0, "")
    return out


# --- commands


def test_the_list_begins_with_the_open_urgent_ones_and_filters(operations: Operations, settings: Settings) -> None:
    operations.migrate()
    assert said(settings, "work-orders", "list") == "Work orders: none\n"
    store(
        operations,
        order_of("cancelled-1", status="cancelled"),
        order_of("normal-1"),
        order_of("urgent-1", priority="urgent", delivered_revision=1),
    )
    listed = json.loads(said(settings, "work-orders", "list", "--json"))
    assert [row["work_order_id"] for row in listed] == ["urgent-1", "normal-1", "cancelled-1"]
    of_status = json.loads(said(settings, "work-orders", "list", "--status", "cancelled", "--json"))
    assert [row["work_order_id"] for row in of_status] == ["cancelled-1"]
    rows = said(settings, "work-orders", "list").splitlines()[2:5]
    assert [("urgent-1" in row, "waiting" in row) for row in rows] == [(True, False), (False, True), (False, True)]


def test_an_order_shows_what_it_is_and_how_its_handing_over_goes(operations: Operations, settings: Settings) -> None:
    failing_since = {"revision": 2, "delivered_revision": 1, "attempts": 3, "last_error": "no [answer]"}
    store(operations, order_of("abcd1", external_reference="WO-7", delivered_to="there", **failing_since))
    shown = said(settings, "work-orders", "show", "abcd")
    assert "High pressure is 45 °C off" in shown
    assert "revision 2, 1 was handed over to there, there called WO-7" in shown
    assert "failed 3 times in a row, the newest: no [answer]" in shown
    assert json.loads(said(settings, "work-orders", "show", "abcd", "--json"))["work_order_id"] == "abcd1"
    store(operations, order_of("abcd2"))
    assert "several orders begin with 'abcd'" in refused(settings.root, "work-orders", "show", "abcd")
    assert "`fridge-assets work-orders list`" in refused(settings.root, "work-orders", "show", "%%%%")


def test_deliver_says_what_was_not_taken_and_why(
    operations: Operations, settings: Settings, webhook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(operations, order_of("a"))
    monkeypatch.setenv("FRIDGE_WORK_ORDERS__WEBHOOK_URL", webhook.url)
    webhook.then(failing(500))
    code, out, error = typed(settings.root, "work-orders", "deliver", "--json")
    assert (code, json.loads(out)) == (1, {"delivered": 0, "failed": 1, "waiting": 1})
    assert "answers 500" in error
    monkeypatch.delenv("FRIDGE_WORK_ORDERS__WEBHOOK_URL")
    store(operations, order_of("b"))
    assert said(settings, "work-orders", "deliver") == "1 delivered, 0 failed, 1 waiting.\n"
    assert (settings.work_orders_dir / "b.json").exists()


# --- doctor


def finding(settings: Settings) -> Finding:
    return next(found for found in examine(checks(settings)) if found.what == "work orders")


def test_doctor_warns_of_orders_that_wait_for_long(
    operations: Operations, settings: Settings, webhook: WebhookServer
) -> None:
    now = datetime.now(UTC)
    store(operations, order_of("young", created_at=now - timedelta(minutes=10), updated_at=now))
    assert finding(settings) == Finding("work orders", "ok", "1 wait to be handed over")
    long_ago = now - timedelta(minutes=20)
    store(operations, order_of("old", created_at=long_ago, updated_at=now))
    webhook.always = failing(500)
    there = posting_to(settings, webhook.url)
    delivered(operations, there, WallClock(now))
    warned = finding(there)
    assert warned.verdict == "note"
    assert "2 wait to be handed over, the oldest for 20 min" in warned.detail
    assert f"{webhook.url} answers 500" in warned.detail
    assert "fridge-assets work-orders deliver" in warned.detail


def test_doctor_says_that_an_address_cannot_be_used(settings: Settings) -> None:
    broken = finding(posting_to(settings, "ftp://there/"))
    assert (broken.verdict, "WEBHOOK_URL" in broken.detail) == ("broken", True)


# --- the daemon and the stream


def test_the_sensor_hands_over_what_is_due(operations: Operations, settings: Settings) -> None:
    store(operations, order_of("a"))
    resources = {"settings": settings, "operations": operations}
    with dg.build_sensor_context(resources=resources) as context:
        skipped = deliver_work_orders(context)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "1 delivered, 0 failed, 0 waiting"
    assert (settings.work_orders_dir / "a.json").exists()


def test_the_stream_hands_over_and_shows_what_fails_until_it_works(
    operations: Operations, settings: Settings, webhook: WebhookServer
) -> None:
    webhook.always = failing(503)
    store(operations, order_of("a"))
    there = posting_to(settings, webhook.url, first_retry=timedelta(milliseconds=100), max_retry=timedelta(seconds=1))
    often = StreamingSettings(port=0, threads=1, poll=timedelta(milliseconds=20))
    with streaming(there.model_copy(update={"streaming": often})) as service:
        until(lambda: "answers 503" in service.problems().get("work orders", ""))
        assert "delivery" not in service.problems()
        webhook.always = OK
        until(lambda: "work orders" not in service.problems())
    assert list(webhook.taken) == ["a/1"]
    assert stored(operations)["delivered_revision"] == 1


# --- retention


def test_an_order_goes_with_its_incident(settings: Settings) -> None:
    folder = Folder(settings)
    closed = INCIDENTS.to_arrow(INCIDENTS.sample(1)).to_pylist()[0] | {"status": "RESOLVED"}
    gone = closed | {"incident_id": "gone", "device_id": "gone", "closed_at": days(401)}
    there = closed | {"incident_id": "there", "device_id": "there", "closed_at": days(399)}
    with folder.operations.transaction() as connection:
        insert_missing(connection, incidents, [gone, there])
    ended = {"status": "done"}
    store(folder.operations, order_of("a", incident_id="gone", **ended), order_of("b", incident_id="there", **ended))
    assert folder.sweep()["incidents"].rows == 1
    with folder.operations.read() as connection:
        assert connection.scalars(sa.select(work_orders.c.work_order_id)).all() == ["b"]


def test_files_of_orders_go_when_their_incidents_do(settings: Settings) -> None:
    folder = Folder(settings)
    kept = settings.retention.alerts / timedelta(days=1)
    old = aged(settings.work_orders_dir / "old.json", days(kept + 1))
    young = aged(settings.work_orders_dir / "young.json", days(kept - 1))
    assert folder.sweep(dry=True)["work_orders"].files == 1
    assert folder.sweep()["work_orders"].files == 1
    assert (old.exists(), young.exists()) == (False, True)

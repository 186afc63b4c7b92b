"""A day on which Slack is in trouble: nothing is lost, repeats say that they are, and nobody waits for it (SPEC 7)."""

import threading
import time
from collections import defaultdict
from datetime import datetime, timedelta

import dagster as dg
import pytest

from fridge_assets.automation.sensors import switch_to_fallback
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.notifications.deliver import deliver_due
from fridge_assets.notifications.outbox import OutboxFilter, list_messages
from fridge_assets.notifications.senders import senders_of
from fridge_assets.running.outcomes import RunOutcome
from fridge_assets.settings import NotificationSettings, Settings
from fridge_assets.staleness.ages import ScoreAge, keep_ages
from fridge_assets.staleness.tiers import tier_of
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.telling.messages import tell_freshness, tell_run, tell_tier
from fridge_assets_tests.incidents.device import CRITICAL, MEDIUM, run_time, seen
from fridge_assets_tests.incidents.given import see
from fridge_assets_tests.notifications.given import (
    NOON,
    WallClock,
    deliver,
    message,
    notification_settings,
    store,
    utc,
)
from fridge_assets_tests.notifications.slack_server import (
    BROKEN_AFTER,
    BROKEN_BEFORE,
    HUNG_UP_AFTER,
    OK,
    SlackServer,
    late,
    too_much,
)
from fridge_assets_tests.telling.graph import ROUTES

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TIMEOUT = timedelta(milliseconds=100)
BAD_HOURS = {2: BROKEN_BEFORE, 5: BROKEN_AFTER, 8: too_much(1200), 11: late(0.25, posts=True), 14: HUNG_UP_AFTER,
             17: late(0.25, posts=False)}  # fmt: skip
REFUSED = (20, 21)
"""Hours in which Slack takes no connection."""
SCORED = (0, 4, 5, 6, 7, 13, 14, 22, 23)
"""Hours in which the models score; in the others their run fails."""
AGES = Settings().staleness
STEP = "isolation_forest_scores"


def live(hour: int, operations: Operations) -> None:
    """What happens in an hour, noted by those who note it in production."""
    now = run_time(hour)
    failures = {} if hour in SCORED else {STEP: f"it broke at {hour}"}
    succeeded = frozenset({STEP, "score_hourly"} if hour in SCORED else ())
    newest = max(h for h in SCORED if h <= hour)
    with operations.transaction() as connection:
        outcome = RunOutcome(f"run-{hour}", "score_hourly", {}, failures, succeeded=succeeded)
        tell_run(connection, outcome, now, ROUTES)
        tier = tier_of(run_time(newest), now, AGES)
        tell_tier(connection, tier, run_time(newest), now, AGES.patience)
        shown = {"fresh": "PASS", "stale": "WARN"}.get(tier, "FAIL")
        tell_freshness(connection, {"model_scores": shown}, now, AGES.patience, ROUTES)
    if hour in SCORED:
        # By itself: the store of incidents is written before the outbox, whoever writes.
        see(operations, now, seen(hour, CRITICAL), seen(hour, MEDIUM, device="d2", families=2))


def test_a_day_of_errors_timeouts_and_refusals_loses_nothing_and_marks_what_it_repeats(
    operations: Operations, slack: SlackServer
) -> None:
    settings = notification_settings(slack, timeout=TIMEOUT)
    senders = senders_of(settings)
    clock = WallClock(run_time(0))
    for hour in range(24):
        if hour in REFUSED:
            slack.refuse()
        elif hour - 1 in REFUSED:
            slack.open()
        slack.always = BAD_HOURS.get(hour, OK)
        live(hour, operations)
        for tenth in range(6):
            clock.now = max(clock.now, run_time(hour) + tenth * 10 * MINUTE)
            deliver(operations, senders, settings, clock)
    with operations.read() as connection:
        messages = list(reversed(list_messages(connection, OutboxFilter(limit=1000))))
    assert {m.status for m in messages} == {"sent"}
    assert len(messages) > 25
    assert {m.kind for m in messages} >= {"anomaly", "run_failure", "freshness", "fallback", "recovery"}

    posts = defaultdict(list)
    for post in slack.posts:
        posts[post.channel, post.key].append(post.resend)
    wanted = {(getattr(settings.channels, m.channel), m.key): m for m in messages}
    assert posts.keys() == wanted.keys(), "each message is there, and no other"
    unmarked = {key: marks.count(False) for key, marks in posts.items()}
    assert set(unmarked.values()) <= {0, 1}, "what is there twice says so"
    assert sum(len(marks) for marks in posts.values()) > len(posts), "Slack was in enough trouble to repeat something"
    for channel in {channel for channel, _ in wanted}:
        first_seen = list(dict.fromkeys(post.key for post in slack.posted(channel)))
        in_order = [m.key for (name, _), m in wanted.items() if name == channel]
        assert first_seen == in_order


def test_the_switch_waits_neither_for_slack_nor_for_the_warehouse(
    operations: Operations,
    slack: SlackServer,
    settings: Settings,
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(operations, NOON - 3 * HOUR)
    monkeypatch.setattr(Clock, "wall_time", staticmethod(lambda: NOON))
    store(operations, [message("a"), message("b", "ml")])
    slack.always = late(20, posts=True)
    hanging = notification_settings(slack, timeout=timedelta(seconds=5))
    delivery = threading.Thread(target=run_delivery, args=(operations, hanging), daemon=True)
    with warehouse.transaction():
        delivery.start()
        wait_for_post(slack)
        began = time.monotonic()
        with dg.build_sensor_context(resources={"operations": operations, "settings": settings}) as context:
            requests = switch_to_fallback.evaluate_tick(context).run_requests
        took = time.monotonic() - began
        assert delivery.is_alive(), "Slack was to hang all the while"
    assert {request.job_name for request in requests or []} == {"fallback", "publish"}
    assert took < 2
    slack.refuse()
    delivery.join(30)


def publish(operations: Operations, scored_at: datetime) -> None:
    with operations.transaction() as connection:
        keep_ages(connection, [ScoreAge(family, scored_at, scored_at) for family in HOURLY_FAMILIES])


def run_delivery(operations: Operations, settings: NotificationSettings) -> None:
    deliver_due(operations, senders_of(settings), settings, WallClock(), utc)


def wait_for_post(slack: SlackServer) -> None:
    deadline = time.monotonic() + 30
    while not slack.posts:
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""When the rules take over, and which runs the age of the scores asks for (SPEC 4)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from fridge_assets.automation.switch import age_of_scores, due_runs, switch_to_fallback
from fridge_assets.clock import Clock
from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import ScoreAge, keep_ages
from fridge_assets.staleness.tiers import tier_of
from fridge_assets.stores.operations import Operations

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCORED = NOON + timedelta(minutes=3)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def publish(operations: Operations, scored_at: datetime = SCORED, window_end: datetime = NOON) -> None:
    """A publication noted these scores of both hourly models."""
    with operations.transaction() as connection:
        keep_ages(connection, [ScoreAge(family, window_end, scored_at) for family in HOURLY_FAMILIES])


def jobs(requests: Iterable[dg.RunRequest]) -> list[str | None]:
    return sorted(str(request.job_name) for request in requests)


class Switch:
    """The sensor, at a wall clock of its own."""

    def __init__(self, operations: Operations, settings: Settings, patch: pytest.MonkeyPatch) -> None:
        self.resources = {"operations": operations, "settings": settings}
        self.patch = patch

    def at(self, now: datetime) -> tuple[list[dg.RunRequest], str]:
        self.patch.setattr(Clock, "wall_time", staticmethod(lambda: now))
        with dg.build_sensor_context(resources=self.resources) as context:
            data = switch_to_fallback.evaluate_tick(context)
        return list(data.run_requests or []), data.skip_message or ""


@pytest.fixture
def switch(operations: Operations, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Switch:
    return Switch(operations, settings, monkeypatch)


def keys(requests: Iterable[dg.RunRequest], job: str) -> list[str | None]:
    return [request.run_key for request in requests if request.job_name == job]


def test_before_the_first_publication_nothing_is_asked_for(switch: Switch) -> None:
    assert switch.at(NOON) == ([], "nothing has been scored yet")


@pytest.mark.parametrize(
    ("age", "wanted"),
    [
        (timedelta(0), []),
        (HOUR - SECOND, []),
        (HOUR, ["publish"]),
        (2 * HOUR - SECOND, ["publish"]),
        (2 * HOUR, ["fallback", "publish"]),
        (400 * HOUR, ["fallback", "publish"]),
    ],
)
def test_what_is_asked_for_at_each_age(
    switch: Switch, operations: Operations, age: timedelta, wanted: list[str]
) -> None:
    publish(operations)
    requests, said = switch.at(SCORED + age)
    assert jobs(requests) == wanted
    assert said == ("" if wanted else "the scores are fresh")


def test_an_old_window_scored_now_is_not_fresh(operations: Operations, settings: Settings) -> None:
    publish(operations, scored_at=NOON + 5 * HOUR)
    assert age_of_scores(operations, NOON + 5 * HOUR, settings) == ("expired", NOON + 45 * MINUTE)


def test_one_fallback_run_for_each_window_that_closes_at_its_lateness(switch: Switch, operations: Operations) -> None:
    publish(operations)
    start = NOON + 4 * HOUR + 2 * MINUTE
    looks = [-SECOND, 0 * SECOND, 7 * MINUTE, 15 * MINUTE - SECOND, 15 * MINUTE, 30 * MINUTE - SECOND]
    found = [keys(switch.at(start + look)[0], "fallback")[0] for look in looks]
    assert len(set(found)) == 3
    assert found[1] == found[2] == found[3]
    assert found[4] == found[5]


def test_status_is_renewed_at_each_mark_and_every_hour(settings: Settings) -> None:
    minutes = range(60, 60 + 5 * 60)
    found = []
    for minute in minutes:
        now = SCORED + minute * MINUTE
        tier = tier_of(SCORED, now, settings.staleness)
        found += keys(due_runs(tier, SCORED, now, settings), "publish")
    changes = [minute for minute, before, now in zip(minutes[1:], found, found[1:], strict=False) if before != now]
    assert changes == [117, 120, 177, 237, 240, 297, 357], "the full hours, and two and four hours of age"


def test_scores_that_age_for_a_second_time_ask_anew(switch: Switch, operations: Operations) -> None:
    publish(operations)
    first = keys(switch.at(SCORED + 3 * HOUR)[0], "fallback")
    publish(operations, SCORED + HOUR / 2, NOON + HOUR / 2)
    assert keys(switch.at(SCORED + 3 * HOUR)[0], "fallback") != first


def test_a_step_of_the_stand_in_that_fails_is_tried_again(switch: Switch, operations: Operations) -> None:
    publish(operations)
    for request in switch.at(SCORED + 3 * HOUR)[0]:
        assert request.tags["dagster/max_retries"] == "2"
        assert request.tags["dagster/retry_on_asset_or_op_failure"] == "true"


def test_when_the_last_model_is_paused_the_fallback_is_asked_for_at_the_next_look(
    switch: Switch, operations: Operations, settings: Settings
) -> None:
    publish(operations)
    now = SCORED + MINUTE
    deployments = Deployments(operations)
    ann = Request("ann", now, "why")
    for number, family in enumerate(HOURLY_FAMILIES):
        deployments.decide(family, lambda state, _: decide.promote(state, "1.0.0", ann, Proof(passed=True, said="")))
        deployments.decide(family, lambda state, _: decide.pause(state, ann))
        expected = (["fallback", "publish"], None) if number else ([], SCORED)
        assert jobs(switch.at(now)[0]) == expected[0]
        assert (age_of_scores(operations, now, settings) or ("", ""))[1] == expected[1]
    deployments.decide(HOURLY_FAMILIES[0], lambda state, _: decide.resume(state, ann))
    assert switch.at(now) == ([], "the scores are fresh")


def test_windows_of_another_length_are_judged_as_they_close(settings: Settings) -> None:
    features = settings.features.model_copy(update={"window": 5 * MINUTE})
    other = settings.model_copy(update={"features": features})
    requests = list(due_runs("expired", None, NOON + 12 * MINUTE + 30 * SECOND, other))
    assert keys(requests, "fallback") == ["fallback/2026-06-01T12:10/None"]

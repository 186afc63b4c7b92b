"""When the rules take over, and which runs the age of the scores asks for (SPEC 4)."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from fridge_assets.automation.sensors import switch_to_fallback, tell_of_freshness
from fridge_assets.automation.switch import (
    FIRST_SCORING_TAG,
    Voices,
    due_runs,
    rules_wait,
    voices,
)
from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import ScoreAge, keep_ages
from fridge_assets.staleness.tiers import tier_of
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations, ingest_ledger
from fridge_assets_tests.notifications.given import stored

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCORED = NOON + timedelta(minutes=3)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DELAYED = HOUR + Settings().staleness.patience
"""Age from which a delay counts: between two hourly runs scores are stale for a minute."""


def publish(operations: Operations, scored_at: datetime = SCORED, window_end: datetime = NOON) -> None:
    """A publication noted these scores of both hourly models."""
    with operations.transaction() as connection:
        keep_ages(connection, [ScoreAge(family, window_end, scored_at) for family in HOURLY_FAMILIES])


def deliver(
    operations: Operations, name: str, status: str = "ingested", newest_reading: datetime | None = None
) -> None:
    """A landing file arrived, and this became of it."""
    entry = {"file_name": name, "size_bytes": 1, "modified_at": NOON, "status": status, "recorded_at": NOON}
    entry["last_timestamp"] = newest_reading
    with operations.transaction() as connection:
        connection.execute(ingest_ledger.insert(), entry)


def jobs(requests: Iterable[dg.RunRequest]) -> list[str | None]:
    return sorted(str(request.job_name) for request in requests)


class Switch:
    """The sensor, at a wall clock of its own."""

    def __init__(self, operations: Operations, settings: Settings, patch: pytest.MonkeyPatch) -> None:
        self.resources = {"operations": operations, "settings": settings}
        self.patch = patch

    def at(self, now: datetime) -> tuple[list[dg.RunRequest], str]:
        self.patch.setattr(Clock, "wall_time", staticmethod(lambda: now))
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(instance=instance, resources=self.resources) as context,
        ):
            data = switch_to_fallback.evaluate_tick(context)
        return list(data.run_requests or []), data.skip_message or ""


@pytest.fixture
def switch(operations: Operations, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Switch:
    return Switch(operations, settings, monkeypatch)


def keys(requests: Iterable[dg.RunRequest], job: str) -> list[str | None]:
    return [request.run_key for request in requests if request.job_name == job]


def released(operations: Operations, family: str) -> None:
    ann = Request("ann", NOON, "why")
    promoted = Proof(passed=True, said="")
    Deployments(operations).decide(family, lambda state, _: decide.promote(state, "1.0.0", ann, promoted))


def pause(operations: Operations, family: str, at: datetime) -> None:
    Deployments(operations).decide(family, lambda state, _: decide.pause(state, Request("ann", at, "why")))


def resume(operations: Operations, family: str, at: datetime) -> None:
    Deployments(operations).decide(family, lambda state, _: decide.resume(state, Request("ann", at, "why")))


def test_without_readings_nothing_is_asked_for(switch: Switch, operations: Operations, settings: Settings) -> None:
    deliver(operations, "torn.csv", "refused")
    assert voices(operations, NOON, settings) is None
    assert switch.at(NOON) == ([], "there are no readings yet")


def test_readings_that_no_model_has_ever_scored_are_judged_by_the_rules(
    switch: Switch, operations: Operations, settings: Settings
) -> None:
    deliver(operations, "a.csv")
    assert voices(operations, NOON, settings) == Voices("expired", None, None)
    assert jobs(switch.at(NOON)[0]) == ["fallback", "publish"]
    publish(operations)
    assert switch.at(SCORED) == ([], "the scores are fresh")


def set_up(operations: Operations, *families: str, newest_reading: datetime | None = NOON) -> None:
    """A fleet with readings and releases of ``families``, and not one score."""
    deliver(operations, "a.csv", newest_reading=newest_reading)
    for family in families:
        released(operations, family)


def test_models_that_were_just_released_score_at_once_and_the_rules_wait_for_them(
    switch: Switch, operations: Operations, settings: Settings
) -> None:
    set_up(operations, *HOURLY_FAMILIES)
    (asked,), _ = switch.at(NOON + MINUTE)
    assert (asked.job_name, asked.tags[FIRST_SCORING_TAG]) == ("score_hourly", "yes")
    assert [again.run_key for again in switch.at(NOON + 2 * MINUTE)[0]] == [asked.run_key], "it is started once"
    publish(operations)
    assert switch.at(SCORED) == ([], "the scores are fresh")


def test_the_rules_speak_when_the_first_scores_do_not_come_in_time(operations: Operations, settings: Settings) -> None:
    set_up(operations, *HOURLY_FAMILIES)
    speaking = voices(operations, NOON, settings)
    assert speaking is not None
    patience = settings.staleness.first_scoring
    for asked, waits in ((None, True), (NOON - patience + SECOND, True), (NOON - patience, False)):
        assert rules_wait(speaking, asked, NOON, settings) == waits
        wanted = ["score_hourly"] if waits else ["fallback", "publish"]
        assert jobs(due_runs(speaking, NOON, settings, asked)) == wanted


@pytest.mark.parametrize(
    ("families", "newest_reading"),
    [(HOURLY_FAMILIES[:1], NOON), ((), NOON), (HOURLY_FAMILIES, NOON - 46 * MINUTE), (HOURLY_FAMILIES, None)],
    ids=["one model is still being trained", "no model", "old readings", "not one reading"],
)
def test_the_rules_wait_for_no_first_scores_that_cannot_be_made(
    switch: Switch, operations: Operations, families: tuple[str, ...], newest_reading: datetime | None
) -> None:
    set_up(operations, *families, newest_reading=newest_reading)
    assert jobs(switch.at(NOON)[0]) == ["fallback", "publish"]


def test_a_model_that_is_paused_is_not_waited_for(switch: Switch, operations: Operations) -> None:
    set_up(operations, *HOURLY_FAMILIES)
    pause(operations, HOURLY_FAMILIES[0], NOON)
    assert jobs(switch.at(NOON)[0]) == ["fallback", "publish", "publish"]


def test_readings_that_wait_in_landing_count_as_young_by_their_files(
    switch: Switch, operations: Operations, settings: Settings
) -> None:
    set_up(operations, *HOURLY_FAMILIES, newest_reading=NOON - 3 * HOUR)
    settings.landing_dir.mkdir(parents=True)
    file = settings.landing_dir / "b.csv"
    file.write_text("")
    os.utime(file, times=(NOON.timestamp(), NOON.timestamp()))
    assert jobs(switch.at(NOON + MINUTE)[0]) == ["score_hourly"]


def test_nobody_is_told_of_the_rules_while_the_first_scores_are_on_their_way(
    operations: Operations, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(operations, *HOURLY_FAMILIES)
    monkeypatch.setattr(Clock, "wall_time", staticmethod(lambda: NOON))
    resources = {"operations": operations, "settings": settings}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, resources=resources) as context,
    ):
        tell_of_freshness.evaluate_tick(context)
        assert {message.kind for message in stored(operations).values()} == {"model"}, "the releases"
        publish(operations)
        tell_of_freshness.evaluate_tick(context)
    assert {message.kind for message in stored(operations).values()} == {"model"}


@pytest.mark.parametrize(
    ("age", "wanted", "said"),
    [
        (timedelta(0), [], "the scores are fresh"),
        (HOUR - SECOND, [], "the scores are fresh"),
        (HOUR, [], "the scores are stale"),
        (DELAYED - SECOND, [], "the scores are stale"),
        (DELAYED, ["publish"], ""),
        (2 * HOUR - SECOND, ["publish"], ""),
        (2 * HOUR, ["fallback", "publish"], ""),
        (400 * HOUR, ["fallback", "publish"], ""),
    ],
)
def test_what_is_asked_for_at_each_age(
    switch: Switch, operations: Operations, age: timedelta, wanted: list[str], said: str
) -> None:
    publish(operations)
    requests, skipped = switch.at(SCORED + age)
    assert (jobs(requests), skipped) == (wanted, said)


def test_one_fallback_run_for_each_window_that_closes_at_its_lateness(switch: Switch, operations: Operations) -> None:
    publish(operations)
    start = NOON + 4 * HOUR + 2 * MINUTE
    looks = [-SECOND, 0 * SECOND, 7 * MINUTE, 15 * MINUTE - SECOND, 15 * MINUTE, 30 * MINUTE - SECOND]
    found = [keys(switch.at(start + look)[0], "fallback")[0] for look in looks]
    assert len(set(found)) == 3
    assert found[1] == found[2] == found[3]
    assert found[4] == found[5]


def test_status_is_renewed_at_each_mark_and_every_hour(settings: Settings) -> None:
    minutes = range(70, 60 + 5 * 60)
    found = []
    for minute in minutes:
        now = SCORED + minute * MINUTE
        speaking = Voices(tier_of(SCORED, now, settings.staleness), SCORED, None)
        found += keys(due_runs(speaking, now, settings), "publish")
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


def test_when_the_last_model_is_paused_the_rules_speak_at_the_next_look_and_until_one_is_resumed(
    switch: Switch, operations: Operations, settings: Settings
) -> None:
    publish(operations)
    first, last = HOURLY_FAMILIES
    for family in HOURLY_FAMILIES:
        released(operations, family)
    pause(operations, first, SCORED + MINUTE)
    assert jobs(switch.at(SCORED + MINUTE)[0]) == ["publish"], "whose word does not count any more"
    assert voices(operations, SCORED + MINUTE, settings) == Voices("fresh", SCORED, SCORED + MINUTE)
    pause(operations, last, SCORED + 2 * MINUTE)
    assert voices(operations, SCORED + 2 * MINUTE, settings) == Voices("expired", None, SCORED + 2 * MINUTE)
    assert set(jobs(switch.at(SCORED + 2 * MINUTE)[0])) == {"fallback", "publish"}
    resume(operations, first, SCORED + 3 * MINUTE)
    assert jobs(switch.at(SCORED + 3 * MINUTE)[0]) == ["publish"]


def test_each_pause_and_each_resumption_is_published_once(switch: Switch, operations: Operations) -> None:
    publish(operations)
    family = HOURLY_FAMILIES[0]
    released(operations, family)
    assert switch.at(SCORED + MINUTE) == ([], "the scores are fresh"), "a release changes nothing that was published"
    found = []
    for minute, decided in enumerate((pause, resume, pause), start=1):
        decided(operations, family, SCORED + minute * MINUTE)
        looks = [switch.at(SCORED + minute * MINUTE + look * SECOND)[0] for look in (0, 10, 50)]
        asked = {key for requests in looks for key in keys(requests, "publish")}
        assert len(asked) == 1, "the daemon starts a run for each key once"
        found += asked
    assert len(set(found)) == 3


def test_windows_of_another_length_are_judged_as_they_close(settings: Settings) -> None:
    features = settings.features.model_copy(update={"window": 5 * MINUTE})
    other = settings.model_copy(update={"features": features})
    requests = list(due_runs(Voices("expired", None, None), NOON + 12 * MINUTE + 30 * SECOND, other))
    assert keys(requests, "fallback") == ["fallback/2026-06-01T12:10/None"]

"""What is said about runs, checks, freshness and age: each change once, to those whom it concerns (SPEC 4, 7)."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from fridge_assets.notifications.outbox import OutboxFilter, StoredMessage, list_messages
from fridge_assets.running.outcomes import JudgedCheck, RunOutcome
from fridge_assets.settings import Settings
from fridge_assets.staleness.tiers import Tier, tier_of
from fridge_assets.stores.operations import Operations
from fridge_assets.telling.messages import tell_freshness, tell_run, tell_tier
from fridge_assets_tests.notifications.given import NOON
from fridge_assets_tests.telling.graph import ROUTES

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PATIENCE = Settings().staleness.patience
FOREST, BASELINE = "isolation_forest_scores", "statistical_baseline_scores"
LATE = {FOREST: "FeaturesStale", BASELINE: "FeaturesStale"}
STEPS = ("ingest", "device_features", FOREST, BASELINE)
"""The steps of a run, each of which needs those before it, but for the last two, which need each other not."""


class Store:
    """Runs that end one an hour, and what is stored to be said about them."""

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self.hour = 0
        self._seen: set[str] = set()

    def run(
        self,
        failures: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
        *checks: JudgedCheck,
        job: str = "score_hourly",
    ) -> list[StoredMessage]:
        """A run that ended, with these failures; what is new in the outbox."""
        self.hour += 1
        failed = dict(failures or {})
        stopped = min((STEPS.index(step) for step in failed if step in STEPS[:2]), default=len(STEPS))
        succeeded = {*STEPS[:stopped], *(() if failed else (job,))} - failed.keys()
        outcome = RunOutcome(f"run-{self.hour}", job, {}, failed, dict(errors or {}), checks, frozenset(succeeded))
        with self.operations.transaction() as connection:
            tell_run(connection, outcome, NOON + self.hour * HOUR, ROUTES)
        return self.new()

    def tier(self, tier: Tier, hours: float | None = 0) -> list[StoredMessage]:
        """Looks at the scores for as long as a delay must last to count; they find them ``hours`` old."""
        self.hour += 1
        now = NOON + self.hour * HOUR
        for at in (now - PATIENCE, now):
            since = None if hours is None else at - hours * HOUR
            with self.operations.transaction() as connection:
                tell_tier(connection, tier, since, at, PATIENCE)
        return self.new()

    def freshness(self, **states: str) -> list[StoredMessage]:
        """Looks at what Dagster says, for as long as a warning must last to count."""
        self.hour += 1
        now = NOON + self.hour * HOUR
        for at in (now - PATIENCE, now):
            with self.operations.transaction() as connection:
                tell_freshness(connection, states, at, PATIENCE, ROUTES)
        return self.new()

    def new(self) -> list[StoredMessage]:
        with self.operations.read() as connection:
            messages = [m for m in list_messages(connection, OutboxFilter()) if m.message_id not in self._seen]
        self._seen.update(m.message_id for m in messages)
        return messages


@pytest.fixture
def store(operations: Operations) -> Store:
    return Store(operations)


def said(messages: list[StoredMessage]) -> set[tuple[str, str, str]]:
    """Channel, kind and title, each once."""
    found = [(m.channel, m.kind, m.title) for m in messages]
    assert len(found) == len(set(found))
    return set(found)


# --- runs


def test_the_same_failure_hour_after_hour_is_told_once_and_so_is_its_end(store: Store) -> None:
    (told,) = store.run({FOREST: "it broke"})
    assert (told.channel, told.kind, told.title) == ("ml", "run_failure", "score_hourly failed")
    assert told.lines[0] == f"{FOREST}: it broke"
    assert told.run_id == "run-1"
    for reason in ("it broke", "it broke at 13:03", "it broke"):
        assert store.run({FOREST: reason}) == []
    (over,) = store.run()
    assert (over.channel, over.kind, over.title) == ("ml", "recovery", "score_hourly succeeds again")
    assert over.lines == (f"{FOREST} had failed since 2026-06-01 13:00 UTC.",)
    assert store.run() == []


def test_the_first_success_of_a_job_is_nothing_to_tell(store: Store) -> None:
    assert store.run() == []


def test_a_second_failure_is_told_without_the_first_one_again(store: Store) -> None:
    store.run({FOREST: "it broke"})
    (told,) = store.run({FOREST: "it broke", BASELINE: "it is NaN"})
    assert told.lines[0] == f"{BASELINE}: it is NaN"
    assert not any(FOREST in line for line in told.lines)
    (part,) = store.run({FOREST: "it broke"})
    assert (part.kind, part.title) == ("recovery", "score_hourly succeeds again in part")
    assert part.lines == (f"{BASELINE} had failed since 2026-06-01 14:00 UTC.",)
    (over,) = store.run()
    assert (over.kind, over.title) == ("recovery", "score_hourly succeeds again")
    assert over.lines == (f"{FOREST} had failed since 2026-06-01 13:00 UTC.",)


def test_late_data_and_its_end_are_told_to_the_data_platform_and_not_to_the_model_people(store: Store) -> None:
    (told,) = store.run(dict.fromkeys(LATE, "the newest features are of 07:00"), LATE)
    assert (told.channel, told.kind) == ("data_platform", "data_quality")
    assert [line.split(":")[0] for line in told.lines[:2]] == [FOREST, BASELINE]
    assert said(store.run()) == {("data_platform", "recovery", "score_hourly succeeds again")}


def test_a_model_that_crashes_once_its_data_are_back_is_news(store: Store) -> None:
    store.run(dict.fromkeys(LATE, "late"), LATE)
    crashed = store.run({FOREST: "its process was killed", BASELINE: "its process was killed"})
    assert said(crashed) == {("ml", "run_failure", "score_hourly failed")}
    assert said(store.run()) == {("ml", "recovery", "score_hourly succeeds again")}


def test_another_error_of_the_same_step_is_news_to_the_same_people(store: Store) -> None:
    store.run({FOREST: "a score is NaN"}, {FOREST: "ContractViolation"})
    (told,) = store.run({FOREST: "its files differ"}, {FOREST: "ArtifactRefused"})
    assert told.lines[0] == f"{FOREST}: its files differ"


def test_a_step_that_keeps_the_models_from_running_does_not_mean_that_they_work_again(store: Store) -> None:
    store.run({FOREST: "it broke"})
    assert said(store.run({"ingest": "the disk is full"})) == {("data_platform", "data_quality", "score_hourly failed")}
    assert said(store.run({FOREST: "it broke"})) == {
        ("data_platform", "recovery", "score_hourly succeeds again in part")
    }, "the disk, and not the model"


def test_a_step_that_recovers_while_another_of_the_same_people_fails_is_not_over_yet(store: Store) -> None:
    store.run({FOREST: "it broke"})
    (told,) = store.run({BASELINE: "it is NaN"})
    assert (told.kind, told.lines[0]) == ("run_failure", f"{BASELINE}: it is NaN")
    assert said(store.run()) == {("ml", "recovery", "score_hourly succeeds again")}


def test_a_run_that_was_ended_from_outside_fails_as_a_whole(store: Store) -> None:
    store.run()
    (told,) = store.run({"publish": "it was cancelled before it was done"}, job="publish")
    assert (told.channel, told.title) == ("operations", "publish failed")
    assert said(store.run(job="publish")) == {("operations", "recovery", "publish succeeds again")}


def test_each_channel_hears_of_its_own_failures_only(store: Store) -> None:
    told = store.run({FOREST: "a", "device_alerts": "b", "device_features": "c"})
    assert {m.channel: m.lines[0] for m in told} == {
        "ml": f"{FOREST}: a",
        "operations": "device_alerts: b",
        "data_platform": "device_features: c",
    }


def test_jobs_fail_and_recover_apart(store: Store) -> None:
    store.run({FOREST: "a"})
    assert store.run(job="score_daily") == []
    assert len(store.run({FOREST: "a"}, job="score_daily")) == 1
    assert said(store.run()) == {("ml", "recovery", "score_hourly succeeds again")}


# --- checks


def test_a_check_that_fails_hour_after_hour_is_told_once_with_its_words_and_so_is_its_recovery(store: Store) -> None:
    failed = JudgedCheck(FOREST, "score_distribution", passed=False, said="KL divergence 3.1, over 0.5")
    passed = JudgedCheck(FOREST, "score_distribution", passed=True, said="")
    assert store.run({}, {}, passed) == []
    (told,) = store.run({}, {}, failed)
    assert (told.channel, told.title) == ("ml", f"Check score_distribution of {FOREST} failed")
    assert told.lines == ("KL divergence 3.1, over 0.5",)
    assert store.run({}, {}, failed) == []
    assert store.run({}, {}, failed) == []
    assert said(store.run({}, {}, passed)) == {("ml", "recovery", f"Check score_distribution of {FOREST} passes again")}
    assert store.run({}, {}, passed) == []
    assert len(store.run({}, {}, failed)) == 1, "it is news again"


def test_a_check_that_something_else_tells_of_is_not_told(store: Store) -> None:
    for passed in (True, False, True, False):
        check = JudgedCheck(FOREST, "score_distribution", passed=passed, said="it is paused", told=False)
        assert store.run({}, {}, check) == []


def test_a_failed_check_of_the_data_goes_to_the_data_platform(store: Store) -> None:
    (told,) = store.run({}, {}, JudgedCheck("clean_sensor_readings", "contract", passed=False, said=""))
    assert (told.channel, told.kind, told.lines) == ("data_platform", "data_quality", ())


# --- freshness


def test_each_change_of_freshness_is_one_message_and_unknown_is_none(store: Store) -> None:
    assert store.freshness(model_scores="UNKNOWN", device_features="PASS") == []
    assert said(store.freshness(model_scores="WARN", device_features="WARN")) == {
        ("ml", "freshness", "model_scores is late"),
        ("data_platform", "freshness", "device_features is late"),
    }
    assert store.freshness(model_scores="WARN", device_features="WARN") == []
    assert said(store.freshness(model_scores="FAIL", device_features="WARN")) == {
        ("ml", "freshness", "model_scores is overdue")
    }
    assert said(store.freshness(model_scores="PASS", device_features="WARN")) == {
        ("ml", "recovery", "model_scores is fresh again")
    }
    assert store.freshness(model_scores="PASS", device_features="WARN") == []


def test_a_warning_that_is_over_within_ten_minutes_is_not_told(operations: Operations) -> None:
    looks = ((0, "PASS"), (60, "WARN"), (69.9, "WARN"), (70, "PASS"), (120, "WARN"), (130, "WARN"), (140, "FAIL"))
    for minute, state in looks:
        with operations.transaction() as connection:
            tell_freshness(connection, {"model_scores": state}, NOON + minute * MINUTE, PATIENCE, ROUTES)
    assert [(m.title, m.occurred_at) for m in reversed(Store(operations).new())] == [
        ("model_scores is late", NOON + 130 * MINUTE),
        ("model_scores is overdue", NOON + 140 * MINUTE),
    ]


# --- age of the scores


def test_scores_that_grow_old_and_recover_are_told_once_at_each_mark(store: Store) -> None:
    assert store.tier("fresh", 0.1) == []
    assert said(store.tier("stale", 1)) == {
        ("data_platform", "freshness", "Scores are delayed"),
        ("ml", "freshness", "Scores are delayed"),
    }
    assert store.tier("stale", 1.5) == []
    (fallback,) = store.tier("very_stale", 2)
    assert (fallback.channel, fallback.kind) == ("everyone", "fallback")
    assert fallback.title == "Alerts come from the rules: no model has scores young enough"
    assert fallback.lines[0] == "The newest scores are 2 h old."
    assert store.tier("very_stale", 3) == []
    assert said(store.tier("expired", 4)) == {
        ("everyone", "freshness", "Scores are blanked: they are too old to be shown")
    }
    assert said(store.tier("fresh", 0)) == {("everyone", "recovery", "Alerts come from the models again")}
    assert store.tier("fresh", 0.5) == []


def test_scores_that_were_only_delayed_are_fresh_again_for_those_who_heard_of_it(store: Store) -> None:
    store.tier("stale", 1)
    assert said(store.tier("fresh")) == {
        ("data_platform", "recovery", "Scores are fresh again"),
        ("ml", "recovery", "Scores are fresh again"),
    }


def test_everyone_hears_that_the_models_speak_again_even_where_their_scores_are_still_delayed(store: Store) -> None:
    store.tier("very_stale", 2)
    assert said(store.tier("stale", 1.5)) == {("everyone", "recovery", "Alerts come from the models again")}
    assert {m.channel for m in store.tier("fresh")} == {"data_platform", "ml"}


def test_a_fleet_without_a_model_that_speaks_is_told_of_as_such(store: Store) -> None:
    (told,) = store.tier("expired", None)
    assert (told.kind, told.title) == ("fallback", "Alerts come from the rules: no model has scores young enough")
    assert told.lines[:2] == ("No model that is not paused has scores.", "They are blanked in the status.")


def test_scores_that_are_no_longer_blanked_and_still_too_old_are_nothing_to_tell(store: Store) -> None:
    store.tier("expired", 5)
    assert store.tier("very_stale", 3) == []
    assert said(store.tier("fresh")) == {("everyone", "recovery", "Alerts come from the models again")}


def test_the_minute_between_two_hourly_runs_is_not_told(operations: Operations) -> None:
    for minute in range(0, 190):
        since = NOON + (minute - 1) // 61 * 61 * MINUTE  # scores are made every 61 minutes
        now = NOON + minute * MINUTE
        with operations.transaction() as connection:
            tell_tier(connection, tier_of(since, now, Settings().staleness), since, now, PATIENCE)
    assert Store(operations).new() == []

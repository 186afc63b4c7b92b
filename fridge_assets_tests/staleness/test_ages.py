"""The age of the fleet's scores, whatever was scored, scored again, withheld or paused (SPEC 4)."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import (
    ScoreAge,
    is_current,
    keep_ages,
    kept_ages,
    newest_scores,
    serving_since,
    serving_tier,
)
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import SCHEMA
from fridge_assets_tests.staleness.given import MINUTE, NOON, WINDOW

SETTINGS = Settings()
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
LIMIT = SETTINGS.features.max_age
FOREST, BASELINE = HOURLY_FAMILIES
TIERS = ("fresh", "stale", "very_stale", "expired")


class Run(NamedTuple):
    """A scoring: windows before NOON, minutes after its window's end, whether it was published and about everybody."""

    family: str
    windows_ago: int
    delay: int
    published: bool = True
    whole_fleet: bool = True

    @property
    def window_end(self) -> datetime:
        return NOON - self.windows_ago * WINDOW

    @property
    def scored_at(self) -> datetime:
        return self.window_end + self.delay * MINUTE


RUNS = st.builds(
    Run,
    st.sampled_from(list(FAMILIES)),
    st.integers(0, 24),
    st.integers(2, 90),
    st.booleans(),
    st.booleans(),
)


def ages_of(runs: Sequence[Run], now: datetime) -> list[ScoreAge]:
    """What the warehouse says of these runs."""
    connection = _warehouse()
    connection.execute("DELETE FROM score_runs")
    for number, run in enumerate(runs):
        connection.execute(
            "INSERT INTO score_runs BY NAME SELECT $1 AS score_run_id, $2 AS family, '' AS model_id, "
            "'' AS model_version, $3 AS window_end, $4 AS scored_at, 1 AS rows, 0 AS flagged, "
            "1 AS active_devices, '' AS left_out, '' AS run_id, $5 AS published, $6 AS whole_fleet",
            [str(number), run.family, run.window_end, run.scored_at, run.published, run.whole_fleet],
        )
    return newest_scores(connection, now, SETTINGS.features)


@cache
def _warehouse() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": "1"})
    connection.execute("SET TimeZone = 'UTC'")
    for statement in SCHEMA:
        if "score_runs" in statement:
            connection.execute(statement)
    return connection


def tier(runs: Sequence[Run], now: datetime, paused: Collection[str] = ()) -> str:
    return serving_tier(ages_of(runs, now), paused, now, SETTINGS.staleness)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (HOUR - TICK, "fresh"),
        (HOUR, "stale"),
        (2 * HOUR - TICK, "stale"),
        (2 * HOUR, "very_stale"),
        (4 * HOUR - TICK, "very_stale"),
        (4 * HOUR, "expired"),
    ],
)
def test_the_fleet_changes_its_tier_exactly_at_one_two_and_four_hours(age: timedelta, expected: str) -> None:
    run = Run(FOREST, 0, 3)
    assert tier([run], run.scored_at + age) == expected


def test_the_freshest_hourly_model_that_is_not_paused_speaks_for_the_fleet() -> None:
    runs = [Run(FOREST, 0, 3), Run(BASELINE, 8, 3), Run("autoencoder", 0, 5)]
    now = NOON + 4 * MINUTE
    assert tier(runs, now) == "fresh"
    assert tier(runs, now, {FOREST}) == "very_stale"
    assert tier(runs, now, {FOREST, BASELINE}) == "expired", "a daily model does not speak for the hour"
    assert serving_since(ages_of(runs, now), {FOREST, BASELINE}) is None


def test_a_window_that_nobody_has_reached_yet_does_not_count() -> None:
    assert ages_of([Run(FOREST, 0, 3)], NOON - MINUTE) == []


@pytest.mark.parametrize(("late", "expected"), [(3 * MINUTE, True), (LIMIT, True), (LIMIT + TICK, False)])
def test_scores_made_now_are_current_until_their_window_is_45_minutes_old(late: timedelta, expected: bool) -> None:
    assert is_current(NOON, NOON + late, SETTINGS.features) is expected
    run = Run(FOREST, 0, round(late / MINUTE) + (not expected))
    assert bool(ages_of([run], NOON + HOUR)) is expected, "what was too old to be scored does not count"


def test_scores_of_an_old_window_do_not_hide_those_of_the_last_one_that_was_scored_in_time() -> None:
    known = ages_of([Run(FOREST, 4, 3)], NOON + 2 * HOUR)
    late = Run(FOREST, 0, 100)
    assert ages_of([Run(FOREST, 4, 3), late], NOON + 2 * HOUR) == known
    assert ages_of([Run(FOREST, 0, 3), late], NOON + 2 * HOUR)[0].scored_at == NOON + 3 * MINUTE, "nor their own"


@budget(max_examples=40, deadline=None)
@given(st.lists(RUNS, max_size=6), RUNS, st.integers(0, 600))
def test_scoring_an_old_window_never_makes_scores_look_fresher(runs: list[Run], backfill: Run, minutes: int) -> None:
    now = NOON + minutes * MINUTE
    before, after = ages_of(runs, now), ages_of([*runs, backfill], now)
    newest = {age.family: age.window_end for age in before}.get(backfill.family)
    if newest is not None and backfill.window_end < newest:
        assert after == before
    if backfill.delay * MINUTE > LIMIT:
        assert after == before


@budget(max_examples=40, deadline=None)
@given(st.lists(RUNS, max_size=6), st.integers(0, 600))
def test_scores_count_from_when_they_were_made_and_only_if_their_window_was_young_then(
    runs: list[Run], minutes: int
) -> None:
    made = {(run.family, run.window_end, run.scored_at) for run in runs if run.delay * MINUTE <= LIMIT}
    assert {(age.family, age.window_end, age.scored_at) for age in ages_of(runs, NOON + minutes * MINUTE)} <= made


@budget(max_examples=40, deadline=None)
@given(st.lists(RUNS, max_size=6), st.sets(st.sampled_from(list(FAMILIES))), st.integers(0, 600))
def test_what_paused_families_did_makes_no_difference(runs: list[Run], paused: set[str], minutes: int) -> None:
    now = NOON + minutes * MINUTE
    others = [run for run in runs if run.family not in paused]
    assert tier(runs, now, paused) == tier(others, now)
    assert TIERS.index(tier(runs, now, paused)) >= TIERS.index(tier(runs, now)), "a pause freshens nothing"


@budget(max_examples=40, deadline=None)
@given(st.lists(RUNS, max_size=6), RUNS, st.integers(0, 600))
def test_what_was_withheld_unpublished_or_about_some_devices_makes_no_difference(
    runs: list[Run], other: Run, minutes: int
) -> None:
    now = NOON + minutes * MINUTE
    for silent in (other._replace(published=False), other._replace(whole_fleet=False)):
        assert ages_of([*runs, silent], now) == ages_of(runs, now)


@budget(max_examples=40, deadline=None)
@given(st.lists(RUNS, max_size=6), st.integers(0, 600), st.integers(0, 600))
def test_scores_only_grow_older_while_nothing_is_scored(runs: list[Run], minutes: int, more: int) -> None:
    now = NOON + minutes * MINUTE
    ages = ages_of(runs, now)
    first, later = (serving_tier(ages, (), at, SETTINGS.staleness) for at in (now, now + more * MINUTE))
    assert TIERS.index(later) >= TIERS.index(first)


def test_kept_ages_are_what_the_last_publication_found(operations: Operations) -> None:
    first, second = (ages_of([Run(family, 0, 3)], NOON + HOUR) for family in HOURLY_FAMILIES)
    for ages in (first, second, []):
        with operations.transaction() as connection:
            keep_ages(connection, ages)
        with operations.read() as connection:
            assert kept_ages(connection) == ages

"""Which hours a replay goes over, which it refuses, and which models have learned from them."""

from datetime import timedelta

import pytest

from fridge_assets.automation.schedules import SCHEDULES
from fridge_assets.core.errors import FridgeError
from fridge_assets.replay.span import (
    HOUR,
    Cycle,
    Readings,
    cycles_of,
    hourly_moment,
    hours_between,
    require_readings,
    trained_within,
)
from fridge_assets_tests.replay.given import MIDNIGHT, at, metadata_of

WINDOW = timedelta(minutes=15)
DAY = Readings(tuple(at(number) for number in range(24)), at(23.9))


def test_full_hours_between_two_moments_include_both() -> None:
    assert hours_between(at(1), at(3)) == [at(1), at(2), at(3)]
    assert hours_between(at(0.5), at(2.9)) == [at(1), at(2)]
    with pytest.raises(FridgeError, match="no full hour between 2026-03-02 01:12 and 2026-03-02 01:30"):
        hours_between(at(1.2), at(1.5))


def test_runs_come_as_scheduled_and_the_first_is_of_every_model() -> None:
    minute = timedelta(minutes=3)
    assert cycles_of(hours_between(at(1), at(4))) == [
        Cycle(at(1) + minute, every_model=True),
        Cycle(at(2) + minute, every_model=False),
        Cycle(at(3), every_model=True),
        Cycle(at(3) + minute, every_model=False),
        Cycle(at(4) + minute, every_model=False),
    ]
    crons = {schedule.job_name: schedule.cron_schedule for schedule in SCHEDULES}
    assert crons["score_hourly"] == f"{hourly_moment(MIDNIGHT).minute} * * * *"
    assert crons["score_daily"] == "0 3 * * *"


@pytest.mark.parametrize(
    ("first", "last", "problem"),
    [
        (-48, 2, "2026-02-28 00:00 UTC lies before the first readings"),
        (0, 2, "2026-03-02 00:00 UTC lies before the first readings"),
        (20, 25, "2026-03-03 01:00 UTC lies after the last reading"),
        (40, 41, "2026-03-03 17:00 UTC lies after the last reading"),
    ],
)
def test_hours_outside_of_the_readings_are_refused_with_those_there_are(
    first: float, last: float, problem: str
) -> None:
    with pytest.raises(FridgeError) as refusal:
        require_readings(hours_between(at(first), at(last)), DAY, WINDOW)
    assert refusal.value.problem == f"{problem}: there are readings from 2026-03-02 00:00 to 2026-03-02 23:54 UTC"
    assert refusal.value.remedy == "Replay hours between 2026-03-02T01:00Z and 2026-03-03T00:00Z."


def test_hours_up_to_the_last_window_can_be_replayed_and_a_gap_alone_cannot() -> None:
    require_readings(hours_between(at(1), at(24)), DAY, WINDOW)
    gap = Readings((at(0), at(10)), at(10.5))
    require_readings(hours_between(at(1), at(10)), gap, WINDOW)
    with pytest.raises(FridgeError, match="there are no readings between 2026-03-02 03:00 and 2026-03-02 05:00 UTC"):
        require_readings(hours_between(at(3), at(5)), gap, WINDOW)
    with pytest.raises(FridgeError, match="there are no readings yet"):
        require_readings([at(1)], None, WINDOW)


def test_a_version_that_has_learned_from_any_of_the_hours_is_named_with_how_many() -> None:
    version = metadata_of("isolation_forest", window_from=at(0.25), window_to=at(6))
    (found,) = trained_within([version], hours_between(at(4), at(10)), WINDOW)
    assert (found.family, found.version, found.since, found.until, found.hours) == (
        "isolation_forest", "1.0.0", at(0), at(6), 3,
    )  # fmt: skip
    assert trained_within([version], hours_between(at(7), at(10)), WINDOW) == []
    assert trained_within([version], [at(0) - HOUR], WINDOW) == []

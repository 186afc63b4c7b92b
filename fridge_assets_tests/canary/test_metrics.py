"""The four metrics at their boundaries (SPEC 3.1)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fridge_assets.canary.metrics import (
    Flags,
    Scores,
    count_flags,
    highest,
    score_difference,
    top_overlap,
)
from fridge_assets.settings import CanarySettings
from fridge_assets_tests.canary.given import healthy

SETTINGS = CanarySettings()

scores = st.integers(1, 300).flatmap(lambda n: arrays(np.float64, n, elements=st.floats(0, 1)))


def test_score_difference_is_the_mean_of_the_absolute_differences() -> None:
    assert score_difference(np.array([0.2, 0.5]), np.array([0.3, 0.2])) == pytest.approx(0.2)


def test_a_score_at_the_threshold_is_no_flag() -> None:
    flags = count_flags(np.array([0.6, 0.61, 0.7, 0.1]), np.array([0.61, 0.6, 0.7, 0.1]), 0.6, 0.6)
    assert flags == Flags(ours=2, production=2, only_ours=1, only_production=1, rows=4)
    assert count_flags(np.array([0.65]), np.array([0.65]), 0.7, 0.6).shift == 1


@pytest.mark.parametrize(
    ("ours", "production", "limit"),
    [
        (300, 100, 0.01),  # a factor of two up is a point here
        (10, 100, 0.005),  # and half a point down
        (900, 500, 0.02),
        (100, 500, 0.02),
        (5, 0, 0.0),
        (0, 0, 0.0),
    ],
)
def test_the_flagged_share_may_move_by_points_and_no_further_than_the_factor(
    ours: int, production: int, limit: float
) -> None:
    assert Flags(ours, production, ours, production, 10_000).limit(SETTINGS) == pytest.approx(limit)


@pytest.mark.parametrize(("only_ours", "by_chance"), [(1, 0.5), (2, 0.25), (10, 2**-10), (0, 1.0)])
def test_few_flags_more_are_chance_and_many_are_not(only_ours: int, by_chance: float) -> None:
    assert Flags(only_ours + 5, 5, only_ours, 0, 1000).by_chance() == pytest.approx(by_chance)


@pytest.mark.parametrize(("fleet", "named"), [(20_000, 100), (1000, 100), (999, 99), (200, 20), (9, 1), (1, 1)])
def test_the_highest_are_100_devices_or_a_tenth_of_a_small_fleet(fleet: int, named: int) -> None:
    assert len(highest(healthy(fleet), SETTINGS)) == named


def test_equal_scores_go_by_the_order_of_the_devices() -> None:
    assert highest(np.full(30, 0.5), SETTINGS).tolist() == [0, 1, 2]
    assert highest(np.array([0.1] * 10 + [0.9] * 10), SETTINGS).tolist() == [10, 11]


def test_overlap_counts_the_devices_that_both_name() -> None:
    production = np.linspace(0, 1, 100)
    ours = production.copy()
    ours[[0, 1, 2]] = 1.0
    assert top_overlap(ours, production, SETTINGS) == pytest.approx(0.7)
    assert top_overlap(production[::-1], production, SETTINGS) == 0


@given(scores)
def test_scores_name_the_same_highest_devices_as_themselves(values: Scores) -> None:
    assert top_overlap(values, values, SETTINGS) == 1

"""Killed at any point and typed again, commands leave what an undisturbed history leaves, to the bit."""

import pytest

from fridge_assets_tests.scenarios.cycle_kills import rounds


@pytest.mark.timeout(1800)
def test_history_that_is_killed_ten_times_holds_the_same_bits() -> None:
    played = list(rounds(first_seed=100, kills=10))
    assert [(one.seed, one.wrong) for one in played if one.wrong] == []

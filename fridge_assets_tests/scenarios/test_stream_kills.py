"""Killed at any point and started again, the stream stores what an uninterrupted one does (SPEC 5)."""

import pytest

from fridge_assets_tests.scenarios.stream_kills import rounds

KILLS = 50


@pytest.mark.timeout(900)
def test_killed_fifty_times_the_stream_loses_nothing_and_stores_nothing_twice() -> None:
    played = list(rounds(first_seed=100, kills=KILLS))
    assert sum(one.kills for one in played) >= KILLS
    assert [(one.seed, one.wrong) for one in played if one.wrong] == []

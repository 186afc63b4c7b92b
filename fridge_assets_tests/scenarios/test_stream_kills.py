"""Killed at any point and started again, the stream stores what an uninterrupted one does (SPEC 5).

Here one round, so that the scenario stays playable; `make scenario-stream-kills` plays them by the hundred.
"""

from fridge_assets_tests.scenarios.stream_kills import rounds


def test_killed_in_one_round_the_stream_loses_nothing_and_stores_nothing_twice() -> None:
    (played,) = rounds(first_seed=101, kills=1)
    assert played.kills >= 1
    assert played.wrong == ()

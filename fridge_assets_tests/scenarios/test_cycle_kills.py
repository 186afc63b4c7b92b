"""Killed at any point and typed again, commands leave what an undisturbed history leaves, to the bit.

Here a kill of the shortest command, so that the scenario stays playable; `make scenario-cycle-kills` kills all of them.
"""

from fridge_assets_tests.scenarios.cycle_kills import HISTORY, rounds


def test_ingestion_that_is_killed_once_leaves_the_same_bits() -> None:
    (played,) = rounds(first_seed=100, kills=1, history=HISTORY[:1])
    assert (played.kills, played.wrong) == (1, ())

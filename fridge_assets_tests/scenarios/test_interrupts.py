"""Interrupted at any moment, a command blocks nobody and leaves nothing behind.

Here the shortest command, so that the scenario stays playable; `make scenario-interrupts` interrupts all of them.
"""

from pathlib import Path

from fridge_assets_tests.scenarios.interrupts import rounds
from fridge_assets_tests.scenarios.small_fleet import Place


def test_a_stream_that_is_interrupted_once_blocks_nobody_and_leaves_nothing_behind(
    trained_template: Place, tmp_path: Path
) -> None:
    (played,) = rounds(trained_template, tmp_path, first_seed=102, kills=1, names=("stream",))
    assert played.wrong == (), played.said

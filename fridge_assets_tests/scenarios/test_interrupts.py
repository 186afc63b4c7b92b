"""Interrupted at any moment, a command blocks nobody and leaves nothing behind."""

from pathlib import Path

import pytest

from fridge_assets_tests.scenarios.interrupts import rounds
from fridge_assets_tests.scenarios.small_fleet import Place

ROUNDS = 8
SHORT = ("ingest", "train", "run hourly", "replay", "stream")
"""Commands of every day's rounds. Those that take longest are in `make scenario-interrupts` alone, and so is
`replay --into-live`, whose last fix no round has shown yet."""


@pytest.mark.timeout(1500)
def test_eight_commands_that_are_interrupted_block_nobody_and_leave_nothing_behind(
    trained_template: Place, tmp_path: Path
) -> None:
    played = list(rounds(trained_template, tmp_path, first_seed=100, kills=ROUNDS, names=SHORT))
    assert [(one.seed, one.said, one.wrong) for one in played if one.wrong] == []

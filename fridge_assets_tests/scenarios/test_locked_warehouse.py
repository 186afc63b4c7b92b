"""Another program holds the DuckDB file: the run fails with a sentence that names it, and changes nothing."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from fridge_assets_tests.scenarios.contents import contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import Place, copy_of

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@contextmanager
def held(file: Path) -> Iterator[int]:
    """Hold the DuckDB file in a process of its own; yields the process id."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder.pid
        finally:
            holder.kill()


def test_the_run_says_who_holds_the_file_and_the_next_one_succeeds(cycled_template: Place, tmp_path: Path) -> None:
    place = copy_of(cycled_template, tmp_path / "data", lock_wait=timedelta(milliseconds=300))
    before = contents(place)
    with held(place.settings.warehouse_file) as process:
        cycle = place.run_hourly(FIRST_HOUR)
    reasons = {**cycle.score.failures, **cycle.publish.failures}
    assert {"device_features", "model_scores"} <= reasons.keys()
    for reason in reasons.values():
        assert f"warehouse.duckdb is held by {sys.executable}" in reason or f"(process {process})" in reason
        assert reason.endswith(
            "for more than 0.3 s. Close that program or wait for it, then run this again; nothing was changed."
        )
    assert contents(place) == before

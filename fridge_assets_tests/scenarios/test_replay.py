"""A replay over recorded hours gives what running the hours one by one gave (SPEC 9)."""

from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.contents import WALL_TIME, contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import Place, copy_of, graph_of, hour

RESULTS = (
    "device_features", "isolation_forest_scores", "statistical_baseline_scores", "model_scores", "score_runs",
    "device_status", "site_status", "operations.device_alerts", "operations.alert_events",
    "device_status.parquet", "site_status.parquet",
)  # fmt: skip
"""All but the bookkeeping of ingestion, which sees one delivery instead of two."""


def test_replayed_hours_equal_hours_that_were_run_one_by_one(trained: Place, cycled_template: Place, tmp_path) -> None:
    one_by_one = copy_of(cycled_template, tmp_path / "one-by-one")
    one_by_one.deliver(FIRST_HOUR + 1)
    assert one_by_one.run_hourly(FIRST_HOUR + 1).success

    trained.deliver(FIRST_HOUR, FIRST_HOUR + 1)
    until = hour(FIRST_HOUR + 1.5).isoformat()
    with graph_of(trained.settings):
        code, said, error = typed(trained.root, "replay", "--from", hour(FIRST_HOUR).isoformat(), "--to", until, "--json")

    assert (code, error) == (0, "")
    assert '"hours": 2' in said
    expected, found = contents(one_by_one, WALL_TIME), contents(trained, WALL_TIME)
    assert {name: found[name] for name in RESULTS} == {name: expected[name] for name in RESULTS}

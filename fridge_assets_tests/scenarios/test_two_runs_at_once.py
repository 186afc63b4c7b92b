"""Two programs run at once over one data folder: both results stay (SPEC 2)."""

import pytest

from fridge_assets_tests.scenarios.contents import WALL_TIME, contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.processes import complaints, finish, replaying, started
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, cycle_time, hour

pytestmark = pytest.mark.timeout(900)

AS_OF = ("--as-of", cycle_time(FIRST_HOUR).isoformat())
PAST = hour(FIRST_HOUR - 0.25)


def test_two_hourly_cycles_at_once_leave_what_one_leaves(trained: Place, cycled_template: Place) -> None:
    trained.deliver(FIRST_HOUR)
    with replaying(trained, FIRST_HOUR) as one, replaying(trained, FIRST_HOUR) as other:
        for process in (one, other):
            code, _, error = finish(process)
            assert (code, complaints(error)) == (0, [])
    expected, found = contents(cycled_template, WALL_TIME), contents(trained, WALL_TIME)
    assert found == expected


def test_two_models_on_demand_at_once_one_for_some_devices_of_a_past_window(cycled: Place) -> None:
    before = contents(cycled)
    chosen = [str(device) for (device,) in cycled.query("SELECT device_id FROM device_status ORDER BY 1 LIMIT 2")]
    past = ("--window-end", PAST.isoformat(), *AS_OF)
    with (
        started(cycled, "run", "model", "isolation_forest", *past) as forest,
        started(cycled, "run", "model", "statistical_baseline", "--devices", ",".join(chosen), *past) as baseline,
    ):
        for process in (forest, baseline):
            code, _, error = finish(process)
            assert (code, complaints(error)) == (0, [])
    scored = "SELECT count(*), min(scored_at) FROM model_scores WHERE window_end = ? AND starts_with(model_id, ?)"
    assert cycled.query(scored, PAST, "isolation_forest") == [(DEVICES, cycle_time(FIRST_HOUR))]
    assert cycled.query(scored, PAST, "statistical_baseline") == [(2, cycle_time(FIRST_HOUR))]
    of_past = cycled.query(
        "SELECT DISTINCT device_id FROM statistical_baseline_scores WHERE window_end = ? ORDER BY 1", PAST
    )
    assert [device for (device,) in of_past] == chosen
    after = contents(cycled)
    kept = [f"operations.{name}" for name in ("incidents", "incident_events", "alert_evidence")]
    assert [after[name] for name in kept] == [before[name] for name in kept], "a past window alerts nobody"

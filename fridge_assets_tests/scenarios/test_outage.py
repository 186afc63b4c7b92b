"""Five hours without readings: nothing stale is scored meanwhile, the next run catches up (SPEC 1.4, 4)."""

from fridge_assets.contracts import DEVICE_STATUS
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, hour

BACK = FIRST_HOUR + 5


def test_an_outage_is_shown_while_it_lasts_and_caught_up_when_it_ends(cycled: Place) -> None:
    cycle = cycled.run_hourly(BACK)
    assert set(cycle.score.failures) == {"isolation_forest_scores", "statistical_baseline_scores"}
    for reason in cycle.score.failures.values():
        assert "newest features are of 2026-03-02 07:00 UTC and it is 2026-03-02 12:03 UTC" in reason
    assert cycle.publish.success
    devices = cycled.published.read(DEVICE_STATUS)
    assert devices is not None
    assert (devices["health_status"] == "offline").all()
    assert (devices["score_status"] == "expired").all()
    assert devices["latest_anomaly_score"].isna().all()

    cycled.deliver(*range(FIRST_HOUR + 1, BACK + 1))
    assert cycled.run_hourly(BACK).success

    windows = cycled.query(
        "SELECT window_end, count(*) FROM device_features WHERE window_end > ? GROUP BY 1 ORDER BY 1", hour(FIRST_HOUR)
    )
    assert [count for _, count in windows] == [DEVICES] * 20
    assert windows[-1][0] == hour(BACK)
    scored = cycled.query("SELECT DISTINCT window_end FROM model_scores ORDER BY 1")
    assert [window for (window,) in scored] == [hour(FIRST_HOUR), hour(BACK)]
    devices = cycled.published.read(DEVICE_STATUS)
    assert devices is not None
    assert (devices["score_status"] == "fresh").all()
    assert (devices["health_status"] != "offline").all()

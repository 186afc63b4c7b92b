"""The daily cycle scores with all families; hourly ones after it still use what the daily models said (SPEC 6)."""

from pathlib import Path

from fridge_assets.automation.cycles import daily_cycle, train_models
from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.scoring.current import current_scores
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.incidents.observing.stored import stored_alerts
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import (
    DEVICES,
    TRAINED_HOUR,
    Place,
    cycle_time,
    graph_of,
    hour,
    make_simulated,
)
from fridge_assets_tests.scenarios.test_hourly_cycle import faulty_devices

DAILY_HOUR, NEXT_HOUR = FIRST_HOUR + 1, FIRST_HOUR + 2


def test_all_families_score_and_the_daily_ones_count_in_the_next_hour(cycled: Place) -> None:
    cycled.deliver(DAILY_HOUR, NEXT_HOUR)
    with graph_of(cycled.settings) as instance:
        daily = daily_cycle(instance, cycle_time(DAILY_HOUR), in_process=True)
    assert daily.success, daily.score.failures | daily.publish.failures
    assert cycled.run_hourly(NEXT_HOUR).success

    def families_of(number: int) -> list[tuple[object, ...]]:
        return cycled.query(
            "SELECT regexp_replace(model_id, '_v[0-9]+$', '') AS family, count(*) FROM model_scores "
            "WHERE window_end = ? GROUP BY 1 ORDER BY 1",
            hour(number),
        )

    assert families_of(DAILY_HOUR) == [(family, DEVICES) for family in sorted(FAMILIES)]
    assert families_of(NEXT_HOUR) == [(family, DEVICES) for family in sorted(HOURLY_FAMILIES)]
    with cycled.warehouse.read() as connection:
        current = current_scores(connection, hour(NEXT_HOUR), cycled.settings)
    assert len(current) == len(FAMILIES) * DEVICES
    assert set(current["carried_from"].dropna()) == {hour(DAILY_HOUR)}
    alerts = stored_alerts(cycled.operations)
    told = alerts[alerts["window_end"] == hour(NEXT_HOUR)].set_index("device_id")["description"]
    flagged_daily = set(
        current.loc[current["carried_from"].notna() & current["anomaly_flag"], "device_id"]
    ) & faulty_devices(cycled)
    assert flagged_daily
    for device in flagged_daily:
        assert f"some of them as of {hour(DAILY_HOUR):%H:%M} UTC" in told[device]


def test_a_family_without_enough_history_for_its_first_version_is_no_failure_of_the_day(tmp_path: Path) -> None:
    place = make_simulated(tmp_path / "data")
    when = cycle_time(TRAINED_HOUR)
    with graph_of(place.settings) as instance:
        nothing = daily_cycle(instance, when, in_process=True)
        assert "no released version" in nothing.score.failures["dbscan_cohort_scores"]
        assert train_models(instance, ["statistical_baseline"], when, in_process=True).success
        daily = daily_cycle(instance, when, in_process=True)
    assert daily.success, daily.score.failures | daily.publish.failures
    said = daily.score.metadata["dbscan_cohort_scores"]
    assert (said["scored"], said["because"]) == (
        False,
        "dbscan_cohort has no version yet; once there is enough history the schedule trains it, or `fridge-assets "
        "train dbscan_cohort`",
    )
    assert place.query("SELECT DISTINCT model_id FROM model_scores") == [("statistical_baseline_v1",)]
    assert not [check for check in daily.score.checks if not check.passed and check.told]
    code, _, error = typed(place.root, "run", "model", "dbscan_cohort", "--as-of", when.isoformat())
    assert (code, "dbscan_cohort has no released version" in error) == (1, True)

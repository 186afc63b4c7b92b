"""The hourly cycle, end to end: readings to features to scores, then alerts and status (SPEC 2)."""

import dagster as dg
import pandas as pd
import pytest

from fridge_assets.automation.jobs import SOURCE_RUN_TAG
from fridge_assets.contracts import DEVICE_STATUS, SITE_STATUS
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets_tests.incidents.observing.stored import stored_alerts
from fridge_assets_tests.scenarios.contents import contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, cycle_time, graph_of, hour

WINDOW = hour(FIRST_HOUR)
STORED = {
    "clean_sensor_readings", "quarantined_readings", "device_features", "model_scores", "device_alerts",
    "device_status", "site_status", *(f"{family}_scores" for family in HOURLY_FAMILIES),
}  # fmt: skip
CHECKED = STORED - {"model_scores"}


def faulty_devices(place: Place) -> set[str]:
    return set(pd.read_parquet(place.root / "ground_truth.parquet")["device_id"])


def test_both_runs_succeed_and_the_second_names_the_first(cycled: Place) -> None:
    with graph_of(cycled.settings) as instance:
        publish, score, *_ = instance.get_runs()
    assert [score.job_name, publish.job_name] == ["score_hourly", "publish"]
    assert [score.status, publish.status] == [dg.DagsterRunStatus.SUCCESS] * 2
    assert publish.tags[SOURCE_RUN_TAG] == score.run_id


def test_every_device_has_features_of_each_window_of_the_hour(cycled_template: Place) -> None:
    rows = cycled_template.query(
        "SELECT window_end, count(*) FROM device_features WHERE window_end > ? GROUP BY 1 ORDER BY 1",
        hour(FIRST_HOUR - 1),
    )
    assert [count for _, count in rows] == [DEVICES] * 4
    assert rows[-1][0] == WINDOW


def test_both_models_score_every_device_in_the_window_that_just_closed_only(cycled_template: Place) -> None:
    rows = cycled_template.query("SELECT model_id, window_end, count(*) FROM model_scores GROUP BY ALL ORDER BY 1")
    assert [(window, count) for _, window, count in rows] == [(WINDOW, DEVICES)] * 2
    assert [str(model).rsplit("_v", 1)[0] for model, _, _ in rows] == list(HOURLY_FAMILIES)
    assert cycled_template.query("SELECT DISTINCT scored_at FROM model_scores") == [(cycle_time(FIRST_HOUR),)]


def test_the_injected_faults_are_alerted_and_shown(cycled_template: Place) -> None:
    faulty = faulty_devices(cycled_template)
    alerts = pd.read_sql_query("SELECT * FROM device_alerts", f"sqlite:///{cycled_template.root / 'operations.db'}")
    assert faulty <= set(alerts["device_id"])
    devices = cycled_template.published.read(DEVICE_STATUS)
    assert devices is not None
    assert len(devices) == DEVICES
    assert (devices["score_status"] == "fresh").all()
    shown = devices.set_index("device_id").loc[sorted(faulty)]
    assert shown["health_status"].isin(["warning", "critical"]).all()
    assert (shown["open_alerts"] == 1).all()
    sites = cycled_template.published.read(SITE_STATUS)
    assert sites is not None
    assert sites["devices_in_alert"].sum() == (devices["open_alerts"] > 0).sum()
    assert cycled_template.query("SELECT count(*) FROM device_status") == [(DEVICES,)]


def test_dagster_shows_counts_pictures_tables_and_passed_contracts(cycled: Place) -> None:
    with graph_of(cycled.settings) as instance:
        metadata = {}
        for name in STORED:
            event = instance.get_latest_materialization_event(dg.AssetKey(name))
            assert event is not None
            assert event.asset_materialization is not None
            metadata[name] = {key: value.value for key, value in event.asset_materialization.metadata.items()}
        checks = {name: contract_of(instance, name).passed for name in CHECKED}
    assert checks == dict.fromkeys(CHECKED, True)
    counts = {name: values["dagster/row_count"] for name, values in metadata.items()}
    assert counts["device_features"] >= 4 * DEVICES
    assert counts["model_scores"] == 2 * DEVICES
    for family in HOURLY_FAMILIES:
        shown = metadata[f"{family}_scores"]
        assert counts[f"{family}_scores"] == DEVICES
        assert shown["coverage"] == 1.0
        assert shown["score histogram"].startswith("![score histogram](data:image/png;base64,iVBOR")
        assert shown["highest scores"].startswith("| device_id | anomaly_score | top_contributors |")
    # After one window two faint flags wait for another one: the incident is there, and nobody is told yet.
    alerts = stored_alerts(cycled.operations, active=True)
    waiting = alerts[alerts["suppressed_because"] == "unconfirmed"]
    assert set(waiting["device_id"]) & faulty_devices(cycled), alerts[["device_id", "severity", "anomaly_score"]]
    assert "unconfirmed" in metadata["device_alerts"]["kept for audit"]
    assert metadata["device_status"]["snapshot"].endswith("published/device_status.parquet")


def test_running_the_same_cycle_again_changes_no_row_and_no_published_file(cycled: Place) -> None:
    before = contents(cycled)
    assert cycled.run_hourly(FIRST_HOUR).success
    assert contents(cycled) == before
    assert {"model_scores", "operations.alert_evidence", "device_status.parquet"} <= before.keys()


def contract_of(instance: dg.DagsterInstance, asset: str) -> dg.AssetCheckEvaluation:
    """What the last check of an asset's contract said."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), "contract")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    if record.event is None or record.event.dagster_event is None:
        pytest.fail(f"{asset} was never checked")
    evaluation = record.event.dagster_event.event_specific_data
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    return evaluation

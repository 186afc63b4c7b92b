"""A model that fails keeps its last good scores; the other model, alerts and status still come out (SPEC 4)."""

import json

from fridge_assets.automation.launch import clock_config, run_cycle
from fridge_assets.contracts import DEVICE_STATUS
from fridge_assets.models._mlflow import open_client
from fridge_assets.models.version import MANIFEST, file_hash
from fridge_assets_tests.scenarios.contents import contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, cycle_time, graph_of, hour
from fridge_assets_tests.scenarios.test_hourly_cycle import contract_of, faulty_devices

NEXT_HOUR = FIRST_HOUR + 1
BASELINE = "statistical_baseline"


def test_a_tampered_artifact_is_refused_by_name_and_stops_nobody_else(cycled: Place) -> None:
    tampered = next(cycled.artifact("isolation_forest", "model").iterdir())
    tampered.write_bytes(tampered.read_bytes() + b"x")
    before = contents(cycled)
    cycled.deliver(NEXT_HOUR)

    cycle = cycled.run_hourly(NEXT_HOUR)

    assert list(cycle.score.failures) == ["isolation_forest_scores"]
    reason = cycle.score.failures["isolation_forest_scores"]
    assert f"model/{tampered.name}" in reason
    assert "differ from what was written in training" in reason
    assert reason.endswith("train a new version.")
    assert cycle.publish.success
    assert contents(cycled)["isolation_forest_scores"] == before["isolation_forest_scores"]
    scored = cycled.query(
        "SELECT model_id, count(*) FROM model_scores WHERE window_end = ? GROUP BY 1", hour(NEXT_HOUR)
    )
    assert [(str(model).startswith(BASELINE), count) for model, count in scored] == [(True, DEVICES)]
    assert cycle.publish.metadata["device_alerts"]["window"] == hour(NEXT_HOUR).isoformat()
    devices = cycled.published.read(DEVICE_STATUS)
    assert devices is not None
    assert (devices["score_status"] == "fresh").all()
    assert (devices.loc[devices["device_id"].isin(faulty_devices(cycled)), "open_alerts"] > 0).all()


def test_a_model_that_answers_nan_writes_nothing_and_its_check_shows_the_rows(cycled: Place) -> None:
    answer_nan(cycled)
    before = contents(cycled)
    with graph_of(cycled.settings) as instance:
        cycle = run_cycle(instance, f"score_{BASELINE}", clock_config(cycle_time(FIRST_HOUR)), in_process=True)
        check = contract_of(instance, f"{BASELINE}_scores")
    assert contents(cycled) == before
    reason = cycle.score.failures[f"{BASELINE}_scores"]
    assert reason.startswith("model_scores breaks its contract: anomaly_score must not be null (24 of 24 rows do not)")
    assert "Nothing was written" in reason
    assert not check.passed
    assert "device-0000" in str(check.metadata["sample rows"].value)
    assert cycle.publish.success


def answer_nan(place: Place) -> None:
    """Register a calibration of NaN with the released baseline, with all its hashes right."""
    registered = place.models.require_serving(BASELINE)
    calibration = place.artifact(BASELINE, "calibration.json")
    values = json.loads(calibration.read_text())
    calibration.write_text(json.dumps({**values, "states": {}, "log_p": [float("nan")] * len(values["log_p"])}))
    manifest = place.artifact(BASELINE, MANIFEST)
    hashes = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**hashes, "calibration.json": file_hash(calibration)}))
    client = open_client(place.settings.mlflow_database, place.settings.models_dir)
    client.set_model_version_tag(BASELINE, str(registered.number), "manifest_hash", file_hash(manifest))

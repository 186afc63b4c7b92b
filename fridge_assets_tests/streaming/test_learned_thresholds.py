"""What the released baseline would have the acute rules use, and the asset that keeps it (SPEC 5)."""

import json
from dataclasses import replace

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import FRACTION_FEATURES
from fridge_assets.deployment.state import Deployment
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import ModelRegistry
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.models.training import train
from fridge_assets.models.version import ModelVersion
from fridge_assets.settings import LearnedThresholdSettings, Settings
from fridge_assets.streaming.assets import acute_thresholds
from fridge_assets.streaming.learned import learned_thresholds
from fridge_assets.streaming.precedence import DEFAULTS, MODEL
from fridge_assets.streaming.rules import OVERLOAD, PRESSURE_LOSS, VIBRATION
from fridge_assets.streaming.thresholds import newest_words
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.models.synthetic import NOW, feature_rows
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place

WIDE = (1e-6, 1e6)
UNLIMITED = LearnedThresholdSettings(
    current=WIDE, vibration_ratio=WIDE, pressure_drop=WIDE, single_reading_deviations=0.0
)
"""The boundaries as the model sees them."""


def learned(version: ModelVersion, limits: LearnedThresholdSettings | None = None) -> pd.DataFrame:
    settings = Settings() if limits is None else Settings(learned_thresholds=limits)
    return learned_thresholds(version, settings)


@pytest.fixture(scope="module")
def version() -> ModelVersion:
    """A baseline of 40 devices with two days of history, which says as much as if it had seen more."""
    little = train(StatisticalBaseline, feature_rows(devices=40, windows=192), Settings(), NOW).version
    return replace(little, calibration=replace(little.calibration, overall=little.calibration.overall.unlimited))


def usual_rows(version: ModelVersion) -> pd.DataFrame:
    """A row per device on which every feature is where the model expects it."""
    model = version.model
    assert isinstance(model, StatisticalBaseline)
    devices = model.windows.expectations.query("level == 'device'").reset_index(drop=True)
    cohorts = feature_rows(devices=40, windows=1).set_index("device_id")["cohort"]
    conditions = dict(
        zip(model.windows.operating_point.conditions, model.windows.operating_point.limits.centre, strict=True)
    )
    rows = pd.DataFrame({"device_id": devices["name"], "cohort": devices["name"].map(cohorts)}).assign(**conditions)
    unusual = model.windows.operating_point.adjust(rows, np.zeros((len(rows), len(model.compared))))
    for position, (name, typical) in enumerate(
        zip(model.windows.compared, model.windows.measure.reference, strict=True)
    ):
        measured = devices[f"location_{name}"].to_numpy(dtype=np.float64) - unusual[:, position]
        if typical > 0:
            measured = typical * (np.exp(measured) - 0.05)
        elif name in (*FRACTION_FEATURES, "sensor_completeness"):
            measured = np.sin(measured) ** 2
        if name not in conditions or name.startswith("temp_ambient"):
            rows[name] = measured
    return rows


@pytest.mark.parametrize(
    ("rule", "feature", "mean_at"),
    [
        (OVERLOAD.name, "current_compressor_mean", lambda _, value: value),
        (VIBRATION.name, "vibration_compressor_mean", lambda usual, value: usual * value),
        (PRESSURE_LOSS.name, "pressure_low_mean", lambda usual, value: usual * (1 - value)),
    ],
)
def test_at_the_boundary_the_model_alone_would_call_the_device_critical(
    version: ModelVersion, rule: str, feature: str, mean_at
) -> None:
    boundary = learned(version, UNLIMITED).query("rule == @rule").set_index("device_id")["value"]
    rows = usual_rows(version)
    usual = rows[feature]
    assert version.score(rows).max() < 0.6
    value = rows["device_id"].map(boundary).fillna(DEFAULTS[rule])
    for share, critical in ((0.9, False), (1.1, True)):
        moved = usual + share * (mean_at(usual, value) - usual)
        assert ((version.score(rows.assign(**{feature: moved})) > 0.95) == critical).mean() > 0.9


def test_no_rule_becomes_more_sensitive_than_the_settings_allow(version: ModelVersion) -> None:
    found = learned(version)
    spans = found.groupby("rule")["value"].agg(["min", "max"])
    assert spans.loc[OVERLOAD.name, "min"] == 30.0, "most are small compressors"
    assert VIBRATION.name not in spans.index or spans.loc[VIBRATION.name, "min"] > 3.0
    assert spans.loc[PRESSURE_LOSS.name, "min"] > 0.30
    assert spans["max"].drop(OVERLOAD.name).lt(5.01).all()
    assert spans.loc[PRESSURE_LOSS.name, "max"] <= 0.45


def test_thresholds_have_two_digits_so_that_training_again_rarely_changes_them(version: ModelVersion) -> None:
    found = learned(version, UNLIMITED)["value"]
    assert [float(f"{value:.2g}") for value in found] == found.tolist()


def test_a_threshold_keeps_its_distance_from_how_far_single_readings_scatter(version: ModelVersion) -> None:
    far = UNLIMITED.model_copy(update={"single_reading_deviations": 1000.0})
    near, kept = (learned(version, limits).set_index(["device_id", "rule"])["value"] for limits in (UNLIMITED, far))
    both = near.index.intersection(kept.index)  # one that happens to be the default is left out
    assert len(both) > 0.9 * len(kept)
    assert (kept[both] > 3 * near[both]).all()


def test_only_devices_that_the_model_knows_have_thresholds_and_none_that_is_the_default(version: ModelVersion) -> None:
    found = learned(version)
    assert set(found["device_id"]) <= set(feature_rows(devices=40, windows=1)["device_id"])
    narrow = LearnedThresholdSettings(current=(40.0, 40.0), vibration_ratio=(3.0, 3.0), pressure_drop=(0.3, 0.3))
    assert learned(version, narrow).empty


def test_a_model_that_no_single_sensor_can_alarm_teaches_nothing(version: ModelVersion) -> None:
    model = version.model
    assert isinstance(model, StatisticalBaseline)
    assert learned(replace(version, model=replace(model, max_z=0.5))).empty


def test_limits_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="not above the highest"):
        LearnedThresholdSettings(current=(41.0, 40.0))


# --- the asset


def run(place: Place, models: ModelLifecycle | None = None) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [acute_thresholds],
        resources={
            "settings": place.settings,
            "warehouse": place.warehouse,
            "operations": place.operations,
            "models": models or place.models,
        },
    )


def observed(done: dg.ExecuteInProcessResult) -> dict[str, object]:
    """What the step observed, as it materialized nothing."""
    assert not done.asset_materializations_for_node("acute_thresholds")
    (observation,) = done.asset_observations_for_node("acute_thresholds")
    return {name: value.value for name, value in observation.metadata.items()}


def test_the_asset_keeps_what_the_release_has_learned_and_nothing_the_second_time(trained: Place) -> None:
    (materialization,) = run(trained).asset_materializations_for_node("acute_thresholds")
    said = {name: value.value for name, value in materialization.metadata.items()}
    with trained.operations.read() as connection:
        words = newest_words(connection, 1000)
    assert said["version"] == "1.0.0"
    assert said["devices with a learned threshold"] == words["device_id"].nunique() <= DEVICES
    assert said["changes written"] == len(words) > 0
    assert "| acute_pressure_loss |" in str(said["learned thresholds"])
    assert set(words["origin"]) == {MODEL}
    assert set(words["detail"]) == {"statistical_baseline 1.0.0"}
    assert observed(run(trained))["changes written"] == 0


def test_a_device_that_left_the_registry_loses_what_was_learned_of_it(trained: Place) -> None:
    run(trained)
    registry = pd.read_csv(trained.root / "device_registry.csv")
    gone = registry["device_id"].iloc[0]
    registry.iloc[1:].to_csv(trained.root / "device_registry.csv", index=False)
    run(trained)
    with trained.operations.read() as connection:
        newest = newest_words(connection, 1)
    assert newest["device_id"].tolist() == [gone]
    assert newest["value"].isna().all()


def test_without_a_release_nothing_is_learned_and_it_says_why(trained: Place, settings: Settings) -> None:
    class Unreleased(Deployments):
        """Where no decision was ever taken."""

        def of(self, family: str) -> Deployment:
            return Deployment(family)

    registry = ModelRegistry(trained.settings.mlflow_database, trained.settings.models_dir)
    said = observed(run(trained, ModelLifecycle(registry, Unreleased(trained.operations))))
    assert said["learned"] is False
    assert "statistical_baseline has no released version" in str(said["because"])
    with trained.operations.read() as connection:
        assert newest_words(connection, 1).empty


def test_a_refused_artifact_fails_with_a_sentence(trained: Place) -> None:
    trained.artifact("statistical_baseline", "model/baseline.json").write_text("{}")
    with pytest.raises(dg.Failure, match="no release of statistical_baseline can be used"):
        run(trained)


# --- the command


def test_the_command_learns_what_the_asset_learns(trained: Place) -> None:
    code, said, error = typed(trained.root, "thresholds", "learn", "--dry-run", "--json")
    assert code == 0, error
    tried = json.loads(said)
    with trained.operations.read() as connection:
        assert newest_words(connection, 1).empty, "nothing is kept"
    code, said, error = typed(trained.root, "thresholds", "learn", "--json")
    assert code == 0, error
    done = json.loads(said)
    with trained.operations.read() as connection:
        words = newest_words(connection, 1000)
    assert done["changes_written"] == len(words) > 0
    assert tried == {**done, "dry_run": True, "changes_written": 0}
    assert observed(run(trained))["changes written"] == 0, "the asset finds nothing new"
    assert "0 changes kept" in typed(trained.root, "thresholds", "learn")[1]


def test_the_command_refuses_an_artifact_that_training_did_not_write(trained: Place) -> None:
    trained.artifact("statistical_baseline", "model/baseline.json").write_text("{}")
    assert "no release of statistical_baseline can be used" in refused(trained.root, "thresholds", "learn")

"""Every family keeps the contract of a score model."""

from pathlib import Path

import numpy as np
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES, sensors_of
from fridge_assets.models.base import ScoreModel
from fridge_assets.models.families import families
from fridge_assets.models.training import train
from fridge_assets_tests.models.check_score_model import SETTINGS, check_score_model
from fridge_assets_tests.models.synthetic import NOW, feature_rows

EVERY_FAMILY = pytest.mark.parametrize("model_class", families().values(), ids=families())


@EVERY_FAMILY
def test_family_keeps_the_contract(model_class: type[ScoreModel], tmp_path: Path) -> None:
    check_score_model(model_class, tmp_path)


@EVERY_FAMILY
def test_family_does_without_sensors_that_the_fleet_lacks(model_class: type[ScoreModel]) -> None:
    features = tuple(name for name in MODEL_FEATURES if not name.startswith(("humidity", "vibration")))
    rows = feature_rows(devices=10, windows=20)
    model = model_class.fit(rows, features, SETTINGS, seed=1)
    assert set(model.features) <= set(features)
    assert np.isfinite(model.raw_scores(rows[["device_id", "cohort", "window_end", *features]])).all()


@EVERY_FAMILY
def test_sensor_that_has_moved_is_among_the_contributors(model_class: type[ScoreModel]) -> None:
    """SPEC 2.1: in 95 % of the rows flagged because of one sensor, that sensor is named."""
    calm, moved = (feature_rows(devices=600, windows=33, cohorts=8, seed=5, shift=shift) for shift in (0.0, 5.0))
    last = calm["window_end"] == calm["window_end"].max()
    version = train(model_class, calm[~last], SETTINGS, NOW).version
    threshold = version.metadata.threshold
    because = (version.score(moved[last]) > threshold) & (version.score(calm[last]) <= threshold)
    flagged = moved[last][because]
    assert len(flagged) >= 20
    names, _ = version.explain(flagged, 5)
    named = [
        any(sensor in sensors_of(name) for name in row)
        for row, sensor in zip(names, flagged["shifted_sensor"], strict=True)
    ]
    assert np.mean(named) >= 0.95

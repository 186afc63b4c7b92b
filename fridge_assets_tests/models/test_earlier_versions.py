"""A version that an earlier release trained loads, and scores as it did."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fridge_assets.models.base import ScoreModel
from fridge_assets.models.calibration_by_state import CalibrationByState
from fridge_assets.models.families import families
from fridge_assets.models.training import train
from fridge_assets.models.version import MANIFEST, ModelVersion, file_hash
from fridge_assets.settings import ForestSettings, Settings
from fridge_assets_tests.models.synthetic import NOW, feature_rows

SETTINGS = Settings(forest=ForestSettings(trees=20, samples_per_tree=64))


def without(file: Path, *names: str, within: str = "") -> None:
    """Take ``names`` out of a JSON file, or of a part of it."""
    values: dict[str, Any] = json.loads(file.read_text())
    for name in names:
        del (values[within] if within else values)[name]
    file.write_text(json.dumps(values))


@pytest.mark.parametrize("model_class", families().values(), ids=families())
def test_a_version_without_states_limits_and_cohorts_loads_and_scores_as_it_did(
    model_class: type[ScoreModel], tmp_path: Path
) -> None:
    rows = feature_rows(devices=20, windows=30)  # without states, as earlier releases had them
    version = train(model_class, rows, SETTINGS, NOW).version
    version.save(tmp_path)
    without(tmp_path / "metadata.json", "operating_states", "cohorts", "provisional")
    without(tmp_path / "calibration.json", "states", "least_log_p")
    without(tmp_path / "model" / "operating_limits.json", "states", within="limits")
    hashes = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({name: file_hash(tmp_path / name) for name in hashes}))

    earlier = ModelVersion.load(tmp_path)
    unlimited = CalibrationByState(replace(version.calibration.overall, least_log_p=None), {})
    np.testing.assert_array_equal(earlier.score(rows), replace(version, calibration=unlimited).score(rows))
    now_with_states = rows.assign(operating_state="defrost")
    np.testing.assert_array_equal(earlier.score(now_with_states), earlier.score(rows))
    assert (earlier.metadata.cohorts, earlier.metadata.provisional) == (None, "")

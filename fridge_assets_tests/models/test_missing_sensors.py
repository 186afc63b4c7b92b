"""A sensor that a cohort does not have is no part of the models of that cohort, and no worse for the others."""

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES, sensors_of
from fridge_assets.models.base import ScoreModel
from fridge_assets.models.families import families
from fridge_assets.models.training import train
from fridge_assets.settings import ForestSettings, Settings
from fridge_assets_tests.models.synthetic import NOW, feature_rows

SETTINGS = Settings(forest=ForestSettings(trees=60, samples_per_tree=256))
EVERY_FAMILY = pytest.mark.parametrize("model_class", families().values(), ids=families())
LACKED = [name for name in MODEL_FEATURES if {"vibration_compressor", "pressure_low_side"} & set(sensors_of(name))]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Two of four cohorts lack two sensors."""
    rows = feature_rows(devices=80, windows=96)
    rows.loc[rows["cohort"].isin(["model-1|zone", "model-3|zone"]), LACKED] = np.nan
    return rows


@EVERY_FAMILY
def test_neither_kind_of_cohort_is_flagged_too_often(model_class: type[ScoreModel], rows: pd.DataFrame) -> None:
    trained_on = rows["window_end"] <= rows["window_end"].quantile(0.6)
    version = train(model_class, rows[trained_on], SETTINGS, NOW).version
    unseen, left_out = version.imputer.apply(rows[~trained_on])
    assert left_out.empty
    scores = version.score(unseen)
    lacks = unseen["cohort"].isin(["model-1|zone", "model-3|zone"]).to_numpy()
    assert (scores > 0.6).mean() < 0.03
    for kind in (lacks, ~lacks):  # none has all of them
        assert (scores[kind] > 0.6).mean() < 0.045


@EVERY_FAMILY
def test_a_sensor_that_a_cohort_did_not_have_never_makes_its_devices_strange(
    model_class: type[ScoreModel], rows: pd.DataFrame
) -> None:
    version = train(model_class, rows, SETTINGS, NOW).version
    newest = rows[(rows["window_end"] == rows["window_end"].max()) & (rows["cohort"] == "model-1|zone")]
    plain, _ = version.imputer.apply(newest)
    fitted, _ = version.imputer.apply(newest.assign(**dict.fromkeys(LACKED, 1e4)))
    assert version.score(plain).tolist() == version.score(fitted).tolist()
    names, strengths = version.explain(plain, 5)
    told = {
        name for some, how in zip(names, strengths, strict=True) for name, s in zip(some, how, strict=True) if s > 0
    }
    assert not told & {name for name in LACKED if len(sensors_of(name)) == 1}

"""What every model family must do, as one check that each of them passes (SPEC 1.5, 2, 2.2)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models.base import ScoreModel
from fridge_assets.models.calibration import Calibration
from fridge_assets.settings import ForestSettings, Settings
from fridge_assets_tests.models.synthetic import feature_rows

SETTINGS = Settings(forest=ForestSettings(trees=40, samples_per_tree=128))


def check_score_model(model_class: type[ScoreModel], folder: Path) -> None:
    """Run every check on ``model_class``; ``folder`` is empty and may be written."""
    rows = feature_rows(devices=30, windows=40, seed=3)
    latest = feature_rows(devices=34, windows=41, seed=3, shift=6.0).groupby("device_id").tail(1)
    model = model_class.fit(rows, MODEL_FEATURES, SETTINGS, seed=7)
    raw = model.raw_scores(latest)

    _check_identity(model)
    assert raw.shape == (len(latest),)
    assert raw.dtype == np.float64
    assert np.isfinite(raw).all()
    np.testing.assert_array_equal(model.raw_scores(latest), raw, "scores differ from call to call")
    again = model_class.fit(rows, MODEL_FEATURES, SETTINGS, seed=7)
    np.testing.assert_array_equal(again.raw_scores(latest), raw, "training twice gives two models")

    _check_independence(model, latest, raw)
    _check_refusals(model, latest)
    _check_calibrated_range(model, rows, latest)
    _check_explanations(model, latest)
    _check_comparisons(model, rows, latest)
    _check_round_trip(model, latest, raw, folder)


def _check_identity(model: ScoreModel) -> None:
    assert model.family.isidentifier()
    assert model.major >= 1
    assert model.granularity in ("fleet", "cohort", "device")
    assert set(model.features) <= set(MODEL_FEATURES)
    assert len(model.features) == len(set(model.features)) > 0


def _check_independence(model: ScoreModel, rows: pd.DataFrame, raw: np.ndarray) -> None:
    for size in (1, 2, 3, 7, 16):
        batches = [model.raw_scores(rows.iloc[start : start + size]) for start in range(0, len(rows), size)]
        np.testing.assert_array_equal(np.concatenate(batches), raw, f"scores differ in batches of {size}")
    shuffled = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_array_equal(model.raw_scores(rows.iloc[shuffled]), raw[shuffled], "row order matters")
    mirrored = rows[list(reversed(rows.columns))]
    np.testing.assert_array_equal(model.raw_scores(mirrored), raw, "column order matters")
    bare = rows[["device_id", "cohort", "window_end", *model.features]]
    np.testing.assert_array_equal(model.raw_scores(bare), raw, "columns that are no features matter")
    assert model.raw_scores(rows.iloc[:0]).shape == (0,)
    stranger = rows.iloc[:3].assign(device_id="never seen", cohort="never seen")
    assert np.isfinite(model.raw_scores(stranger)).all()


def _check_refusals(model: ScoreModel, rows: pd.DataFrame) -> None:
    gone = model.features[-1]
    with pytest.raises(FridgeError, match=gone):
        model.raw_scores(rows.drop(columns=gone))
    for unusable in (np.nan, np.inf):
        spoiled = rows.copy()
        spoiled.loc[rows.index[2], gone] = unusable
        with pytest.raises(FridgeError, match=gone):
            model.raw_scores(spoiled)


def _check_calibrated_range(model: ScoreModel, rows: pd.DataFrame, latest: pd.DataFrame) -> None:
    calibration = Calibration.fit(model.raw_scores(rows), SETTINGS.calibration)
    absurd = latest.assign(**dict.fromkeys(model.features, 1e12))
    scores = calibration.to_score(model.raw_scores(pd.concat([rows, latest, absurd], ignore_index=True)))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[-1] > SETTINGS.calibration.threshold


def _check_explanations(model: ScoreModel, rows: pd.DataFrame) -> None:
    names, strengths = model.explain(rows, 5)
    assert len(names) == len(strengths) == len(rows)
    for row_names, row_strengths in zip(names, strengths, strict=True):
        assert 1 <= len(row_names) == len(row_strengths) <= 5
        assert len(set(row_names)) == len(row_names)
        assert set(row_names) <= set(model.features)
        assert row_strengths == sorted(row_strengths, reverse=True)
        assert min(row_strengths) >= 0
        assert all(type(value) is float for value in row_strengths)
    assert model.explain(rows.iloc[[5]], 5) == ([names[5]], [strengths[5]]), "explanations depend on the batch"
    assert max(len(row) for row in model.explain(rows, 2)[0]) == 2
    assert model.explain(rows.iloc[:0], 5) == ([], [])


def _check_comparisons(model: ScoreModel, rows: pd.DataFrame, latest: pd.DataFrame) -> None:
    found = model.compare(latest)
    named = {name for names in model.explain(latest, 5)[0] for name in names}
    assert named <= set(found.features) <= set(model.features)
    np.testing.assert_array_equal(found.measured, latest[list(found.features)].to_numpy())
    for array in (found.measured, found.expected, found.spread, found.deviation):
        assert array.shape == (len(latest), len(found.features))
        assert np.isfinite(array).all()
    assert (found.spread >= 0).all()
    apart = np.abs(found.measured - found.expected) > 1e-6
    assert (np.sign(found.deviation) == np.sign(found.measured - found.expected))[apart].all()
    usual = model.compare(rows)
    assert np.median(np.abs(usual.deviation)) < 1.5, "usual rows are far from what is expected of them"
    third = model.compare(latest.iloc[[2]])
    np.testing.assert_array_equal(third.expected, found.expected[[2]], "what is expected depends on the batch")


def _check_round_trip(model: ScoreModel, rows: pd.DataFrame, raw: np.ndarray, folder: Path) -> None:
    files = {}
    for name in ("once", "twice"):
        (folder / name).mkdir()
        model.save(folder / name)
        files[name] = {file.name: file.read_bytes() for file in (folder / name).iterdir()}
    assert files["once"] == files["twice"], "saving the same model gives other bytes"
    assert not any(name.endswith((".pkl", ".pickle", ".joblib")) for name in files["once"])
    loaded = type(model).load(folder / "once")
    assert loaded.features == model.features
    np.testing.assert_array_equal(loaded.raw_scores(rows), raw, "a loaded model scores differently")
    assert loaded.explain(rows, 5) == model.explain(rows, 5)

"""Features are compared on the scale on which they vary evenly."""

from pathlib import Path

import numpy as np

from fridge_assets.models._measure import Measure

FEATURES = ("superheat_mean", "superheat_std", "door_open_fraction")
VALUES = np.array([[8.0, 0.5, 0.0], [9.0, 1.0, 0.5], [7.0, 2.0, 1.0]])


def test_means_stay_as_they_are_spreads_become_logarithms_and_shares_arcsines() -> None:
    measured = Measure.fit(VALUES, FEATURES).apply(VALUES)
    np.testing.assert_array_equal(measured[:, 0], VALUES[:, 0])
    np.testing.assert_allclose(measured[:, 1], np.log([0.55, 1.05, 2.05]))
    np.testing.assert_allclose(measured[:, 2], [0, np.pi / 4, np.pi / 2])


def test_a_sensor_that_stands_still_is_far_off_but_finite() -> None:
    measure = Measure.fit(VALUES, FEATURES)
    still = measure.apply(np.array([[8.0, 0.0, 0.0]]))[0, 1]
    assert np.isfinite(still)
    assert still < -2.9


def test_a_share_has_a_grain_and_other_features_have_none() -> None:
    assert (Measure.fit(VALUES, FEATURES).grain > 0).tolist() == [False, False, True]


def test_what_is_saved_measures_the_same(tmp_path: Path) -> None:
    measure = Measure.fit(VALUES, FEATURES)
    measure.save(tmp_path)
    assert Measure.load(tmp_path) == measure
